"""The states of a run."""

from enum import StrEnum
from typing import Final

__all__ = ["FAILED", "RunStatus"]


class RunStatus(StrEnum):
    """The state of a flow or of a task."""

    PENDING = "pending"
    """Set up, not started."""
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    """Ended with a value."""
    FAILED = "failed"
    """Ended with an exception."""
    CANCELLED = "cancelled"
    """Ended by a cancellation, an interrupt or an exit of the interpreter."""
    TIMED_OUT = "timed_out"
    """Ended at its deadline."""
    ABANDONED = "abandoned"
    """Still open when its flow ended."""
    SKIPPED = "skipped"
    """Not run, because a requirement was missing."""


FAILED: Final = frozenset({RunStatus.FAILED, RunStatus.TIMED_OUT})
"""Ended with an exception, that of a deadline included."""
