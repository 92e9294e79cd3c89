"""The work of a job that is not finished: activations that wait, run, or wait for another attempt."""

from collections.abc import Callable
from functools import partial

from ...concurrency.background_loop import background_loop
from ...concurrency.event_loops import call_later
from ...concurrency.thread_pool import Pool
from ..job.activation import Activation

__all__ = ["Emitted", "Work"]

Emitted = list[tuple[str, dict[str, object]]]
"""Names of events and their messages."""


class Work:
    """What a job_run of a job has to do; used under the job's lock."""

    def __init__(self, workers: Pool[Activation]) -> None:
        self._workers = workers
        self._waiting: dict[Activation, None] = {}
        self._running: dict[Activation, Emitted] = {}
        """With what was emitted and is held back."""
        self._retrying: dict[Activation, Callable[[], None]] = {}
        """With what prevents the attempt."""

    @property
    def done(self) -> bool:
        """Whether there is none."""
        return not (self._waiting or self._running or self._retrying)

    @property
    def running(self) -> list[Activation]:
        """Those whose handlers run."""
        return list(self._running)

    def post(self, activation: Activation) -> None:
        """Let one wait for a thread.

        Raises:
            RuntimeError: No thread can be started. Nothing waits then.
        """
        self._workers.put(activation)
        self._waiting[activation] = None

    def start(self, activation: Activation) -> bool:
        """Whether one that had to wait still has to run; it runs then."""
        if activation not in self._waiting:
            return False
        del self._waiting[activation]
        self._running[activation] = []
        return True

    def runs(self, activation: Activation) -> bool:
        """Whether its handler is running."""
        return activation in self._running

    def hold_back(self, activation: Activation, event_name: str, data: dict[str, object]) -> None:
        """Keep what a handler emits until it is through."""
        self._running[activation].append((event_name, data))

    def held_back(self, activation: Activation) -> Emitted:
        """What it has emitted and was held back."""
        return self._running[activation]

    def finish(self, activation: Activation) -> None:
        """Let go of one whose handler is through."""
        del self._running[activation]

    def retry(self, activation: Activation, pause: float, post: Callable[[Activation], object]) -> None:
        """Let one wait so many seconds for another attempt."""
        self._retrying[activation] = call_later(background_loop(), pause, partial(post, activation))

    def retries(self, activation: Activation) -> bool:
        """Whether one still has to be tried again; it waits for that no more then."""
        return self._retrying.pop(activation, None) is not None

    def take(self) -> list[Activation]:
        """What waits, and waits no more, the oldest first."""
        taken = sorted([*self._waiting, *self._retrying], key=_number)
        for prevent in self._retrying.values():
            prevent()
        self._waiting.clear()
        self._retrying.clear()
        return taken

    def all(self) -> list[Activation]:
        """All of it, the oldest first."""
        return sorted([*self._running, *self._waiting, *self._retrying], key=_number)


def _number(activation: Activation) -> int:
    return activation.number
