"""One live call of a task, slotted: what is known of it while it runs and afterwards."""

from typing import Any

from ..model.status import RunStatus
from .context import Handle, Scope

__all__ = ["Call", "call_at"]


class Call(Scope):
    """The state of one call. `Task` is the same with a public face."""

    __slots__ = (
        "args",
        "attempt",
        "data",
        "deadline",
        "ended",
        "kwargs",
        "order",
        "parent",
        "spec",
        "started",
        "status",
        "value",
    )

    spec: Any
    """The `TaskSpec` of its task."""
    order: int
    """1 for the first task that started in the run."""
    parent: Scope
    """The place it was called from."""
    args: tuple[Any, ...]
    kwargs: dict[str, Any] | None
    started: int
    """In ticks; until the start of a submitted call, when it was submitted."""
    ended: int
    """In ticks; 0 until the end."""
    status: RunStatus
    value: Any
    attempt: int
    """1 at the first attempt."""
    data: dict[str, Any] | None
    """Its `task_data`, if anybody asked for it."""
    deadline: int | None
    """When this attempt has to be over, in ticks."""


def call_at(scope: Scope | None, handle: Handle) -> Call | None:
    """The call that a place belongs to, if it is one of that run."""
    return scope if isinstance(scope, Call) and scope.handle is handle else None
