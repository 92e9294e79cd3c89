"""Jobs that a thread runs while it waits for them: on its stack, or in its event loop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from ...concurrency.latch import new_waiter, waker

__all__ = ["add_guest", "run_nested", "run_with_guests"]


class Guest(Protocol):
    """A submission that runs in the event loop of the one that waits for it."""

    def when_settled(self, callback: Callable[[], object]) -> None:
        """Call something when it has its value or error."""
        ...


class _NestedRuns(threading.local):
    """The submissions that are helped in this thread."""

    def __init__(self) -> None:
        self.depth = 0
        """How many are nested on the stack."""
        self.adopted: list[Guest] = []
        """Those in the event loop that runs here."""


_nested: Final = _NestedRuns()
_MAX_DEPTH: Final = 16


def run_nested(run: Callable[[], None]) -> None:
    """Run a submission on the stack of one that waits; deep down there it is left to another thread."""
    if _nested.depth < _MAX_DEPTH:
        _nested.depth += 1
        try:
            run()
        finally:
            _nested.depth -= 1


def add_guest(submission: Guest) -> None:
    """Note a submission that runs in the event loop of this thread."""
    _nested.adopted.append(submission)


async def run_with_guests(run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a submission to its end, and then those that were helped meanwhile: the end of this event loop is not theirs."""
    outer, _nested.adopted = _nested.adopted, []
    await run()
    while _nested.adopted:
        submission = _nested.adopted.pop()
        waiter = new_waiter()
        submission.when_settled(waker(waiter))
        await waiter
    _nested.adopted = outer
