"""The port `RunSink` for the facts of a run, and the facts that it receives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar, Final, NamedTuple, Protocol, Self

from ..model.config import FlowConfig
from ..model.records import Dropped, LogSource, Progress
from ..model.status import RunStatus
from ..serialization.error_info import ErrorInfo
from ..serialization.exception_snapshot import Failure, Failures
from .scope.call import Call
from .scope.context import Handle, Scope

__all__ = [
    "NO_DETAILS",
    "ArtifactFact",
    "FailedAttempt",
    "LogDetails",
    "LogLine",
    "ResultFact",
    "RunSink",
    "RunStart",
    "RunView",
    "SinkFactory",
    "TaskCounts",
    "sink_factories",
]


class LogDetails(NamedTuple):
    """The parts of a log entry beside its text."""

    fields: Mapping[str, object]
    path: str | None
    """The file of the code that logged it."""
    line: int | None
    error: Failure | ErrorInfo | None


NO_DETAILS: Final = LogDetails({}, None, None, None)


class LogLine(NamedTuple):
    """One log entry."""

    ticks: int
    level: int
    message: object
    """Text, or an object whose `str` is the text: it is formatted when it is read."""
    logger: str
    source: LogSource
    order: int
    """The execution order of the task that was running, or 0."""
    details: LogDetails | None = None


class ArtifactFact(NamedTuple):
    """One artifact."""

    ticks: int
    key: str | None
    description: str | None
    artifact_type: str | None
    data: object
    order: int


class ResultFact(NamedTuple):
    """One result."""

    ticks: int
    key: str
    description: str
    value: object
    order: int


class FailedAttempt(NamedTuple):
    """A failed attempt that another attempt follows."""

    attempt: int
    """1 for the first."""
    delay: float
    """Seconds until the next one."""
    failure: Failure
    started: int
    """In ticks; of a further attempt, the tick for which it was planned."""
    ended: int
    """In ticks."""


class RunStart(NamedTuple):
    """The parts of a run that are known before its start."""

    handle: Handle
    config: FlowConfig
    tags: tuple[str, ...]
    parent_flow_id: str | None
    parent_task_id: str | None
    """The task of that flow that executed it."""


class TaskCounts(NamedTuple):
    """The numbers of ended tasks of a run."""

    total: int
    failed: int


class RunView(Protocol):
    """A run as its sinks see it."""

    handle: Handle
    config: FlowConfig
    tags: tuple[str, ...]
    parent_flow_id: str | None
    parent_task_id: str | None
    params: Mapping[str, object]
    run_params: Mapping[str, object]
    run_name: str | None
    description: str | None
    started: int
    """In ticks."""
    ended: int
    """In ticks; 0 until the end."""
    status: RunStatus
    failure: Failure | None
    failures: Failures
    """The failures of tasks, by execution order."""
    placements: dict[int, str]
    """The executors of submitted tasks, by execution order."""

    @property
    def duration(self) -> float:
        """Seconds until its end, or until now."""
        ...

    @property
    def recorded_value(self) -> object:
        """The return value, if the config lets it be recorded."""
        ...

    def task_counts(self) -> TaskCounts:
        """The numbers of ended tasks."""
        ...

    def dropped(self) -> Dropped:
        """The numbers of what the record does not keep."""
        ...

    def task_run_name(self, call: Call) -> str | None:
        """The name of a call, beside that of its task."""
        ...

    def yield_count(self, call: Call) -> int | None:
        """The number of items of a generator that has ended; None for other tasks."""
        ...

    def abandoned_thread(self, order: int) -> str | None:
        """The name of the thread that a task was abandoned in, while it still runs."""
        ...

    def abandon(self, call: Call) -> Call:
        """Record a call that started in the moment in which the run ended; the copy that the record shows."""
        ...


class RunSink:
    """A destination of the facts of one run; every method does nothing unless a subclass says otherwise.

    Facts arrive as they happen, from any thread, and hold references to live objects: a sink that keeps them reads
    what it needs at once. An `Exception` of a sink is logged and hurts neither the run nor other sinks.

    A sink may also surround the code whose facts it receives. It then sets `activates`, and returns a context manager for
    each call from `activate`. The drivers enter it in the very context of the body: at each attempt, at each step of a
    generator, and in the worker process, where `received` makes a sink of the mapping that `carry` returned here. An
    exception of the body passes through it unchanged.
    """

    activates: ClassVar[bool] = False
    """Whether the drivers call `activate`."""

    def run_started(self, run: RunView) -> None:
        """The run has started."""

    def task_started(self, call: Call) -> None:
        """A call has started."""

    def attempt_failed(self, call: Call, failed_attempt: FailedAttempt) -> None:
        """An attempt of a call has failed, and another attempt follows."""

    def progressed(self, call: Call, progress: Progress) -> None:
        """A task has reported its progress."""

    def task_revised(self, call: Call) -> None:
        """A call has another name or error policy than before."""

    def task_ended(self, call: Call, failure: Failure | None) -> None:
        """A call has ended; its status is final."""

    def logged(self, line: LogLine, message: object, scope: Scope | None) -> None:
        """A line has been logged or printed; `message` is its text before control sequences were removed."""

    def artifact_added(self, artifact: ArtifactFact, scope: Scope | None) -> None:
        """An artifact has been added."""

    def result_added(self, result: ResultFact, scope: Scope | None) -> None:
        """A result has been added."""

    def run_ended(self, run: RunView, abandoned: Sequence[Call]) -> None:
        """The run has ended; `abandoned` are copies of the calls that were open, as the record shows them."""

    def activate(self, call: Call | None) -> AbstractContextManager[object]:  # noqa: ARG002 - for subclasses
        """The context manager around the body of a call, or (None) of the flow itself; called for each step."""
        return nullcontext()

    def carry(self) -> Mapping[str, str]:
        """The mapping that travels with a call to a worker process, for `received`; called in the context of the call."""
        return {}

    @classmethod
    def received(cls, carried: Mapping[str, str]) -> Self:  # noqa: ARG003 - for subclasses
        """The sink for a call that a worker process runs. The class is found there by its name."""
        return cls()


SinkFactory = Callable[[RunStart], RunSink | None]
"""Makes the sink of a run that starts; None for a run without such a sink. Anything else is logged and left out."""

sink_factories: Final[list[SinkFactory]] = []
"""The factories that each run of this process calls at its start. Append and remove at any time."""
