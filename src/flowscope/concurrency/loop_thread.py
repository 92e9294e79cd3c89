"""An event loop in a thread of its own, for as long as it is needed."""

import threading

from .event_loops import run_in_new_loop, running_loop
from .latch import Latch

__all__ = ["LoopThread"]


class LoopThread:
    """An event loop that runs in a daemon thread until it is stopped."""

    __slots__ = ("_ready", "_stop", "_thread", "loop")

    def __init__(self, name: str) -> None:
        self.loop: object = None
        self._ready = Latch()
        self._stop = Latch()
        self._thread = threading.Thread(target=run_in_new_loop, args=(self._serve,), name=name, daemon=True)
        self._thread.start()
        self._ready.wait_blocking()

    async def _serve(self) -> None:
        self.loop = running_loop()
        self._ready.set()
        await self._stop.wait()

    def stop(self, seconds: float = 1.0) -> None:
        """Stop the loop, and wait for the end of its thread, at most so long."""
        self._stop.set()
        self._thread.join(seconds)
