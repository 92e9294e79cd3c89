"""The work of a job that is not finished: activations that wait, run, or wait for another attempt."""

from collections.abc import Callable
from functools import partial
from typing import Final

from ...concurrency.background_loop import background_loop
from ...concurrency.event_loops import call_later
from ..job.activation import Activation, Stage
from .worker_threads import WorkerThreads

__all__ = ["Emitted", "Work"]

Emitted = list[tuple[str, dict[str, object]]]
"""Names of events and their messages."""
_RUNNING: Final = Stage.RUNNING
_DONE: Final = Stage.DONE


class Work:
    """What a job_run of a job has to do; used under the job's lock."""

    __slots__ = ("_enqueue", "_prevent", "_priority", "_workers", "unfinished")

    def __init__(self, workers: WorkerThreads, priority: int) -> None:
        self._workers = workers
        self._priority = priority
        self._enqueue = workers.enqueues(priority)
        self.unfinished: dict[int, Activation] = {}
        """All of it by number, the oldest first."""
        self._prevent: dict[int, Callable[[], None]] = {}
        """What prevents a further attempt that is waited for."""

    @property
    def running(self) -> list[Activation]:
        """Those whose handlers run."""
        return [one for one in self.unfinished.values() if one.stage is _RUNNING]

    def post(self, activation: Activation) -> None:
        """Let one that waits wait for a thread.

        Raises:
            RuntimeError: No thread can be started. Nothing waits then.
        """
        self.unfinished[activation.number] = activation
        self._enqueue(activation)
        if not self._workers.is_asked:
            try:
                self._workers.ask()
            except BaseException:
                self._workers.remove(activation, self._priority)
                self.unfinished.pop(activation.number, None)
                activation.stage = _DONE
                raise

    def finish(self, activation: Activation) -> None:
        """Let go of one whose handler is through, unless another attempt has its place."""
        activation.stage = _DONE
        if self.unfinished.get(activation.number) is activation:
            del self.unfinished[activation.number]

    def retry(self, activation: Activation, pause: float, post: Callable[[Activation], object]) -> None:
        """Let one wait so many seconds for another attempt."""
        activation.stage = Stage.RETRYING
        self.unfinished[activation.number] = activation
        self._prevent[activation.number] = call_later(background_loop(), pause, partial(post, activation))

    def pop_retry(self, activation: Activation) -> bool:
        """Whether one still has to be tried again; it waits for a thread then, to be posted."""
        if self._prevent.pop(activation.number, None) is None:
            return False
        activation.stage = Stage.WAITING
        return True

    def take(self) -> list[Activation]:
        """What waits, and waits no more, the oldest first."""
        taken = [one for one in self.unfinished.values() if one.stage is not _RUNNING]
        for prevent in self._prevent.values():
            prevent()
        self._prevent.clear()
        for one in taken:
            one.stage = _DONE
            del self.unfinished[one.number]
        return taken
