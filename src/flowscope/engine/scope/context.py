"""Where code runs: the one ContextVar, and what it holds.

A context holds a `Scope`, which leads to the running flow through a `Handle` that lets go when the run ends. So a
stray asyncio task, a bound function or a copied context can neither reach nor keep alive a flow that has ended.
"""

import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from types import MappingProxyType
from typing import Any, Final

from ...concurrency.fork import call_in_forked_children
from ...errors import NoActiveFlowError
from ...serialization.json_leaves import clean_text

__all__ = ["NOTHING", "BlockHandle", "Handle", "Scope", "current", "enter", "leave", "no_active_flow", "outside"]

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Handle:
    """What contexts hold of a run: what it is called, for good, and the run itself, while it lasts."""

    __slots__ = (
        "anchor",
        "find_flow",
        "flow_id",
        "flow_name",
        "is_bare",
        "provided",
        "remote_task_ids",
        "run",
        "token",
    )

    def __init__(self, flow_id: str, flow_name: str, token: str, anchor: int, find_flow: Callable[[], Any]) -> None:
        self.flow_id = clean_text(flow_id)
        self.flow_name = clean_text(flow_name)
        self.token = token
        """What makes the ids of its tasks and events unique."""
        self.anchor = anchor
        """What turns its ticks into wall time."""
        self.find_flow = find_flow
        """A weak reference to the flow."""
        self.remote_task_ids: dict[int, str] = {}
        """The ids of tasks that got theirs in another process, by execution order."""
        self.run: Any = None
        """The `Run`, while it is running."""
        self.provided: Mapping[str, Any] = NOTHING
        """What the flow provides to its tasks, while it is running."""
        self.is_bare = True
        """Whether the bodies of its calls get nothing from the run: no values, and no surroundings."""

    def ensure_run(self) -> Any:
        """The run, which opens for this if it is that of a `with` block; None where none is running."""
        return self.run

    def running_flow(self) -> Any:
        """The flow that is running, also in a `with` block in which nothing has happened; None where none is."""
        return None if self.run is None else self.run.flow

    def task_id(self, order: int) -> str | None:
        """The id of a task by its execution order; None for 0, the flow itself."""
        if order in self.remote_task_ids:
            return self.remote_task_ids[order]
        return f"task-{self.token}-{order}" if order else None

    def provide(self, values: Mapping[str, Any]) -> None:
        """Provide values to its tasks, in place of the earlier ones."""
        self.provided = values
        if values:
            self.is_bare = False

    def release(self) -> None:
        """Let go of the run, which has ended."""
        self.run = None
        self.provided = NOTHING


class BlockHandle(Handle):
    """What contexts hold of a `with` block: its run opens with the first thing that happens in it.

    Whoever looks at `run` alone sees none until then. Who begins something asks for `ensure_run()`.
    """

    __slots__ = ("_lock", "_opener", "_waits")

    def __init__(self, flow_name: str, anchor: int, find_flow: Callable[[], Any], opener: Callable[[], None]) -> None:
        super().__init__("", flow_name, "", anchor, find_flow)
        self._opener: Callable[[], None] | None = opener
        """Starts the run and puts it here."""
        self._waits = True
        self._lock = threading.RLock()
        """Held while the run is started: others wait for that."""

    def ensure_run(self) -> Any:
        """The run, which opens for this; None once the block is over."""
        if self._waits:
            with self._lock:
                opener, self._opener = self._opener, None
                if opener is not None:
                    try:
                        opener()
                    finally:
                        self._waits = False
        return self.run

    def running_flow(self) -> Any:
        """The flow of the block, until that is over."""
        return self.find_flow() if self._waits else super().running_flow()

    def identify(self, flow_id: str, flow_name: str, token: str) -> None:
        """Take over what the flow is called when its run opens."""
        self.flow_id = clean_text(flow_id)
        self.flow_name = clean_text(flow_name)
        self.token = token


class Scope:
    """A place in a run: the flow's own function, or (in the subclass) a task."""

    __slots__ = ("handle",)

    handle: Handle


current: Final[ContextVar[Scope | None]] = ContextVar("flowscope", default=None)

enter: Final = current.set


def leave(token: Token[Scope | None], scope: Scope | None) -> None:
    """Go back to where the code was before it entered `scope`.

    Code may be ended in another context than it was begun in: a coroutine closed by the garbage collector, a `with`
    block left by another asyncio task. That context never entered the scope, unless it was copied inside it.
    """
    try:
        current.reset(token)
    except ValueError:
        if current.get() is scope:
            current.set(None if token.old_value is Token.MISSING else token.old_value)


class outside:  # noqa: N801 - used like a function
    """A block that runs outside all flows."""

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        self._token = enter(None)

    def __exit__(self, *details: object) -> None:
        leave(self._token, None)


def no_active_flow(wanted: str, scope: Scope | None) -> NoActiveFlowError:
    """The error for code that is in no running flow; `wanted` says what needs one."""
    return NoActiveFlowError(wanted, None if scope is None else scope.handle.flow_name)


@call_in_forked_children
def _forget_in_child() -> None:
    """A forked process is not part of the run: what it recorded would be lost."""
    current.set(None)
