"""The one ContextVar, and the scope that it holds.

A context holds a `Scope`, which refers to the run through a `Handle`. The handle drops the run when the run ends. So a
stray asyncio task, a bound function or a copied context can neither reach nor keep alive a flow that has ended.
"""

import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from types import MappingProxyType
from typing import Any, Final, Protocol

from ...concurrency.fork import call_in_forked_children
from ...errors import NoActiveFlowError
from ...model.config import FlowConfig
from ...model.records import FlowRun
from ...serialization.json.json_leaves import clean_text

__all__ = [
    "NOTHING",
    "BlockHandle",
    "Handle",
    "LiveFlow",
    "Scope",
    "current",
    "enter",
    "leave",
    "no_active_flow",
    "outside",
]

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class LiveFlow(Protocol):
    """A `Flow`, as far as the engine below it uses one."""

    flow_id: str
    flow_name: str
    flow_config: FlowConfig
    tags: tuple[str, ...]

    @property
    def model_fields_set(self) -> set[str]:
        """The fields that the user has set."""
        ...

    @property
    def flow_error(self) -> BaseException | None:
        """The error of its latest run."""
        ...

    @property
    def flow_run(self) -> FlowRun[Any]:
        """The record of its latest run."""
        ...

    @property
    def flow_data(self) -> dict[str, Any]:
        """The dictionary that the flow and its tasks share."""
        ...

    def task_dependencies(self) -> Mapping[str, Any]:
        """More injectable values, by parameter name."""
        ...

    def _name(self, name: str) -> None:
        """Set the name of a flow without one."""
        ...


class Handle:
    """The reference of a context to a run: its names for good, and the run itself until it ends."""

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

    def __init__(
        self, flow_id: str, flow_name: str, token: str, anchor: int, find_flow: Callable[[], LiveFlow | None]
    ) -> None:
        self.flow_id: str = clean_text(flow_id)
        self.flow_name: str = clean_text(flow_name)
        self.token: str = token
        """The part of the ids of its tasks and events that makes them unique."""
        self.anchor: int = anchor
        """The offset from its ticks to wall time, in nanoseconds."""
        self.find_flow: Callable[[], LiveFlow | None] = find_flow
        """A weak reference to the flow."""
        self.remote_task_ids: dict[int, str] = {}
        """The ids of tasks whose ids another process has made, by execution order."""
        self.run: Any = None
        """The `Run`, while it is running."""
        self.provided: Mapping[str, Any] = NOTHING
        """The values that the flow provides to its tasks, by name; empty after its end."""
        self.is_bare: bool = True
        """Whether the bodies of its calls get neither values nor context managers of sinks from the run."""

    def ensure_run(self) -> Any:
        """The run; a `with` block starts it for this. None where no run is active."""
        return self.run

    def running_flow(self) -> LiveFlow | None:
        """The running flow, also in a `with` block whose run has not started; None where no flow is running."""
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
        """Drop the run, which has ended."""
        self.run = None
        self.provided = NOTHING


class BlockHandle(Handle):
    """The reference of a context to a `with` block, whose run starts with the first task, message or print in it.

    `run` is None until then. Code that begins a task or records a fact calls `ensure_run()`.
    """

    __slots__ = ("_lock", "_opener", "_waits")

    def __init__(
        self, flow_name: str, anchor: int, find_flow: Callable[[], LiveFlow | None], opener: Callable[[], None]
    ) -> None:
        super().__init__("", flow_name, "", anchor, find_flow)
        self._opener: Callable[[], None] | None = opener
        """Starts the run and sets `run`."""
        self._waits = True
        self._lock = threading.RLock()
        """Held while the run starts: other threads wait for the start."""

    def ensure_run(self) -> Any:
        """The run, which this starts; None after the end of the block."""
        if self._waits:
            with self._lock:
                opener, self._opener = self._opener, None
                if opener is not None:
                    try:
                        opener()
                    finally:
                        self._waits = False
        return self.run

    def running_flow(self) -> LiveFlow | None:
        """The flow of the block, until the block ends."""
        return self.find_flow() if self._waits else super().running_flow()

    def identify(self, flow_id: str, flow_name: str, token: str) -> None:
        """Set the id and the names that the flow has when its run starts."""
        self.flow_id: str = clean_text(flow_id)
        self.flow_name: str = clean_text(flow_name)
        self.token = token


class Scope:
    """The code that runs in a context: the flow's own function, or (in the subclass) a task."""

    __slots__ = ("handle",)

    handle: Handle


current: Final[ContextVar[Scope | None]] = ContextVar("flowscope", default=None)

enter: Final = current.set


def leave(token: Token[Scope | None], scope: Scope | None) -> None:
    """Restore the scope that the context had before it entered `scope`.

    Code may end in another context than it began in: the garbage collector closes a coroutine, or another asyncio task
    leaves a `with` block. That context never entered the scope, unless it was copied inside it.
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
    """The error for code outside a running flow; `wanted` names the operation that needs a flow."""
    return NoActiveFlowError(wanted, None if scope is None else scope.handle.flow_name)


@call_in_forked_children
def _forget_in_child() -> None:
    """A forked process is not part of the run: its facts would be lost."""
    current.set(None)
