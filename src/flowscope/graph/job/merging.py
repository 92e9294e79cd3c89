"""What a handler gets of the messages of its slot: the merge as of its own message, as a snapshot."""

from collections.abc import Iterable
from typing import Any, cast, final

from ..slots.slots_and_events import MergeStrategy, OfRoutine
from ..slots.snapshots import snapshot
from .job_records import MergeState

__all__ = ["Groups", "Merges"]


@final
class Groups(OfRoutine):
    """A merge strategy that gathers as many messages as a field of the routine tells."""

    def __init__(self, field: str) -> None:
        self._field = field

    def of(self, routine: object) -> "Gather":
        """That of a routine."""
        routine_fields: Any = routine
        return Gather(getattr(routine, self._field), flushes=routine_fields.flush_partial)


@final
class Gather:
    """Gathers messages: the one that completes a group is delivered it as `data`, the others nothing."""

    def __init__(self, size: int, *, flushes: bool) -> None:
        self._size = size
        self.flushes = flushes
        """Whether fewer are delivered when the job has nothing else to do."""

    def __call__(self, waiting: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        """Add a message to those that wait, take a complete group from them, and return what is delivered."""
        items: list[Any] = waiting.setdefault("items", [])
        items.append(new.get("data", new))
        if len(items) < self._size:
            return {"data": []}
        group, items[: self._size] = items[: self._size], []
        return {"data": group}


class Merges:
    """The messages of each slot so far, merged: of one job, and used under its lock."""

    def __init__(self, states: Iterable[MergeState]) -> None:
        self._by_slot: dict[tuple[str, str], dict[str, Any]] = {}
        self._gathered: dict[tuple[str, str], None] = {}
        """The slots whose messages wait to be delivered, those of each in the order in which they began to."""
        for one in states:
            key = (one.routine_id, one.slot)
            self._by_slot[key] = snapshot(one.data)
            if one.gathered:
                self._gathered[key] = None

    def take(self, routine_id: str, slot: str, strategy: MergeStrategy, new: dict[str, Any]) -> dict[str, Any]:
        """Merge one more message, and return what its handler gets.

        Raises:
            TypeError: A merge function has returned something else than a dictionary of names and values.
            Exception: What a merge function has raised. Nothing is changed then.
        """
        if strategy == "override":
            return new
        own = snapshot(new)  # what comes is still in the hands of who sent it, and of other receivers
        if isinstance(strategy, Gather):
            self._gathered[routine_id, slot] = None
            return strategy(self._by_slot.setdefault((routine_id, slot), {}), own)
        old = self._by_slot.get((routine_id, slot), {})
        if strategy == "append":
            made = {**old, **{key: [*old.get(key, ()), value] for key, value in own.items()}}
        else:
            made = snapshot(_checked(strategy(snapshot(old), own), strategy))
        delivered = snapshot(made)
        self._by_slot[routine_id, slot] = made
        return delivered

    def copy(self) -> "Merges":
        """The same by itself."""
        return Merges(self.states())

    def waiting(self) -> dict[tuple[str, str], int]:
        """How many messages wait for more, by routine id and slot, where there are any."""
        counts = {key: len(self._by_slot[key].get("items", ())) for key in self._gathered}
        return {key: count for key, count in counts.items() if count}

    def take_rest(self, routine_id: str, slot: str) -> dict[str, Any]:
        """What waits there is delivered, and waits no more."""
        waiting = self._by_slot[routine_id, slot]
        rest, waiting["items"] = waiting["items"], []
        return {"data": rest}

    def states(self) -> list[MergeState]:
        """As they go into the job's file."""
        return [
            MergeState(routine_id=key[0], slot=key[1], data=snapshot(data), gathered=key in self._gathered)
            for key, data in self._by_slot.items()
        ]


def _checked(made: Any, strategy: object) -> dict[str, Any]:
    if isinstance(made, dict) and all(isinstance(key, str) for key in cast("dict[object, object]", made)):
        return cast("dict[str, Any]", made)
    raise TypeError(f"the merge function {strategy!r} returned {made!r}, wanted a dictionary with names as keys")
