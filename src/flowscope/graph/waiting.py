"""Waiting for a stretch of a job, which ends with the wait if that is broken off."""

from ..engine.loops import new_waiter, waker
from .state import JobState
from .stretch import Stretch

__all__ = ["awaited", "settled", "waited"]


def waited(stretch: Stretch) -> JobState:
    """Block until a stretch is over, and return its job; an interrupt of the wait cancels it."""
    try:
        stretch.wait(None)
    except BaseException:
        stretch.cancel("the wait was interrupted")
        raise
    return stretch.job


async def awaited(stretch: Stretch) -> JobState:
    """Like `waited`, while the event loop goes on."""
    try:
        await settled(stretch)
    except BaseException:
        stretch.cancel("the wait was cancelled")
        raise
    return stretch.job


async def settled(stretch: Stretch) -> None:
    """Return when a stretch is over."""
    waiter = new_waiter()
    stretch.when_settled(waker(waiter))
    await waiter
