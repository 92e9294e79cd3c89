"""The durations of calls, by the name of their task."""

from collections.abc import Sequence

from ..._clock import seconds
from ...model.durations import TaskTiming
from ...model.status import FAILED, RunStatus
from ..scope.call import Call

__all__ = ["Timings"]


class Timings:
    """Running totals over ended calls, which are added many at a time."""

    __slots__ = ("_by_name", "count", "failed")

    def __init__(self, calls: Sequence[Call] = ()) -> None:
        self._by_name: dict[str, list[int]] = {}
        self.count: int = 0
        self.failed: int = 0
        self.add(calls)

    def add(self, calls: Sequence[Call]) -> list[Call]:
        """Count the calls that have ended, and return the others."""
        by_name = self._by_name
        still_open: list[Call] = []
        for call in calls:
            if not call.ended:
                still_open.append(call)
                continue
            spent = call.ended - call.started
            name = call.definition.name
            if name not in by_name:
                by_name[name] = [0, 0, spent, spent]
            figures = by_name[name]
            figures[0] += 1
            figures[1] += spent
            if spent < figures[2]:
                figures[2] = spent
            elif spent > figures[3]:
                figures[3] = spent
            if call.status is not RunStatus.COMPLETED:
                self.failed += call.status in FAILED
        self.count += len(calls) - len(still_open)
        return still_open

    def by_name(self) -> dict[str, TaskTiming]:
        """The figures by task name, in seconds."""
        return {
            name: TaskTiming(
                count=number,
                total=seconds(0, total),
                min=seconds(0, least),
                max=seconds(0, most),
                mean=seconds(0, total) / number,
            )
            for name, (number, total, least, most) in list(self._by_name.items())  # others may add names meanwhile
        }
