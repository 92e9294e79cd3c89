"""Work stealing: submissions that a thread runs while it waits, on its stack or in its event loop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from ...concurrency.latch import new_waiter, waker

__all__ = ["add_nested", "run_nested", "run_with_nested"]


class NestedSubmission(Protocol):
    """A submission that runs in the event loop of the one that waits for it."""

    def when_settled(self, callback: Callable[[], object]) -> None:
        """Call something when it has its value or error."""
        ...


class _NestedRuns(threading.local):
    """The submissions that this thread runs while it waits."""

    def __init__(self) -> None:
        self.depth = 0
        """The number of those on the stack."""
        self.in_loop: list[NestedSubmission] = []
        """Those in the event loop that runs here."""


_nested: Final = _NestedRuns()
_MAX_DEPTH: Final = 16


def run_nested(run: Callable[[], None]) -> None:
    """Run a submission on the stack of one that waits; beyond a depth another thread runs it."""
    if _nested.depth < _MAX_DEPTH:
        _nested.depth += 1
        try:
            run()
        finally:
            _nested.depth -= 1


def add_nested(submission: NestedSubmission) -> None:
    """Note a submission that runs in the event loop of this thread."""
    _nested.in_loop.append(submission)


async def run_with_nested(run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a submission to its end, then wait for those that began in its event loop, which closes afterwards."""
    outer, _nested.in_loop = _nested.in_loop, []
    await run()
    while _nested.in_loop:
        submission = _nested.in_loop.pop()
        waiter = new_waiter()
        submission.when_settled(waker(waiter))
        await waiter
    _nested.in_loop = outer
