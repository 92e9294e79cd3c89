"""Messages that wait for more: which are delivered when a job has nothing else to do."""

from collections.abc import Mapping
from typing import Protocol

from ..job.merging import Gather, Merges
from ..slots.bound_slot import BoundSlot

__all__ = ["PartialGroups"]


class _Graph(Protocol):
    def bound_slot(self, routine_id: str, slot: str) -> BoundSlot: ...

    def sources(self) -> Mapping[str, frozenset[str]]: ...


class PartialGroups:
    """Of one job_run of a job, used under its lock.

    Those go first that nothing else that waits leads to, for what they send may complete the others. A routine that feeds
    itself, however indirectly, delivers a rest once, else its messages would go round for ever.
    """

    def __init__(self, graph: _Graph, merges: Merges) -> None:
        self._graph = graph
        self._merges = merges
        self._before: dict[str, set[str]] = {}
        self._delivered: set[str] = set()

    def next_ones(self) -> list[BoundSlot]:
        """The slots whose rests are to be delivered now."""
        slots = [self._graph.bound_slot(*key) for key in self._merges.waiting()]
        due = [one for one in slots if self._may_go(one)]
        names = {one.routine_id for one in due}
        first = [one for one in due if not (self._leading_to(one.routine_id) & names) - {one.routine_id}]
        chosen = first or due[:1]
        self._delivered.update(one.routine_id for one in chosen)
        return chosen

    def _may_go(self, slot: BoundSlot) -> bool:
        strategy = slot.merge_strategy
        goes_round = slot.routine_id in self._leading_to(slot.routine_id)
        return (
            isinstance(strategy, Gather)
            and strategy.flushes
            and not (goes_round and slot.routine_id in self._delivered)
        )

    def _leading_to(self, routine_id: str) -> set[str]:
        """The routines whose messages lead to one, itself among them if it feeds itself."""
        known = self._before.get(routine_id)
        if known is None:
            sources = self._graph.sources()
            known = self._before[routine_id] = set()
            fresh = [routine_id]
            while fresh:
                found = sources[fresh.pop()] - known
                known |= found
                fresh.extend(found)
        return known
