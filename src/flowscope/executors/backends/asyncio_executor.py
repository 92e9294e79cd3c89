"""Calls in an event loop: that of the flow, or a background loop for those who cannot await."""

import threading
from functools import partial
from typing import Final

from ...concurrency.background_loop import background_loop
from ...concurrency.event_loops import running_loop
from ...engine.run.run import Run
from ...engine.scope.call import Call
from ..submission.executor import Executor, Submission
from .thread_executor import ThreadExecutor

__all__ = ["AsyncioExecutor"]

_IN_FLIGHT: Final = 100


class AsyncioExecutor(Executor):
    """Runs async functions as asyncio tasks, and sync ones in threads, as `asyncio.to_thread` does.

    An async function that is submitted by an async flow, or by one of its async tasks, runs in the event loop of that
    flow; from anywhere else, in a background loop that this library owns, in a thread of its own.
    """

    name = "asyncio"

    def __init__(self) -> None:
        self._threads = ThreadExecutor()
        self._open: set[Submission] = set()
        """What it runs in event loops."""

    @property
    def workers(self) -> int:
        """How many calls it runs at once: without a limit of its own."""
        return _IN_FLIGHT

    @property
    def in_flight(self) -> int:
        """How many calls `map_tasks` keeps submitted ahead."""
        return _IN_FLIGHT

    def start(self, submission: Submission, /) -> None:
        """Take a call, and return at once."""
        if submission.is_async:
            self._open.add(submission)
            submission.when_settled(partial(self._open.discard, submission))
            submission.run_in(_loop_for(submission))
        else:
            self._threads.start(submission)

    def go_on(self, submission: Submission) -> None:
        """Let a coroutine that a sync function has returned go on in the event loop of an async one."""
        self.start(submission)

    def owns_current_thread(self) -> bool:
        """Whether this thread is one of those that sync functions wait for."""
        return self._threads.owns_current_thread()

    def abandon(self, thread: threading.Thread) -> None:
        """Replace a thread that goes on with a submission that was cancelled."""
        self._threads.abandon(thread)

    def close(self, *, wait: bool = True) -> None:
        """Run what it has taken to the end; what runs in the event loop of this very thread is not waited for."""
        self._threads.close(wait=wait)
        here = running_loop()
        for submission in tuple(self._open) if wait else ():
            if here is None or submission.loop is not here:
                submission.wait(None)


def _loop_for(submission: Submission) -> object:
    """The submitter's loop if the flow and the submitter can await what runs there, else the background loop."""
    run: Run | None = submission.call.handle.run
    loop = submission.home
    submitter = submission.call.parent
    awaits = submitter.definition.kind.awaits if isinstance(submitter, Call) else True
    return loop if loop is not None and run is not None and loop is run.loop and awaits else background_loop()
