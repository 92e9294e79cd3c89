"""What a handler gets of the messages of its slot: the merge as of its own message, as a snapshot."""

from collections.abc import Iterable
from typing import Any, Final, cast, final

from ..job.state import MergeState
from .slots_and_events import MergeStrategy, OfRoutine

__all__ = ["Groups", "Merges", "snapshot"]


@final
class Groups(OfRoutine):
    """A merge strategy that gathers as many messages as a field of the routine tells."""

    def __init__(self, field: str) -> None:
        self._field = field

    def of(self, routine: object) -> "Gather":
        """That of a routine."""
        return Gather(getattr(routine, self._field))


@final
class Gather:
    """Gathers messages: the one that completes a group is delivered it as `data`, the others nothing."""

    def __init__(self, size: int) -> None:
        self._size = size

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
        self._by_slot = {(one.routine_id, one.slot): snapshot(one.data) for one in states}

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
            return strategy(self._by_slot.setdefault((routine_id, slot), {}), own)
        old = self._by_slot.get((routine_id, slot), {})
        if strategy == "append":
            made = {**old, **{key: [*old.get(key, ()), value] for key, value in own.items()}}
        else:
            made = snapshot(_checked(strategy(snapshot(old), own), strategy))
        delivered = snapshot(made)
        self._by_slot[routine_id, slot] = made
        return delivered

    def states(self) -> list[MergeState]:
        """As they go into the job's file."""
        return [MergeState(routine_id=key[0], slot=key[1], data=snapshot(data)) for key, data in self._by_slot.items()]


def _checked(made: Any, strategy: object) -> dict[str, Any]:
    if isinstance(made, dict) and all(isinstance(key, str) for key in cast("dict[object, object]", made)):
        return cast("dict[str, Any]", made)
    raise TypeError(f"the merge function {strategy!r} returned {made!r}, wanted a dictionary with names as keys")


def snapshot(data: dict[str, Any]) -> dict[str, Any]:
    """The same data in containers of its own, so that nobody's change reaches anybody else."""
    return {key: _own(value) for key, value in data.items()}


_CONTAINERS: Final = frozenset({list, dict, tuple})


def _own(value: Any) -> Any:
    kind: Any = type(value)  # pyright: ignore[reportUnknownVariableType] # it may be anything
    if kind is list:
        plain = _CONTAINERS.isdisjoint(map(type, value))  # as long ones mostly are
        return value.copy() if plain else [_own(item) for item in value]
    if kind is dict:
        return {key: _own(item) for key, item in value.items()}
    if kind is tuple:
        return tuple(_own(item) for item in value)
    return value
