"""Waiting in the thread of a pool: the pool may have another thread at work meanwhile, so that no pool waits for itself."""

import threading
from contextvars import ContextVar
from typing import Final, Protocol

__all__ = ["BlockedThread", "bind_pool_thread", "blocking_section", "register_pool_thread"]


class BlockedThread(Protocol):
    """The thread of a pool, as the code that runs in it sees it."""

    def begin_wait(self) -> None:
        """It waits, or somebody does on whom it waits."""
        ...

    def end_wait(self) -> None:
        """That wait is over."""
        ...


class _Here(threading.local):
    pool_thread: BlockedThread | None = None


_here: Final = _Here()
_pool_thread: Final[ContextVar[BlockedThread | None]] = ContextVar("flowscope_lender", default=None)
"""The thread of a pool that waits for this code, also where the code has gone on to another thread."""


def register_pool_thread(pool_thread: BlockedThread) -> None:
    """Say that this thread is one of a pool."""
    _here.pool_thread = pool_thread


def bind_pool_thread() -> None:
    """Say that what runs in this context from now on runs in this thread."""
    _pool_thread.set(_here.pool_thread)


class blocking_section:  # noqa: N801 - used like a function
    """A block in which this code waits for what others do."""

    __slots__ = ("_pool_thread",)

    def __enter__(self) -> None:
        self._pool_thread = pool_thread = _pool_thread.get()
        if pool_thread is not None:
            pool_thread.begin_wait()

    def __exit__(self, *details: object) -> None:
        if self._pool_thread is not None:
            self._pool_thread.end_wait()
