"""Waiting for a job_run of a job, which ends with the wait if that is broken off."""

from ..job.state import JobState
from .job_run import JobRun

__all__ = ["awaited", "waited"]


def waited(job_run: JobRun) -> JobState:
    """Block until a job_run is over, and return its job.

    An interrupt of the wait cancels it, or pauses it, if it is saved while it runs: so that it can be resumed.
    """
    try:
        job_run.wait(None)
    except BaseException:
        job_run.interrupt("the wait was interrupted")
        raise
    return job_run.job


async def awaited(job_run: JobRun) -> JobState:
    """Like `waited`, while the event loop goes on."""
    try:
        await job_run.settled.wait()
    except BaseException:
        job_run.interrupt("the wait was cancelled")
        raise
    return job_run.job
