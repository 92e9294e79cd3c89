"""The workers of a graph: one for jobs that run one activation at a time, several for the others."""

import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Final

from ...concurrency.thread_pool import Pool
from ..job.activation import Activation
from ..job.options import TaskPriority

__all__ = ["WorkerThreads", "new_worker_threads"]

_logger: Final = logging.getLogger("flowscope")


class WorkerThreads:
    """So many threads at most, which take activations by priority, and among equals first in, first out.

    A thread that has come goes on until nothing waits, so that an activation costs an append and a pop. The pool is asked
    for threads, and at most once at a time: whoever comes asks for the next one, if more is waiting.
    """

    def __init__(self, width: int) -> None:
        self._queues: tuple[deque[Activation], ...] = tuple(deque() for _ in TaskPriority)
        self.is_asked: bool = False
        """Whether a thread is to come that has not come yet."""
        self._lock = Lock()
        self._pool: Pool[WorkerThreads] = Pool(width, "flowscope-graph", _ThreadWorker, make_queue=self._renewed)

    def _renewed(self) -> "deque[WorkerThreads]":
        """What the pool keeps its requests in: a fresh one, also in a forked process, where nothing of a workers exists."""
        for queue in self._queues:
            queue.clear()
        self._lock = Lock()
        self.is_asked = False
        return deque()

    def enqueues(self, priority: int) -> Callable[[Activation], None]:
        """Takes activations of a priority. See to it afterwards that a thread is asked for."""
        return self._queues[priority - 1].append

    def remove(self, activation: Activation, priority: int) -> None:
        """Forget an activation, if no thread has come for it."""
        with suppress(ValueError):
            self._queues[priority - 1].remove(activation)

    def ask(self) -> None:
        """Ask for a thread, unless one is to come that has not come yet.

        Raises:
            RuntimeError: No thread can be started, and none is there.
        """
        with self._lock:
            if self.is_asked:
                return
            self.is_asked = True
            try:
                self._pool.put(self)
            except BaseException:
                self.is_asked = False
                raise

    def perform(self) -> None:
        """Take activations until none waits, or this thread is one too many."""
        self.is_asked = False
        while (activation := self.pop()) is not None:
            self._perform(activation)
            del activation  # it may hold much, and the wait for the next one may be long

    def _perform(self, activation: Activation) -> None:
        """Perform an activation, and those that are next, up to the end of a job."""
        upcoming: Activation | None = activation
        while upcoming is not None:
            runner = upcoming.carrier.runner
            if runner is None:
                return  # its job run is over
            try:
                upcoming = runner.perform(upcoming, self.pop)
            except BaseException:  # what a listener raises to end its thread does not end this one, which others need
                _logger.exception("the end of job %s could not be told", runner.job.job_id)
                return

    def pop(self) -> Activation | None:
        """The activation that goes next; None if none waits, or this thread is one too many."""
        high, normal, low = self._queues
        while high or normal or low:
            if self._pool.crowded:
                self._ask_if_possible()  # the thread that comes may be this one
                return None
            try:
                activation = (high or normal or low).popleft()
            except IndexError:
                continue  # another thread has taken it
            if not self.is_asked and (high or normal or low):
                self._ask_if_possible()
            return activation
        return None

    def _ask_if_possible(self) -> None:
        with suppress(RuntimeError):  # the system gives no more threads: this one does the work
            self.ask()

    def close(self) -> None:
        """Let all threads leave when nothing is waiting."""
        self._pool.close(wait=False)


class _ThreadWorker:
    """What a thread does when it has come."""

    def run(self, call: WorkerThreads) -> None:
        call.perform()

    def close(self) -> None: ...


def new_worker_threads(width: int) -> WorkerThreads:
    """So many threads at most, which take activations by priority."""
    return WorkerThreads(width)
