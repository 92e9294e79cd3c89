"""Where a submitted call is on its way.

    waiting ──► starting ──► running ──► ending ──► settled
                              ▲    ▼
                              retrying

Whoever moves it to `ending` records the end, once: the code that runs it, or the one who cancels it, either because it
still waits or because it runs in a thread, which cannot be stopped and is left behind.
"""

from enum import Enum
from typing import Final

__all__ = ["RUNS", "SubmissionState"]


class SubmissionState(Enum):
    """Where a submission is."""

    WAITING = "waiting"
    STARTING = "starting"
    """Its start is being told."""
    RUNNING = "running"
    RETRYING = "retrying"
    """The failure of an attempt is being told; another one follows."""
    ENDING = "ending"
    """Its end is being recorded."""
    SETTLED = "settled"


RUNS: Final = (SubmissionState.STARTING, SubmissionState.RUNNING, SubmissionState.RETRYING)
"""Those in which it has been taken up and may still be cancelled."""
