"""The calls of one run: stored, or only counted and timed.

Either way, starting a task costs the append of a list.
"""

from collections.abc import Callable
from threading import Lock
from typing import ClassVar, Final, Protocol

from ..scope.call import Call
from .timings import Timings

__all__ = ["CallStore", "CountedCalls", "KeptCalls"]

_BATCH: Final = 1_024


class CallStore(Protocol):
    """Takes the calls of a run, from any thread, until it is closed."""

    keeps_calls: ClassVar[bool]
    """Whether the store keeps the calls."""

    def append(self, call: Call, /) -> None:
        """Add a call that starts."""
        ...

    def append_late(self, call: Call) -> None:
        """Add an ended call, although the store is closed."""
        ...

    def all(self) -> list[Call]:
        """The stored calls, in the order of their start."""
        ...

    def timings(self) -> Timings:
        """The totals of all calls that have ended."""
        ...

    def close(self, freeze: Callable[[Call], Call]) -> "tuple[CallStore, list[Call]]":
        """End with the run.

        Returns:
            The store that replaces it, with frozen copies of the calls that are still open; and these copies.
        """
        ...


class KeptCalls(list[Call]):
    """Keeps every call."""

    __slots__ = ()

    keeps_calls: ClassVar[bool] = True

    def append_late(self, call: Call) -> None:
        """Add an ended call, although the store is closed."""
        super().append(call)

    def all(self) -> list[Call]:
        """The calls, in the order of their start."""
        return sorted(self[:], key=_order)

    def timings(self) -> Timings:
        """The totals of all calls that have ended."""
        return Timings(self[:])

    def close(self, freeze: Callable[[Call], Call]) -> tuple[CallStore, list[Call]]:
        """A copy that accepts no more calls; a thread that is just appending appends to the original."""
        if not self:
            return _ClosedCalls(), []
        calls = self[:]
        copies = {call.order: freeze(call) for call in calls if not call.ended}
        closed = _ClosedCalls([copies.get(call.order, call) for call in calls] if copies else calls)
        return closed, [copies[order] for order in sorted(copies)]


class _ClosedCalls(KeptCalls):
    __slots__ = ()

    def append(self, call: Call, /) -> None:
        """The run has ended."""


class CountedCalls:
    """Adds ended calls to timings, a batch at a time, and keeps none."""

    __slots__ = ("_calls", "_closed", "_fold_at", "_lock", "_timings")

    keeps_calls: ClassVar[bool] = False

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._timings = Timings()
        self._fold_at = _BATCH
        self._lock = Lock()
        self._closed = False

    def append(self, call: Call, /) -> None:
        """Add a call that starts."""
        self._calls.append(call)
        if len(self._calls) >= self._fold_at:
            self._fold()

    def _fold(self) -> None:
        if self._closed or not self._lock.acquire(blocking=False):
            return  # another thread, or a frame further up the stack, is folding
        try:
            batch = self._calls[:]
            del self._calls[: len(batch)]
            still_open = self._timings.add(batch)
            self._calls.extend(still_open)
            self._fold_at = _BATCH + 2 * len(still_open)
        finally:
            self._lock.release()

    def append_late(self, call: Call) -> None:
        """Count an ended call, although it is closed."""
        self._timings.add([call])

    def all(self) -> list[Call]:
        """An empty list: the store keeps no calls."""
        return []

    def timings(self) -> Timings:
        """The totals of all calls that have ended."""
        self._fold()
        return self._timings

    def close(self, freeze: Callable[[Call], Call]) -> tuple[CallStore, list[Call]]:
        """Count the calls that are still open, and close."""
        with self._lock:
            pass  # waits for a thread that is folding
        self._fold()
        self._closed = True
        copies = [freeze(call) for call in sorted(self._calls, key=_order)]
        self._calls.clear()
        self._timings.add(copies)
        return self, copies


def _order(call: Call) -> int:
    return call.order
