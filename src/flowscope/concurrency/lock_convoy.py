"""Threads that take turns with a lock, instead of one another's places in its queue."""

from collections.abc import Callable
from time import sleep
from typing import Final, Protocol

__all__ = ["acquire_in_turn"]

_TURNS: Final = 100


class _Lock(Protocol):
    acquire: Callable[..., bool]


def acquire_in_turn(lock: _Lock) -> None:
    """Take a lock; as long as it is not held for long, by letting the other threads run until it is free.

    A thread that blocks gets the lock as soon as it is released, and only then waits for the interpreter's own lock. So
    the one that runs blocks when it needs the lock next, and from then on each use of it is a change of threads: a
    convoy. Only for threads that no signal interrupts.
    """
    for _ in range(_TURNS):
        if lock.acquire(False):
            return
        sleep(0)
    lock.acquire()
