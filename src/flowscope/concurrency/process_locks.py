"""The locks of this process: each is held for a moment, never while users' code runs, and free in a forked child.

They are re-entrant, since the garbage collector may run a finaliser, and with it anything, at any moment.
"""

import threading
from typing import Final

from .fork import call_in_forked_children

__all__ = ["LOCKS"]


class _Locks:
    """One lock for each thing that is done one at a time."""

    __slots__ = ("installing", "making", "removing", "starting")

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Forget who held them: in a forked process those threads do not exist."""
        self.starting: threading.RLock = threading.RLock()
        """Starting a run of a flow object."""
        self.installing: threading.RLock = threading.RLock()
        """Installing and restoring standard streams."""
        self.making: threading.RLock = threading.RLock()
        """Making the parts of a run that are made when they are first needed."""
        self.removing: threading.RLock = threading.RLock()
        """Removing a listener."""


LOCKS: Final = _Locks()

call_in_forked_children(LOCKS.renew)
