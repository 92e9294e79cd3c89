"""What is known of a job: all of it goes into a file, and an unfinished job goes on from there, on any graph_port."""

from collections.abc import Generator, Iterable
from copy import copy, deepcopy
from datetime import datetime
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from ..._clock import new_token, now
from ...concurrency.latch import Latch
from ...errors import GraphError
from ...model.records import FlowRun
from ...model.status import RunStatus
from ...serialization.error_info import ErrorInfo
from .job_file import write_atomically
from .job_log import LOG_FIELDS, JobLog
from .job_reading import read_job
from .job_records import (
    DeferredEvent,
    Exact,
    ExecutionRecord,
    MergeState,
    PausePoint,
    PendingActivation,
    RoutineState,
    RoutineStatus,
)
from .joined_record import joined
from .options import FINAL, ExecutionStrategy, TaskPriority
from .performance import Measure, Performance, performance_of

__all__ = [
    "DeferredEvent",
    "ExecutionRecord",
    "JobState",
    "Measure",
    "MergeState",
    "PausePoint",
    "PendingActivation",
    "Performance",
    "RoutineState",
    "RoutineStatus",
]

_STRICT = ConfigDict(extra="forbid")


class LiveJob(Protocol):
    """A job while it runs, or has run in this process."""

    settled: Latch
    """Done when it runs no more."""

    def record(self) -> FlowRun[Any]:
        """The record of the present job_run."""
        ...

    def snapshot(self, finished_runs: list[FlowRun[Any]], record: FlowRun[Any]) -> dict[str, Any]:
        """The fields of the job, which has those earlier records and this one, if unfinished work counts as pending."""
        ...


class JobState(BaseModel):  # noqa: PLW1641 - it changes, so it has no hash
    """One execution of a graph: live while it runs, and a file that another process can go on from.

    Its fields are changed by the graph; from outside and from handlers, use its methods.
    """

    model_config: ClassVar[ConfigDict] = _STRICT

    version: Literal[1] = 1
    flow_id: str
    """The graph's."""
    job_id: str = Field(default_factory=lambda: f"job-{new_token()}")
    status: RunStatus = RunStatus.PENDING
    current_routine_id: str | None = None
    """The routine that started last."""
    routine_states: dict[str, RoutineState] = {}
    execution_history: list[ExecutionRecord] = []
    pause_points: list[PausePoint] = []
    pending_activations: list[PendingActivation] = []
    """Kept work: of a paused job, what its resumption begins with; of a failed or cancelled one, what was dropped."""
    deferred_events: list[DeferredEvent] = []
    shared_data: Exact = {}
    shared_log: list[Exact] = []
    created_at: datetime = Field(default_factory=now)
    updated_at: datetime = Field(default_factory=now)
    error: ErrorInfo | None = None
    """What the job failed with; of a cancelled one the reason, of a late one its limit."""
    execution_strategy: ExecutionStrategy = "sequential"
    priority: TaskPriority = TaskPriority.NORMAL
    remaining_time: Annotated[float, Field(ge=0)] | None = None
    """Seconds that the job has left when it starts or is resumed; None is no limit."""
    merges: list[MergeState] = []
    measures: dict[str, Measure] = {}
    """By routine id."""
    finished_runs: list[FlowRun[Any]] = []
    """The records of the job up to its latest pause."""

    checksum: str | None = Field(default=None, exclude=True)
    """Of the file that it is in; None outside one."""

    _job_log: JobLog | None = PrivateAttr(default=None)
    """Has the place of some fields, from when the job has begun."""
    _live: "LiveJob | None" = PrivateAttr(default=None)
    _lock: Any = PrivateAttr(default_factory=RLock)

    if not TYPE_CHECKING:  # else any name would pass as an attribute

        def __getattr__(self, name: str) -> Any:
            """What is only made when it is read: nothing else is missing from the fields of a job."""
            if name in LOG_FIELDS and self._job_log is not None:
                with self._lock:
                    return self._job_log.value_of(name)
            return super().__getattr__(name)

    def __iter__(self) -> Generator[tuple[str, Any]]:
        """All fields."""
        for name in type(self).model_fields:
            yield name, getattr(self, name)

    def _own_log(self) -> JobLog:
        """What the job is noted in, under its lock; from now on, it has the place of those fields."""
        if self._job_log is None:
            fields = vars(self)
            self._job_log = JobLog(fields)
            for name in LOG_FIELDS:
                del fields[name]
        return self._job_log

    @property
    def flow_run(self) -> FlowRun[Any]:
        """The record of the job: its activations are tasks named `<routine_id>.<slot>`."""
        present = [] if self._live is None else [self._live.record()]
        return joined(self.job_id, self.flow_id, self.status, self.error, [*self.finished_runs, *present])

    @property
    def undelivered(self) -> list[tuple[str, str, list[Any]]]:
        """Of a job that has ended: the messages that waited for more, by routine id and slot; empty before."""
        if self.status not in FINAL:
            return []
        waiting = [one for one in self.merges if one.gathered and one.data.get("items")]
        return [(one.routine_id, one.slot, one.data["items"]) for one in waiting]

    def save(self, path: str | Path) -> Path:
        """Write the job to a file, at any moment, all or nothing; folders are made.

        What runs at that moment is saved as pending: it runs again where the file is resumed, and emits again what it had
        emitted, unless the job is saved while it runs (`save_to`).

        Raises:
            GraphError: A message or shared value would not come back as what it is.
        """
        with self._lock:  # until it is in place, for an older state must not replace a newer one
            return write_atomically(Path(path), self)

    @model_serializer(mode="wrap")
    def _serialized(self, write: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def] # noqa: ANN202 - it would replace the JSON Schema
        """All that is known at one moment; what runs at that moment as pending."""
        with self._lock:
            return write(self._at_rest())

    def _at_rest(self, record: FlowRun[Any] | None = None) -> Self:
        """The same without its live side; to be called under the lock. `record` is that of the present run, if it is known."""
        fields = {name: copy(value) for name, value in self}
        live = self._live
        changes = {} if live is None else live.snapshot(self.finished_runs, record or live.record())
        return self.model_construct(self.model_fields_set, **fields | changes)

    def __eq__(self, other: object) -> bool:
        """Whether all fields are equal, at this moment; a job that runs here may equal one from a file."""
        if not isinstance(other, JobState):
            return NotImplemented
        return self is other or self._known() == other._known()

    def _known(self) -> dict[str, Any]:
        with self._lock:
            return dict(self._at_rest())

    def __repr_args__(self) -> Iterable[tuple[str, object]]:
        """What tells it from others; the whole may be long."""
        return [(name, getattr(self, name)) for name in ("flow_id", "job_id", "status", "current_routine_id", "error")]

    def __getstate__(self) -> dict[Any, Any]:
        with self._lock:
            return {**BaseModel.__getstate__(self._at_rest()), "__pydantic_private__": None}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        self.model_post_init(None)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        made = type(self).__new__(type(self))
        made.__setstate__(deepcopy(self.__getstate__(), memo))
        return made

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a job from a file.

        Raises:
            OSError: There is no such file, or it cannot be read.
            GraphError: It is not the file of a job, or of another version.
        """
        return read_job(cls, Path(path))

    def update_shared_data(self, key: str, value: Any) -> None:
        """Set a value that all handlers of the job share."""
        with self._lock:
            self.shared_data[key] = value

    def get_shared_data(self, key: str, default: Any = None) -> Any:
        """A value that all handlers of the job share."""
        with self._lock:
            return self.shared_data.get(key, default)

    def append_to_shared_log(self, entry: dict[str, Any]) -> None:
        """Add an entry, with its time as `timestamp`, to the log that all handlers of the job share.

        Raises:
            GraphError: It is not a dictionary.
        """
        if not isinstance(entry, dict):  # pyright: ignore[reportUnnecessaryIsInstance] # for those who do not check types
            raise GraphError(f"an entry of the shared log is {entry!r}, wanted a dictionary.")
        with self._lock:
            self.shared_log.append({"timestamp": now(), **entry})

    def get_execution_history(self, routine_id: str | None = None) -> list[ExecutionRecord]:
        """What has happened, of one routine or (None) of all, the oldest first."""
        with self._lock:
            return [one for one in self.execution_history if routine_id is None or one.routine_id == routine_id]

    def add_deferred_event(self, routine_id: str, event_name: str, data: dict[str, Any]) -> None:
        """Keep an event that is emitted when the job is resumed."""
        with self._lock:
            self.deferred_events.append(DeferredEvent(routine_id=routine_id, event_name=event_name, data=dict(data)))

    def performance(self, routine_id: str | None = None) -> Performance | None:
        """How the activations went, of one routine or (None) of all; None if there has been none."""
        with self._lock:
            chosen = self.measures.values() if routine_id is None else [self.measures.get(routine_id, Measure())]
            return performance_of(chosen)
