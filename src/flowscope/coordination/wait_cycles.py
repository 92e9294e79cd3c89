"""The coordinated flows that this code runs in: none of them can wait for itself."""

from collections.abc import Set
from contextvars import Context, ContextVar
from typing import Final

from ..errors import CoordinationError

__all__ = ["Position", "enter", "refuse_waiting_for_itself"]

Position = tuple[object, str]
"""The token of a coordinator's state, and the id of a flow."""

_INSIDE: Final[ContextVar[frozenset[Position]]] = ContextVar("flowscope.coordination", default=frozenset())


def enter(context: Context, position: Position) -> Context:
    """The context, inside one flow more."""
    context.run(lambda: _INSIDE.set(_INSIDE.get() | {position}))
    return context


def refuse_waiting_for_itself(owner: object, wanted: Set[str]) -> None:
    """Raise where a running flow is about to wait for its own end.

    Raises:
        CoordinationError: One of these flows is the one, or around the one, that this code runs in.
    """
    for token, flow_id in _INSIDE.get():
        if token is owner and flow_id in wanted:
            reason = "would wait for itself. Execute, or wait for, flows that neither are nor need the running one."
            raise CoordinationError(f"flow {flow_id!r}", reason)
