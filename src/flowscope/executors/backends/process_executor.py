"""Calls in worker processes that can be killed one by one."""

import os
import sys
from functools import partial
from typing import Final, Literal
from weakref import finalize

from ...concurrency.thread_pool import Pool, Worker
from ...errors import DefinitionError
from ..submission.executor import Executor
from ..submission.submission import Submission
from .thread_executor import checked_workers

__all__ = ["ProcessExecutor", "StartMethod"]

StartMethod = Literal["spawn", "forkserver"]

_IDLE_SECONDS: Final = 60.0
_METHODS: Final[tuple[StartMethod, ...]] = ("spawn",) if sys.platform == "win32" else ("forkserver", "spawn")


class ProcessExecutor(Executor):
    """Runs up to `max_workers` calls at once, each in a worker process.

    What a task logs, prints, records and finds comes to its flow as it happens. Its function has to be importable in
    the worker, and its arguments and value have to pickle. A worker is killed, and replaced, when its task passes its
    deadline or is cancelled; one that dies fails its task, and no other.

    Args:
        max_workers: None for the number of processors.
        start_method: How processes start; None takes "forkserver" where there is one, else "spawn". As with
            `multiprocessing`, the main module is imported in each worker: it has to start its flows below
            `if __name__ == "__main__":`.

    Raises:
        DefinitionError: `max_workers` is below 1, or there is no such start method here.
    """

    name = "process"
    remote = True

    def __init__(self, max_workers: int | None = None, *, start_method: StartMethod | None = None) -> None:
        method = start_method or _METHODS[0]
        if method not in _METHODS:
            raise DefinitionError("ProcessExecutor", f"start_method is {method!r}, wanted one of {_METHODS}.")
        size = checked_workers("ProcessExecutor", max_workers, os.cpu_count() or 1)
        self._pool: Pool[Submission] = Pool(
            size, "flowscope-process", partial(_make_worker, method), idle=_IDLE_SECONDS
        )
        finalize(self, self._pool.close, wait=False).atexit = False

    @property
    def workers(self) -> int:
        """How many calls it runs at once."""
        return self._pool.size

    def start(self, submission: Submission, /) -> None:
        """Take a call, and return at once."""
        self._pool.put(submission)

    def close(self, *, wait: bool = True) -> None:
        """Run what it has taken to the end, then let its processes go."""
        self._pool.close(wait=wait)


def _make_worker(method: StartMethod) -> Worker[Submission]:
    from ..remote.worker_process import WorkerProcess  # noqa: PLC0415 - multiprocessing takes a while to import

    return WorkerProcess(method)
