"""An executor, as its submissions see it."""

import threading
from typing import Any, Protocol

__all__ = ["Place"]


class Place(Protocol):
    """An executor, as its submissions see it."""

    def go_on(self, submission: Any, /) -> None:
        """Go on with a submission that has turned out to be async, in the thread in which its function was called."""
        ...

    name: str
    """What records show."""

    def owns_current_thread(self) -> bool:
        """Whether this thread is one of those that waiting submissions wait for."""
        ...

    def abandon(self, thread: threading.Thread) -> None:
        """Do without a thread that goes on with a submission that was cancelled."""
        ...
