"""How the status of a job changes, and what is noted then; under its lock."""

from typing import Any

from ..._clock import now
from ...concurrency.event_loops import cancelled_error
from ...model.status import RunStatus
from ...serialization.exception_snapshot import Failure
from ..job.job_log import JobLog
from ..job.state import JobState

__all__ = ["change_status", "note_cancellation", "note_timeout", "own_job_log"]


def own_job_log(job: JobState) -> JobLog:
    """What the job is noted in."""
    return job._own_log()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # the live side of one job


def change_status(job: JobState, status: RunStatus) -> None:
    """Set the status."""
    job.status = status
    job.updated_at = now()


def note_cancellation(job: JobState, reason: str) -> None:
    """Note that the job is not wanted any more."""
    _note(job, RunStatus.CANCELLED, {"reason": reason})
    job.error = Failure(cancelled_error(reason or "cancelled")).info()


def note_timeout(job: JobState, limit: float | None) -> None:
    """Note that the job has not ended within so many seconds."""
    _note(job, RunStatus.TIMED_OUT, {"timeout": limit})
    job.error = Failure(TimeoutError(f"job {job.job_id!r} did not end within {limit or 0:g} s")).info()


def _note(job: JobState, status: RunStatus, data: dict[str, Any]) -> None:
    own_job_log(job).note("", status.value, data)
