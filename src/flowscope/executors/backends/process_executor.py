"""Calls in worker processes that can be killed one by one."""

import math
import os
import sys
from functools import partial
from typing import Final, Literal
from weakref import finalize

from ...concurrency.thread_pool import Pool, Worker
from ...engine.definitions.options import is_number
from ...errors import DefinitionError
from ...serialization.json.json_leaves import safe_repr
from ..remote.interpreter_exit import refuse_at_exit
from ..submission.executor import Executor, Submission
from .thread_executor import checked_workers, refuse_submission

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
        start_timeout: Seconds from the start of a process until it has to be ready for work: its imports count. One
            that is late is killed, and its call fails with a `WorkerDiedError`; `math.inf` waits as long as it takes.

    Raises:
        DefinitionError: `max_workers` is no whole number or below 1, `start_timeout` is no number or not above 0, or
            there is no such start method here.
    """

    name = "process"
    remote = True

    def __init__(
        self,
        max_workers: int | None = None,
        *,
        start_method: StartMethod | None = None,
        start_timeout: float = 30.0,
    ) -> None:
        method = start_method or _METHODS[0]
        if method not in _METHODS:
            raise DefinitionError("ProcessExecutor", f"start_method is {method!r}, wanted one of {_METHODS}.")
        if not is_number(start_timeout) or math.isnan(start_timeout) or start_timeout <= 0:
            reason = f"start_timeout is {safe_repr(start_timeout)}, wanted seconds above 0, or math.inf for no limit."
            raise DefinitionError("ProcessExecutor", reason)
        size = checked_workers("ProcessExecutor", max_workers, os.cpu_count() or 1)
        make_worker = partial(_LazyWorker, method, start_timeout)
        self._pool: Pool[Submission] = Pool(
            size,
            "flowscope-process",
            make_worker,
            idle=_IDLE_SECONDS,
            refuse=refuse_submission,
        )
        finalize(self, self._pool.close, wait=False).atexit = False

    @property
    def workers(self) -> int:
        """How many calls it runs at once."""
        return self._pool.size

    def start(self, submission: Submission, /) -> None:
        """Take a call, and return at once.

        Raises:
            WorkerDiedError: The interpreter is leaving.
        """
        refuse_at_exit(submission.call.definition.name)
        self._pool.put(submission)

    def close(self, *, wait: bool = True) -> None:
        """Run what it has taken to the end, then let its processes go."""
        self._pool.close(wait=wait)


class _LazyWorker:
    """A thread's worker process, of which nothing is made before the first submission: whatever fails then fails that submission."""

    def __init__(self, method: StartMethod, start_timeout: float) -> None:
        self._method: StartMethod = method
        self._start_timeout = start_timeout
        self._worker: Worker[Submission] | None = None

    def run(self, submission: Submission) -> None:
        try:
            if self._worker is None:
                self._worker = self._new_worker()
        except BaseException as error:
            submission.refuse(error)
            return
        self._worker.run(submission)

    def _new_worker(self) -> Worker[Submission]:
        from ..remote.worker_process import WorkerProcess  # noqa: PLC0415 - multiprocessing takes a while to import

        return WorkerProcess(self._method, self._start_timeout)

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()
