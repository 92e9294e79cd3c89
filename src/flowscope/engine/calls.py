"""The calls of one run: kept, or only counted and timed.

Either way, starting a task costs the append of a list.
"""

from collections.abc import Callable
from threading import Lock
from typing import ClassVar, Final

from .call import Call
from .tally import Tally

__all__ = ["CallStore", "CountedCalls", "KeptCalls"]

_BATCH: Final = 1_024


class CallStore:
    """Takes the calls of a run, from any thread, until it is closed."""

    __slots__ = ("add",)

    kept: ClassVar[bool]
    """Whether calls are kept."""
    add: Callable[[Call], None]
    """Take a call that starts."""

    def all(self) -> list[Call]:
        """The kept calls, in the order of their start."""
        raise NotImplementedError

    def tally(self) -> Tally:
        """The totals of all calls that have ended."""
        raise NotImplementedError

    def close(self, freeze: Callable[[Call], Call]) -> list[Call]:
        """Take no more calls, and put frozen copies in the place of those still open; return the copies in order."""
        raise NotImplementedError


class KeptCalls(CallStore):
    """Keeps every call."""

    __slots__ = ("_calls",)

    kept = True

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self.add = self._calls.append

    def all(self) -> list[Call]:
        """The calls, in the order of their start."""
        return sorted(self._calls[:], key=_order)

    def tally(self) -> Tally:
        """The totals of all calls that have ended."""
        return Tally(call for call in self._calls[:] if call.ended)

    def close(self, freeze: Callable[[Call], Call]) -> list[Call]:
        """Take no more calls; freeze those still open."""
        self.add = _ignore
        calls = self._calls[:]
        copies = {call.order: freeze(call) for call in calls if not call.ended}
        self._calls = [copies.get(call.order, call) for call in calls] if copies else calls
        return [copies[order] for order in sorted(copies)]


class CountedCalls(CallStore):
    """Folds calls that have ended into a tally, a batch at a time, and keeps none."""

    __slots__ = ("_calls", "_fold_at", "_lock", "_tally")

    kept = False

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._tally = Tally()
        self._fold_at = _BATCH
        self._lock = Lock()
        self.add = self._add

    def _add(self, call: Call) -> None:
        self._calls.append(call)
        if len(self._calls) >= self._fold_at:
            self._fold()

    def _fold(self) -> None:
        with self._lock:
            batch = self._calls[:]
            del self._calls[: len(batch)]
            still_open: list[Call] = []
            for call in batch:
                if call.ended:
                    self._tally.add(call)
                else:
                    still_open.append(call)
            self._calls.extend(still_open)
            self._fold_at = _BATCH + 2 * len(still_open)

    def all(self) -> list[Call]:
        """None: they are not kept."""
        return []

    def tally(self) -> Tally:
        """The totals of all calls that have ended."""
        self._fold()
        return self._tally

    def close(self, freeze: Callable[[Call], Call]) -> list[Call]:
        """Take no more calls; freeze those still open."""
        self.add = _ignore
        self._fold()
        copies = [freeze(call) for call in sorted(self._calls, key=_order)]
        self._calls = copies[:]
        return copies


def _order(call: Call) -> int:
    return call.order


def _ignore(call: Call) -> None:
    """A call that starts in the moment in which its flow ends is not recorded."""
