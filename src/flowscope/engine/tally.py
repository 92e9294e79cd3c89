"""How long calls took, by the name of their task: what is left of calls that are not kept."""

from collections.abc import Iterable
from typing import Final

from .._clock import seconds
from ..model.durations import TaskTiming
from ..model.status import RunStatus
from .call import Call

__all__ = ["FAILED", "Tally"]

FAILED: Final = frozenset({RunStatus.FAILED, RunStatus.TIMED_OUT})


class Tally:
    """Running totals over ended calls."""

    __slots__ = ("_by_name", "count", "failed")

    def __init__(self, calls: Iterable[Call] = ()) -> None:
        self._by_name: dict[str, list[int]] = {}
        self.count = 0
        self.failed = 0
        for call in calls:
            self.add(call)

    def add(self, call: Call) -> None:
        """Count one call."""
        spent = call.ended - call.started
        self.count += 1
        self.failed += call.status in FAILED
        figures = self._by_name.get(call.spec.name)
        if figures is None:
            self._by_name[call.spec.name] = [1, spent, spent, spent]
            return
        figures[0] += 1
        figures[1] += spent
        figures[2] = min(figures[2], spent)
        figures[3] = max(figures[3], spent)

    def timings(self) -> dict[str, TaskTiming]:
        """The figures by task name, in seconds."""
        return {
            name: TaskTiming(
                count=number,
                total=seconds(0, total),
                min=seconds(0, least),
                max=seconds(0, most),
                mean=seconds(0, total) / number,
            )
            for name, (number, total, least, most) in self._by_name.items()
        }
