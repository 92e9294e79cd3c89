"""An executor as somebody else would write it: one thread per call, and nothing else."""

import threading

from flowscope import Executor
from flowscope.executors import Submission

__all__ = ["ThreadPerCall"]


class ThreadPerCall(Executor):
    """Runs each call in a thread of its own, as many at once as there are calls."""

    name = "thread per call"

    def __init__(self) -> None:
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()

    @property
    def workers(self) -> int:
        """How many `map_tasks` takes it for."""
        return 4

    def start(self, submission: Submission, /) -> None:
        """Start a thread for it."""

        def run() -> None:
            submission.run()
            self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=run, name="one call", daemon=True)
        with self._lock:
            self._threads.add(thread)
        thread.start()

    def abandon(self, thread: threading.Thread) -> None:
        """Do not wait for it."""
        self._threads.discard(thread)

    def close(self, *, wait: bool = True) -> None:
        """Wait for the threads, but for the one that says so."""
        with self._lock:
            running = self._threads - {threading.current_thread()}
        for thread in running if wait else ():
            thread.join()
