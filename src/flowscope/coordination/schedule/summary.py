"""How many flows are in which state."""

from collections import Counter

from pydantic import BaseModel

from ...model.status import RunStatus
from .coordinator_state import Snapshot

__all__ = ["CoordinatorSummary", "summarise"]

_UNSETTLED = (RunStatus.PENDING, RunStatus.RUNNING)


class CoordinatorSummary(BaseModel, frozen=True):
    """The flows of a coordinator, counted."""

    total: int
    """How many are registered."""
    pending: int
    """Those that have not started."""
    running: int
    completed: int
    failed: int
    """Those that raised, were failed from outside, or were not run because a required dependency failed."""
    cancelled: int
    timed_out: int
    skipped: int
    success_rate: float
    """The share of the settled flows that completed, from 0.0 to 1.0; 0.0 while none has settled."""


def summarise(snapshot: Snapshot) -> CoordinatorSummary:
    """Count the flows by their state."""
    counts = Counter(status for _, status in snapshot.flows.values())
    total = len(snapshot.flows)
    settled = total - sum(counts[status] for status in _UNSETTLED)
    return CoordinatorSummary(
        total=total,
        pending=counts[RunStatus.PENDING],
        running=counts[RunStatus.RUNNING],
        completed=counts[RunStatus.COMPLETED],
        failed=counts[RunStatus.FAILED],
        cancelled=counts[RunStatus.CANCELLED],
        timed_out=counts[RunStatus.TIMED_OUT],
        skipped=counts[RunStatus.SKIPPED],
        success_rate=counts[RunStatus.COMPLETED] / settled if settled else 0.0,
    )
