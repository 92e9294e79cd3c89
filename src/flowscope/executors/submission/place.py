"""An executor, as its jobs see it."""

import threading
from typing import Protocol

__all__ = ["Place"]


class Place(Protocol):
    """An executor, as its jobs see it."""

    name: str
    """What records show."""

    def holds(self) -> bool:
        """Whether this thread is one of those that waiting jobs wait for."""
        ...

    def leave_behind(self, thread: threading.Thread) -> None:
        """Do without a thread that goes on with a job that was cancelled."""
        ...
