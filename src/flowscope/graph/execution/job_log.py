"""What a job has been through: its history, and how its routines did."""

from typing import Any, Final

from ..._clock import now
from ...concurrency.event_loops import cancelled_error
from ...model.status import RunStatus
from ...serialization.error_info import ErrorInfo
from ...serialization.exception_snapshot import Failure
from ...serialization.fast_construct import construct_trusted
from ..job.state import ExecutionRecord, JobState, Measure, RoutineState, RoutineStatus

__all__ = ["JobLog"]

_RECORD_FIELDS: Final = set(ExecutionRecord.model_fields)
_STATE_FIELDS: Final = set(RoutineState.model_fields)


class JobLog:
    """Writes into a job, under its lock."""

    def __init__(self, job: JobState) -> None:
        self._job = job
        self._history = job.execution_history
        self._states = job.routine_states
        self._measures = job.measures

    def change(self, status: RunStatus) -> None:
        """Set the status."""
        self._job.status = status
        self._job.updated_at = now()

    def cancelled(self, reason: str) -> None:
        """Note that the job is not wanted any more."""
        self.note("", RunStatus.CANCELLED.value, {"reason": reason})
        self._job.error = Failure(cancelled_error(reason or "cancelled")).info()

    def timed_out(self, limit: float | None) -> None:
        """Note that the job has not ended within so many seconds."""
        self.note("", RunStatus.TIMED_OUT.value, {"timeout": limit})
        late = TimeoutError(f"job {self._job.job_id!r} did not end within {limit or 0:g} s")
        self._job.error = Failure(late).info()

    def note(self, routine_id: str, event_name: str, data: dict[str, Any]) -> None:
        """Add to the history."""
        record = construct_trusted(
            ExecutionRecord,
            _RECORD_FIELDS,
            routine_id=routine_id,
            event_name=event_name,
            data=data,
            timestamp=now(),
        )
        self._history.append(record)

    def set_state(
        self, routine_id: str, status: RoutineStatus, error: ErrorInfo | None = None, *, retries: int = 0
    ) -> None:
        """Set the state of a routine, with so many extra attempts more."""
        before = self._states.get(routine_id)
        self._states[routine_id] = construct_trusted(
            RoutineState,
            _STATE_FIELDS,
            status=status,
            error=error,
            retry_count=retries if before is None else before.retry_count + retries,
            updated_at=now(),
        )

    def measure(self, routine_id: str, spent: float, *, failed: bool) -> None:
        """Count an activation."""
        measure = self._measures.get(routine_id)
        if measure is None:
            measure = self._measures[routine_id] = Measure()
        measure.add(spent, failed=failed)
