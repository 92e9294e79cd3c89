"""What a graph is made of: routines, and how they are connected."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from .._clock import new_token
from ..errors import GraphError
from .binding import Receiver
from .kinds import ErrorHandler
from .mermaid import mermaid_of
from .ports import Connection, Route
from .problems import GraphProblem, problems_of
from .routine import Routine
from .state import JobState

__all__ = ["Wiring", "need"]


class Wiring:
    """Routines, wired by connections."""

    def __init__(self, flow_id: str | None) -> None:
        self.flow_id = flow_id or f"graph-{new_token()}"
        """The id by which jobs know their graph."""
        self.error_handler: ErrorHandler | None = None
        """What is done when a handler raises whose routine does not say."""
        self._routines: dict[str, Routine] = {}
        self._receivers: dict[tuple[str, str], Receiver] = {}
        self._connections: list[Connection] = []
        self._from: dict[tuple[str, str], list[Route]] = {}
        self._lock = threading.RLock()

    @property
    def routines(self) -> Mapping[str, Routine]:
        """By id."""
        return dict(self._routines)

    @property
    def connections(self) -> Sequence[Connection]:
        """In the order in which they were made."""
        return tuple(self._connections)

    def set_error_handler(self, handler: ErrorHandler | None) -> None:
        """Say what is done when a handler raises whose routine does not say."""
        self.error_handler = handler

    def add_routine(self, routine: Routine, routine_id: str | None = None) -> str:
        """Add a routine, and return its id; its class name, with a number if that is taken, if None is given.

        Raises:
            GraphError: The id is taken, or a handler cannot be called.
        """
        with self._lock:
            made = self._free_id(type(routine).__name__) if routine_id is None else routine_id
            if made in self._routines:
                raise GraphError(f"routine id {made!r} already exists in graph {self.flow_id!r}. Choose another one.")
            receivers = {
                (made, slot.name): Receiver(slot.handler, f"{made}.{slot.name}")
                for slot in routine.slots.values()
                if slot.handler is not None
            }
            self._routines[made] = routine
            self._receivers.update(receivers)
            return made

    def _free_id(self, name: str) -> str:
        numbered = (name if number == 1 else f"{name}-{number}" for number in range(1, len(self._routines) + 2))
        return next(one for one in numbered if one not in self._routines)

    def connect(
        self,
        source_id: str,
        source_event: str,
        target_id: str,
        target_slot: str,
        param_mapping: Mapping[str, str] | None = None,
    ) -> Connection:
        """Send the messages of an event to a slot.

        Args:
            source_id: The routine that emits.
            source_event: Its event.
            target_id: The routine that receives; it may be the same.
            target_slot: Its slot.
            param_mapping: Names of the message to names in the slot, changed all at once; other keys pass.

        Raises:
            GraphError: One of them does not exist.
        """
        with self._lock:
            source, target = self.routine(source_id), self.routine(target_id)
            need(source_event, source.events, f"routine {source_id!r} has no event")
            need(target_slot, target.slots, f"routine {target_id!r} has no slot")
            made = Connection(source_id, source_event, target_id, target_slot, dict(param_mapping or {}))
            self._connections.append(made)
            route = Route(made, target, target.slots[target_slot].merge_strategy)
            self._from.setdefault((source_id, source_event), []).append(route)
            return made

    def routine(self, routine_id: str) -> Routine:
        """The routine of an id.

        Raises:
            GraphError: There is none.
        """
        need(routine_id, self._routines, f"graph {self.flow_id!r} has no routine")
        return self._routines[routine_id]

    def receiver(self, routine_id: str, slot: str) -> Receiver | None:
        """What receives the messages of a slot; None for one without a handler."""
        key = (routine_id, slot)
        if key not in self._receivers:  # a slot that was defined after its routine was added
            handler = self.routine(routine_id).slots[slot].handler
            if handler is None:
                return None
            self._receivers[key] = Receiver(handler, f"{routine_id}.{slot}")
        return self._receivers[key]

    def routes_from(self, routine_id: str, event: str) -> Sequence[Route]:
        """Those of an event, in the order in which they were made."""
        return self._from.get((routine_id, event), ())

    def find_routines_by_type(self, cls: type[Routine]) -> list[tuple[str, Routine]]:
        """The routines of a class and its subclasses, with their ids."""
        return [(name, routine) for name, routine in self._routines.items() if isinstance(routine, cls)]

    def dependencies(self) -> Mapping[str, frozenset[str]]:
        """For each routine, those that it receives messages from, itself apart."""
        sources: dict[str, set[str]] = {name: set() for name in self._routines}
        for one in self._connections:
            if one.source_id != one.target_id:
                sources[one.target_id].add(one.source_id)
        return {name: frozenset(found) for name, found in sources.items()}

    def validate_graph(self) -> list[GraphProblem]:
        """What looks wrong in the wiring, or worth knowing; an empty list if nothing does."""
        return problems_of(self)

    def to_mermaid(self, job: JobState | None = None) -> str:
        """The graph as a Mermaid flowchart; with the states of its routines, if a job is given."""
        return mermaid_of(self, job)


def need(name: str, known: Mapping[str, object], what: str) -> None:
    """Refuse a name that is not known.

    Raises:
        GraphError: It is not.
    """
    if name not in known:
        names = ", ".join(map(repr, known)) or "none"
        raise GraphError(f"{what} {name!r}; there is: {names}.")
