"""The signals that ask the command to end: SIGINT (Ctrl-C), SIGTERM, and SIGHUP of a terminal that is closed."""

import _thread
import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Final, Self

from ..concurrency.event_loops import running_loop
from .output.streams import show_cursor

__all__ = ["Interrupts"]

_SECONDS_BETWEEN: Final = 0.25
_FURTHER_INTERRUPTS: Final = 3
"""The interrupts that follow a second termination by themselves, before the process ends without a record."""

_TERMINATIONS: Final = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interrupts:
    """A block in which SIGTERM and SIGHUP interrupt the flow as Ctrl-C does.

    A second one ends the process within a second, also if the code that runs ignores it, and waits for no thread.
    What the process was told to ignore (`nohup`) is still ignored. Outside the main thread, which alone receives
    signals, nothing is changed.
    """

    def __init__(self) -> None:
        self.came: bool = False
        """Whether SIGTERM or SIGHUP has interrupted the flow."""
        self._number: int = signal.SIGINT
        self._held: int | None = None
        """How many signals have come since `hold`; None before it."""
        self._previous: dict[int, Any] = {}
        self._is_ending = False
        """Whether a second termination has come before `hold`."""
        self._ended = threading.Event()
        """Set when the outcome has been told."""

    @property
    def exit_code(self) -> int:
        """The exit code of a command that was interrupted: 128 and the number of the signal."""
        return 128 + self._number

    @property
    def is_final(self) -> bool:
        """Whether a second signal has come after `hold`."""
        return (self._held or 0) > 1

    def check(self) -> None:
        """Interrupt the command, if code that was to be imported has ignored SIGTERM or SIGHUP.

        Raises:
            KeyboardInterrupt: One has come.
        """
        if self.came:
            raise KeyboardInterrupt

    def hold(self) -> None:
        """From now on let one signal pass: an outcome is being written. The second one interrupts that too."""
        if self._held is None:
            self._held = 0
            for number in (signal.SIGINT, *_TERMINATIONS):
                self._handle(number, self._hold_one)

    def __enter__(self) -> Self:
        for number in _TERMINATIONS:
            self._handle(number, self._interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, handler: Callable[[int, FrameType | None], None]) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        found = signal.getsignal(number)
        if found is not signal.SIG_IGN and found is not None:  # None: it was not set by Python
            self._previous.setdefault(number, found)
            signal.signal(number, handler)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        """Do what Ctrl-C does now: an event loop, for one, handles it by cancelling its main task."""
        again, self.came, self._number = self.came, True, number
        if again and not self._is_ending:
            self._is_ending = True
            # A thread of `threading` takes locks, which the interrupted code may hold.
            _thread.start_new_thread(self._end_soon, ())
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler):
            handler(signal.SIGINT, frame)
        elif again or not _try_cancel_tasks():  # Ctrl-C is ignored, as in what a shell script runs in the background
            raise KeyboardInterrupt

    def _end_soon(self) -> None:
        """Interrupt the code that still runs, then end the process; an outcome that is being written is waited for."""
        for _ in range(_FURTHER_INTERRUPTS):
            if self._ended.wait(_SECONDS_BETWEEN) or self._held is not None:
                break
            os.kill(os.getpid(), self._number)
        while not self._ended.wait(_SECONDS_BETWEEN) and self._held is not None:
            pass
        if self._ended.is_set():
            time.sleep(_SECONDS_BETWEEN)
        show_cursor()
        os._exit(self.exit_code)

    def _hold_one(self, number: int, _: FrameType | None) -> None:
        self._held = (self._held or 0) + 1
        if self.is_final:
            self._number = number
            raise KeyboardInterrupt


def _try_cancel_tasks() -> bool:
    """Cancel the tasks of the event loop that is running here; false if none is."""
    loop: Any = running_loop()
    if loop is None:
        return False
    for task in asyncio.all_tasks(loop):
        loop.call_soon_threadsafe(task.cancel)
    return True
