"""Outcomes of flows: those of their runs, and those that are forced from outside."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from ..._clock import anchor, tick, wall_time
from ...engine.live import Flow
from ...errors import CoordinationError, NotExecutedError
from ...model.records import FlowRun, TaskRun
from ...model.status import RunStatus
from ...serialization.error_info import ErrorInfo
from ...serialization.exception_snapshot import Failure
from ...serialization.json.json_leaves import clean_text

__all__ = ["ENDED", "ForcedOutcome", "Outcome", "broken_off", "ended", "never_run", "not_started"]

ENDED: Final = frozenset(RunStatus) - {RunStatus.PENDING, RunStatus.RUNNING, RunStatus.PAUSED}


@dataclass(frozen=True, slots=True)
class ForcedOutcome:
    """The outcome of a flow that does not come to its own end."""

    status: RunStatus
    error: ErrorInfo

    @classmethod
    def failed(cls, reason: str) -> "ForcedOutcome":
        """A failure that is declared from outside."""
        return cls(RunStatus.FAILED, _error_info(CoordinationError.__module__, CoordinationError.__name__, reason))

    @classmethod
    def cancelled(cls, reason: str) -> "ForcedOutcome":
        """A cancellation."""
        return cls(RunStatus.CANCELLED, _error_info("asyncio.exceptions", "CancelledError", reason or "cancelled"))

    @classmethod
    def timed_out(cls, flow_name: str, timeout: float) -> "ForcedOutcome":
        """An execution that has passed its deadline."""
        reason = f"flow {flow_name!r} did not end within {timeout:g} s"
        return cls(RunStatus.TIMED_OUT, _error_info("builtins", TimeoutError.__name__, reason))

    @classmethod
    def raised(cls, error: BaseException) -> "ForcedOutcome":
        """Running it has raised something that is not the outcome of its function."""
        status = RunStatus.FAILED if isinstance(error, Exception) else RunStatus.CANCELLED
        return cls(status, Failure(error).info())

    def on(self, record: FlowRun) -> FlowRun:
        """The record with this outcome."""
        return record.model_copy(update={"status": self.status, "error": self.error, "return_value": None})


def _error_info(module: str, name: str, reason: str) -> ErrorInfo:
    message = clean_text(str(reason))
    shown = name if module == "builtins" else f"{module}.{name}"
    return ErrorInfo(type=name, module=module, message=message, traceback=f"{shown}: {message}\n")


class Outcome:
    """The final state of a flow: status, value and record."""

    __slots__ = ("_make", "_record", "interrupt", "status", "value")

    def __init__(
        self,
        status: RunStatus,
        make_record: Callable[[], FlowRun],
        value: object = None,
        interrupt: BaseException | None = None,
    ) -> None:
        self.status: RunStatus = status
        self.value: object = value
        """What its function returned, as the very object if it ran in this process."""
        self.interrupt: BaseException | None = interrupt
        """The `KeyboardInterrupt` that ended it and goes on to the caller."""
        self._make = make_record
        self._record: FlowRun | None = None

    @property
    def record(self) -> FlowRun:
        """The record; made when it is first asked for, where the flow has not run."""
        if self._record is None:
            self._record = self._make()
        return self._record

    def under(self, forced: ForcedOutcome) -> "Outcome":
        """This outcome, overruled by a forced one."""
        return Outcome(forced.status, lambda: forced.on(self.record), None, self.interrupt)


def ended(flow: Flow[Any], error: BaseException | None) -> Outcome:
    """The outcome of an execution that has come to its end; `error` is what it raised."""
    if flow.status not in ENDED:
        return not_started(flow, error or NotExecutedError(flow.flow_name, flow.status))
    if isinstance(error, Exception) and not _is_own(flow, error):
        return not_started(flow, error)
    record = flow.flow_run
    return Outcome(record.status, lambda: record, flow.return_value if flow.succeeded else None)


def _is_own(flow: Flow[Any], error: Exception) -> bool:
    """Whether the flow's function raised it; a coroutine turns a `StopIteration` into a RuntimeError."""
    raised = flow.flow_error
    return raised is not None and (raised is error or raised is error.__cause__)


def not_started(flow: Flow[Any], error: BaseException) -> Outcome:
    """The outcome of an execution that was refused: there is no run of it."""
    return never_run(flow.flow_id, flow, ForcedOutcome.raised(error))


def never_run(flow_id: str, flow: Flow[Any], forced: ForcedOutcome) -> Outcome:
    """The outcome of a flow that was not run."""
    return Outcome(forced.status, partial(_unused_record, flow_id, flow, forced))


def _unused_record(flow_id: str, flow: Flow[Any], forced: ForcedOutcome) -> FlowRun:
    known = flow.flow_run
    blank: FlowRun[Any] = FlowRun.model_construct(
        flow_id=flow_id,
        flow_name=known.flow_name,
        status=RunStatus.PENDING,
        config=known.config,
        params=known.params,
        tags=known.tags,
    )
    return forced.on(blank)


def broken_off(flow: Flow[Any]) -> Outcome:
    """The outcome of an execution that was cancelled, and that may still be going on: as it is now, and final."""
    forced = ForcedOutcome.cancelled("")
    record = flow.flow_run
    if record.status is RunStatus.PENDING:
        return never_run(flow.flow_id, flow, forced)
    if record.status in ENDED:
        return Outcome(record.status, lambda: record, flow.return_value if flow.succeeded else None)
    now = wall_time(tick(), anchor())
    update = {"end_time": now, "tasks": [_abandoned(task, now) for task in record.tasks]}
    stopped = forced.on(record.model_copy(update=update))
    return Outcome(stopped.status, lambda: stopped)


def _abandoned(task: TaskRun, now: object) -> TaskRun:
    """A task's record; one that is still open is ended."""
    if task.end_time is not None:
        return task
    return task.model_copy(update={"status": RunStatus.ABANDONED, "end_time": now})
