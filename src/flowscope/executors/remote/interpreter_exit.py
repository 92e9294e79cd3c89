"""The end of the interpreter, as far as worker processes are concerned: from then on none is started."""

import threading
from typing import Final

from ...errors import WorkerDiedError

__all__ = ["begin_exit", "forget_exit", "is_leaving", "pause_at_exit", "refuse_at_exit"]

_GRACE_SECONDS: Final = 3.0
"""Seconds for which a daemon thread stays silent in an interpreter that is leaving, which mostly ends it before."""

_leaving: Final = threading.Event()


def begin_exit() -> None:
    """Start no worker process from now on."""
    _leaving.set()


def forget_exit() -> None:
    """Start worker processes again: a forked process has an end of its own."""
    _leaving.clear()


def is_leaving() -> bool:
    """Whether the interpreter is leaving."""
    return _leaving.is_set()


def pause_at_exit() -> None:
    """Stay here for a while, if the interpreter is leaving and this is a daemon thread: its failure would be noise."""
    if _leaving.is_set() and threading.current_thread().daemon:
        threading.Event().wait(_GRACE_SECONDS)


def refuse_at_exit(task_name: str) -> None:
    """Raise if the interpreter is leaving.

    Raises:
        WorkerDiedError: It is: its worker processes have been ended, and no other is started.
    """
    if _leaving.is_set():
        pause_at_exit()
        raise WorkerDiedError(
            task_name, ready=False, reason="the interpreter is leaving. Run it before the exit handlers."
        )
