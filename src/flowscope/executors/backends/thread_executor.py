"""Calls in threads of this process."""

import os
import threading
from weakref import finalize

from ...concurrency.thread_pool import Pool
from ...engine.definitions.options import whole_number
from ...errors import DefinitionError
from ...serialization.json.json_leaves import safe_repr
from ..submission.executor import Executor, Submission

__all__ = ["ThreadExecutor", "checked_workers", "default_threads", "refuse_submission"]


class ThreadExecutor(Executor):
    """Runs up to `max_workers` calls at once, each in a thread, with the caller's context variables.

    An async function gets an event loop of its own. A call that is cancelled, or passes its deadline, goes on in a
    thread that is left behind and replaced, for a thread cannot be stopped.

    Args:
        max_workers: None for four more than there are processors, at most 32.

    Raises:
        DefinitionError: `max_workers` is no whole number, or below 1.
    """

    name = "thread"

    def __init__(self, max_workers: int | None = None) -> None:
        size = checked_workers("ThreadExecutor", max_workers, default_threads())
        self._pool: Pool[Submission] = Pool(size, "flowscope-thread", _ThreadWorker, refuse=refuse_submission)
        finalize(self, self._pool.close, wait=False).atexit = False

    @property
    def workers(self) -> int:
        """How many calls it runs at once."""
        return self._pool.size

    def start(self, submission: Submission, /) -> None:
        """Take a call, and return at once."""
        self._pool.put(submission)

    def owns_current_thread(self) -> bool:
        """Whether this thread is one of its own."""
        return self._pool.owns_current_thread()

    def abandon(self, thread: threading.Thread) -> None:
        """Replace a thread that goes on with a submission that was cancelled."""
        self._pool.abandon(thread)

    def close(self, *, wait: bool = True) -> None:
        """Run what it has taken to the end, then let its threads go."""
        self._pool.close(wait=wait)


class _ThreadWorker:
    """A worker that needs nothing but its thread."""

    def run(self, submission: Submission) -> None:
        submission.run()

    def close(self) -> None: ...


def refuse_submission(submission: Submission, error: BaseException) -> None:
    """Let a submission fail before its start."""
    submission.refuse(error)


def default_threads() -> int:
    """How many threads there are at once, if nobody says: four more than processors, at most 32."""
    return min(32, (os.cpu_count() or 1) + 4)


def checked_workers(what: str, wanted: object, default: int) -> int:
    """How many workers an executor has.

    Raises:
        DefinitionError: It wants no whole number, or less than one.
    """
    if wanted is None:
        return default
    size = whole_number(wanted)
    if size is None or size < 1:
        raise DefinitionError(
            what, f"max_workers is {safe_repr(wanted)}, wanted a whole number of at least 1, or None."
        )
    return size
