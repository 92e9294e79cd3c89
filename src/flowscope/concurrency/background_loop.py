"""The event loop that this library owns: it runs in a daemon thread, from its first use to the interpreter's end."""

import atexit
import threading
from typing import Final

from .event_loops import start_loop_in_thread, stop_loop_in_thread
from .fork import call_in_forked_children

__all__ = ["background_loop"]


class _Background:
    """An event loop in a daemon thread, started when it is first needed."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Forget the loop: in a forked process its thread does not exist."""
        self._lock = threading.Lock()
        self._loop: object = None

    def loop(self) -> object:
        """The loop, which runs until the interpreter ends."""
        with self._lock:
            if self._loop is None:
                self._loop = start_loop_in_thread("flowscope-loop")
            return self._loop

    def stop(self) -> None:
        """Stop the loop, for the interpreter leaves."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            stop_loop_in_thread(loop)


_background: Final = _Background()
atexit.register(_background.stop)


def background_loop() -> object:
    """The event loop that this library owns, in a daemon thread."""
    return _background.loop()


call_in_forked_children(_background.renew)
