"""Waiting in the thread of a pool: the pool may have another thread at work meanwhile, so that no pool waits for itself."""

import threading
from contextvars import ContextVar
from typing import Final, Protocol

__all__ = ["Lender", "blocking", "lend_here", "work_in_pool"]


class Lender(Protocol):
    """The thread of a pool, as the code that runs in it sees it."""

    def begin_wait(self) -> None:
        """It waits, or somebody does on whom it waits."""
        ...

    def end_wait(self) -> None:
        """That wait is over."""
        ...


class _Here(threading.local):
    lender: Lender | None = None


_here: Final = _Here()
_lender: Final[ContextVar[Lender | None]] = ContextVar("flowscope_lender", default=None)
"""The thread of a pool that waits for this code, also where the code has gone on to another thread."""


def work_in_pool(lender: Lender) -> None:
    """Say that this thread is one of a pool."""
    _here.lender = lender


def lend_here() -> None:
    """Say that what runs in this context from now on runs in this thread."""
    _lender.set(_here.lender)


class blocking:  # noqa: N801 - used like a function
    """A block in which this code waits for what others do."""

    __slots__ = ("_lender",)

    def __enter__(self) -> None:
        self._lender = lender = _lender.get()
        if lender is not None:
            lender.begin_wait()

    def __exit__(self, *details: object) -> None:
        if self._lender is not None:
            self._lender.end_wait()
