"""Waiting for what others do, in whatever event loop or thread."""

import threading
from collections.abc import Callable
from math import inf
from typing import Any, Final

from .._clock import tick
from .event_loops import deadline_in, in_loop, running_loop

__all__ = ["Latch", "new_waiter", "wait_for", "waker"]


_SLICE: Final = 0.25
"""Seconds that the main thread waits at once: an interrupt in the moment before it blocks is noticed after that."""


class Latch:
    """Something that others wait for, in whatever event loop or thread they run.

    It has but a plain lock: an interrupt of a thread that is about to enter a `threading.Condition` may leave it locked.
    """

    __slots__ = ("_callbacks", "_done", "_lock")

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._callbacks: list[Callable[[], object]] = []
        self._done = False

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is done; whether it is, after so many seconds. Cancelling the wait cancels nothing else."""
        waiter = new_waiter()
        self._when_done(waker(waiter))
        if seconds is None:
            await waiter
            return True
        try:
            async with deadline_in(seconds):
                await waiter
        except TimeoutError:
            return self._done
        return True

    def wait_blocking(self, timeout: float | None = None) -> bool:
        """Block this thread until it is done; whether it is, after so many seconds."""
        return self._done or wait_for(self._when_done, timeout)

    @property
    def is_set(self) -> bool:
        """Whether it is done."""
        return self._done

    def _when_done(self, callback: Callable[[], object]) -> None:
        with self._lock:
            if not self._done:
                self._callbacks.append(callback)
                return
        callback()

    def set(self) -> None:
        """Wake those who wait."""
        with self._lock:
            self._done = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()


def wait_for(when_done: Callable[[Callable[[], object]], None], timeout: float | None) -> bool:
    """Block this thread until `when_done` calls back; whether it has, after so many seconds."""
    waiter = threading.Lock()
    waiter.acquire()
    when_done(waiter.release)
    longest = _SLICE if threading.current_thread() is threading.main_thread() else threading.TIMEOUT_MAX
    ends = inf if timeout is None else tick() + timeout * 1e9
    while not waiter.acquire(timeout=min(max((ends - tick()) / 1e9, 0.0), longest)):
        if tick() >= ends:
            return False
    return True


def new_waiter() -> Any:
    """A future of the running loop."""
    loop: Any = running_loop()
    return loop.create_future()


def waker(waiter: Any) -> Callable[[], None]:
    """A callback, for any thread, that ends the wait for an asyncio future."""
    loop = waiter.get_loop()

    def set_done() -> None:
        if not waiter.done():
            waiter.set_result(None)

    def wake() -> None:
        if running_loop() is loop:
            set_done()
        else:
            in_loop(loop, set_done)

    return wake
