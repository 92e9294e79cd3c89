"""Waiting for a stretch of a job, which ends with the wait if that is broken off."""

from ..job.state import JobState
from .job_run import Stretch

__all__ = ["awaited", "waited"]


def waited(stretch: Stretch) -> JobState:
    """Block until a stretch is over, and return its job.

    An interrupt of the wait cancels it, or pauses it, if it is saved while it runs: so that it can be resumed.
    """
    try:
        stretch.wait(None)
    except BaseException:
        stretch.interrupt("the wait was interrupted")
        raise
    return stretch.job


async def awaited(stretch: Stretch) -> JobState:
    """Like `waited`, while the event loop goes on."""
    try:
        await stretch.settled.wait()
    except BaseException:
        stretch.interrupt("the wait was cancelled")
        raise
    return stretch.job
