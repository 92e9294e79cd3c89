"""The states of a submitted call.

    waiting ──► starting ──► running ──► ending ──► settled
                              ▲    ▼
                              retrying

The code that moves it to `ending` records the end, once: the code that runs it, or a cancellation, because the call still
waits or because it runs in a thread, which cannot be stopped and is abandoned.
"""

from enum import Enum
from typing import Final

__all__ = ["RUNS", "SubmissionState"]


class SubmissionState(Enum):
    """The state of a submission."""

    WAITING = "waiting"
    STARTING = "starting"
    """Listeners hear of its start."""
    RUNNING = "running"
    RETRYING = "retrying"
    """Listeners hear of the failure of an attempt; another one follows."""
    ENDING = "ending"
    """Its end is being recorded."""
    SETTLED = "settled"


RUNS: Final = (SubmissionState.STARTING, SubmissionState.RUNNING, SubmissionState.RETRYING)
"""The states of a submission that has begun and may still be cancelled."""
