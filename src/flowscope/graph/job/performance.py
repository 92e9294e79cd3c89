"""How the activations of a job went: counted and timed."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

__all__ = ["Measure", "Performance", "performance_of"]

_STRICT = ConfigDict(extra="forbid")


class Performance(BaseModel):
    """How the activations of a routine, or of a whole job, went; times in seconds."""

    model_config: ClassVar[ConfigDict] = _STRICT

    total_executions: int = 0
    completed: int = 0
    failed: int = 0
    success_rate: float = 0.0
    """Between 0.0 and 1.0."""
    avg_execution_time: float = 0.0
    min_execution_time: float = 0.0
    max_execution_time: float = 0.0


@dataclass(slots=True)
class Measure:
    """The activations of a routine, counted and timed in seconds."""

    total: int = 0
    failed: int = 0
    seconds: float = 0.0
    shortest: float = inf
    longest: float = 0.0

    def add(self, seconds: float, *, failed: bool) -> None:
        """Count another activation."""
        self.total += 1
        self.failed += failed
        self.seconds += seconds
        self.shortest = min(self.shortest, seconds)
        self.longest = max(self.longest, seconds)


def performance_of(measures: Iterable[Measure]) -> Performance | None:
    """The sums; None if there has been no activation."""
    parts = list(measures)
    count, failed = sum(one.total for one in parts), sum(one.failed for one in parts)
    if not count:
        return None
    return Performance(
        total_executions=count,
        completed=count - failed,
        failed=failed,
        success_rate=(count - failed) / count,
        avg_execution_time=sum(one.seconds for one in parts) / count,
        min_execution_time=min(one.shortest for one in parts),
        max_execution_time=max(one.longest for one in parts),
    )
