"""How long calls took, by the name of their task: what is left of calls that are not kept."""

from collections.abc import Callable, Iterable
from threading import Lock
from typing import Final

from .._clock import seconds
from ..model.durations import TaskTiming
from ..model.status import RunStatus
from .call import Call

__all__ = ["FAILED", "CallStore", "Tally"]

FAILED: Final = frozenset({RunStatus.FAILED, RunStatus.TIMED_OUT})

_BATCH: Final = 1_024


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


class CallStore:
    """The calls of one run: kept, or only counted.

    `add` is the append of a list, so that starting a task costs nothing else; calls that are not kept are folded into
    the tally a batch at a time.
    """

    __slots__ = ("_calls", "_fold_at", "_lock", "_tally", "add", "kept")

    def __init__(self, *, kept: bool) -> None:
        self.kept = kept
        self._calls: list[Call] = []
        self._tally = Tally()
        self._fold_at = _BATCH
        self._lock = Lock()
        self.add: Callable[[Call], None] = self._calls.append if kept else self._add_and_fold

    def _add_and_fold(self, call: Call) -> None:
        self._calls.append(call)
        if len(self._calls) >= self._fold_at:
            self._fold()

    def _fold(self) -> None:
        with self._lock:
            batch = self._calls[:]
            del self._calls[: len(batch)]
            still_open = [call for call in batch if not call.ended]
            for call in batch:
                if call.ended:
                    self._tally.add(call)
            self._calls.extend(still_open)
            self._fold_at = _BATCH + 2 * len(still_open)

    def all(self) -> list[Call]:
        """The kept calls, in the order of their start."""
        return sorted(self._calls, key=_order) if self.kept else []

    def open_calls(self) -> list[Call]:
        """The calls that have not ended."""
        return sorted([call for call in tuple(self._calls) if not call.ended], key=_order)

    def tally(self) -> Tally:
        """The totals of all calls that have ended."""
        if self.kept:
            return Tally(call for call in tuple(self._calls) if call.ended)
        self._fold()
        return self._tally

    def close(self, replace: Callable[[Call], Call]) -> list[Call]:
        """Take no more calls, and put frozen copies in the place of those that are still open; return the copies."""
        calls, self.add = self._calls, _ignore
        copies = {call.order: replace(call) for call in tuple(calls) if not call.ended}
        self._calls = [copies.get(call.order, call) for call in calls] if copies else calls[:]
        return [copies[order] for order in sorted(copies)]


def _ignore(call: Call) -> None:
    """A call that starts in the moment in which its flow ends is not recorded."""


def _order(call: Call) -> int:
    return call.order
