"""What a handler gets of the messages of its slot: the merge as of its own message, as a snapshot."""

from collections.abc import Iterable
from typing import Any

from .ports import MergeStrategy
from .state import MergeState

__all__ = ["Merges", "snapshot"]


class Merges:
    """The messages of each slot so far, merged: of one job, and used under its lock."""

    def __init__(self, states: Iterable[MergeState]) -> None:
        self._by_slot = {(one.routine_id, one.slot): one.data for one in states}

    def take(self, routine_id: str, slot: str, strategy: MergeStrategy, new: dict[str, Any]) -> dict[str, Any]:
        """Merge one more message, and return what its handler gets.

        Raises:
            TypeError: A merge function has returned something else than a dictionary.
            Exception: What a merge function has raised. Nothing is changed then.
        """
        if strategy == "override":
            return new
        old = self._by_slot.get((routine_id, slot), {})
        if strategy == "append":
            made = {**old, **{key: [*old.get(key, ()), value] for key, value in new.items()}}
            delivered = {key: list(values) for key, values in made.items()}
        else:
            made = strategy(snapshot(old), new)
            if not isinstance(made, dict):  # pyright: ignore[reportUnnecessaryIsInstance] # for those who do not check types
                raise TypeError(f"the merge function {strategy!r} returned {made!r}, wanted a dictionary")
            delivered = snapshot(made)
        self._by_slot[routine_id, slot] = made
        return delivered

    def states(self) -> list[MergeState]:
        """As they go into the job's file."""
        return [MergeState(routine_id=key[0], slot=key[1], data=data) for key, data in self._by_slot.items()]


def snapshot(data: dict[str, Any]) -> dict[str, Any]:
    """The same data in containers of its own, so that nobody's change reaches anybody else."""
    return {key: _own(value) for key, value in data.items()}


def _own(value: Any) -> Any:
    kind: Any = type(value)  # pyright: ignore[reportUnknownVariableType] # it may be anything
    if kind is list:
        return [_own(item) for item in value]
    if kind is dict:
        return {key: _own(item) for key, item in value.items()}
    return value
