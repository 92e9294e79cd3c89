"""What a graph is made of: routines, and how they are connected."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final

from ..._clock import new_token
from ...errors import GraphError
from ...model.config import FlowConfig
from ..errors import NameTakenError, UnknownNameError
from ..job.options import ErrorHandler, ExecutionStrategy
from ..job.state import JobState
from ..routines.routine import Routine
from ..slots.bound_slot import BoundSlot, Route
from ..slots.handler_binding import Receiver
from ..slots.slots_and_events import Connection, Slot, checked_name
from .graph_port import check_own
from .mermaid import mermaid_of
from .validation import GraphProblem, problems_of

__all__ = ["Wiring", "need"]


class Wiring:
    """Routines, wired by connections, and how jobs are to be run on them."""

    execution_strategy: ExecutionStrategy
    """That of jobs that are not started with another one."""
    max_workers: int
    """How many activations of concurrent jobs run at once."""
    execution_timeout: float | None
    """Seconds that a job may take if nothing else is said; None is no limit."""
    max_history: int | None
    """How many of the newest records the history of a job keeps; None is all."""
    flow_config: FlowConfig
    """How the runs of jobs are recorded."""

    def __init__(self, flow_id: str | None) -> None:
        self.flow_id: str = checked_name(flow_id, "flow_id") if flow_id else f"graph-{new_token()}"
        """The id by which jobs know their graph."""
        self.error_handler: ErrorHandler | None = None
        """What is done when a handler raises whose routine does not say."""
        self._routines: dict[str, Routine] = {}
        self._free_numbers: dict[str, int] = {}
        """By class name: the lowest number that may be free, for no id becomes free again."""
        self._bound: dict[tuple[str, str], BoundSlot] = {}
        self._connections: list[Connection] = []
        self._from: dict[str, dict[str, list[Route]]] = {}
        """By routine and event."""
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
        """Say what is done when a handler raises whose routine does not say; None fails the job.

        Raises:
            GraphError: It is no `ErrorHandler`.
        """
        if handler is not None and not isinstance(handler, ErrorHandler):  # pyright: ignore[reportUnnecessaryIsInstance] # for those who do not check types
            raise GraphError(f"the error handler of graph {self.flow_id!r} is {handler!r}, wanted an ErrorHandler.")
        self.error_handler = handler

    def add_routine(self, routine: Routine, routine_id: str | None = None) -> str:
        """Add a routine, and return its id; its class name, with a number if that is taken, if None is given.

        One routine may be in several graphs, and several times in one: nothing of a run is kept on it.

        Raises:
            GraphError: It is no routine, the id is taken or none, or a handler cannot be called.
        """
        if not isinstance(routine, Routine):  # pyright: ignore[reportUnnecessaryIsInstance] # for those who do not check types
            raise GraphError(
                f"what is added to graph {self.flow_id!r} is {routine!r}, wanted an object of a Routine class."
            )
        with self._lock:
            chosen = self._free_id(type(routine).__name__) if routine_id is None else routine_id
            made = checked_name(chosen, "the id of a routine")
            if made in self._routines:
                raise NameTakenError(
                    f"routine id {made!r} already exists in graph {self.flow_id!r}. Choose another one.", made
                )
            routes: dict[str, list[Route]] = {}
            bound = {(made, name): _bound(routine, made, slot, routes) for name, slot in routine.slots.items()}
            self._routines[made] = routine
            self._from[made] = routes
            self._bound.update(bound)
            return made

    def _free_id(self, name: str) -> str:
        number = self._free_numbers.get(name, 1)
        while (made := name if number == 1 else f"{name}-{number}") in self._routines:
            number += 1
        self._free_numbers[name] = number
        return made

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
            param_mapping: Names of the message to names in the slot, changed all at once; other keys pass, but for one
                with the name that another key of the message is changed to.

        Raises:
            GraphError: One of them does not exist, two names are mapped to one, or the slot's handler cannot be called.
        """
        mapping = {} if param_mapping is None else _checked_mapping(param_mapping)
        with self._lock:
            source, target = self.routine(source_id), self.routine(target_id)
            need(source_event, source.events, f"routine {source_id!r} has no event")
            need(target_slot, target.slots, f"routine {target_id!r} has no slot")
            bound = self.bound_slot(target_id, target_slot)
            made = Connection(source_id, source_event, target_id, target_slot, mapping)
            self._connections.append(made)
            is_plain = not mapping and bound.merge_strategy == "override"
            self._from[source_id].setdefault(source_event, []).append(Route(made, bound, is_plain))
            return made

    def routine(self, routine_id: str) -> Routine:
        """The routine of an id.

        Raises:
            GraphError: There is none.
        """
        need(routine_id, self._routines, f"graph {self.flow_id!r} has no routine")
        return self._routines[routine_id]

    def receiver(self, routine_id: str, slot: str) -> Receiver | None:
        """What receives the messages of a slot; None for one without a handler.

        Raises:
            GraphError: The slot was defined after its routine was added, and its handler cannot be called.
        """
        return self.bound_slot(routine_id, slot).receiver

    def bound_slot(self, routine_id: str, slot: str) -> BoundSlot:
        """The slot of a routine, with all that its messages meet there.

        Raises:
            GraphError: The slot was defined after its routine was added, and its handler cannot be called.
        """
        key = (routine_id, slot)
        if key not in self._bound:
            routine = self.routine(routine_id)
            self._bound[key] = _bound(routine, routine_id, routine.slots[slot], self._from[routine_id])
        return self._bound[key]

    def routes_from(self, routine_id: str) -> Mapping[str, Sequence[Route]]:
        """The ways from its events, by name, in the order in which they were made."""
        return self._from[routine_id]

    def check_work(self, job: JobState) -> None:
        """Refuse a job that has work for what is not here.

        Raises:
            GraphError: It has a message for a slot, or an event of a routine, that does not exist.
        """
        for activation in job.pending_activations:
            slots = self.routine(activation.routine_id).slots
            need(activation.slot, slots, f"the job has work for routine {activation.routine_id!r}, which has no slot")
        for event in job.deferred_events:
            events = self.routine(event.routine_id).events
            need(event.event_name, events, f"the job has an event of routine {event.routine_id!r}, which has no event")

    def find_routines_by_type(self, cls: type[Routine]) -> list[tuple[str, Routine]]:
        """The routines of a class and its subclasses, with their ids."""
        return [(name, routine) for name, routine in self._routines.items() if isinstance(routine, cls)]

    def dependencies(self) -> Mapping[str, frozenset[str]]:
        """For each routine, those that it receives messages from, itself apart."""
        return {name: found - {name} for name, found in self.sources().items()}

    def sources(self) -> Mapping[str, frozenset[str]]:
        """For each routine, those that it receives messages from."""
        sources: dict[str, set[str]] = {name: set() for name in self._routines}
        for one in self._connections:
            sources[one.target_id].add(one.source_id)
        return {name: frozenset(found) for name, found in sources.items()}

    def validate_graph(self) -> list[GraphProblem]:
        """What looks wrong in the wiring, or worth knowing; an empty list if nothing does."""
        with self._lock:
            return problems_of(self)

    def to_mermaid(self, job: JobState | None = None) -> str:
        """The graph as a Mermaid flowchart; with the states of its routines, if a job is given.

        Raises:
            GraphError: It is the job of another graph.
        """
        if job is not None:
            check_own(job, self.flow_id)
        with self._lock:
            return mermaid_of(self, job)


def _bound(routine: Routine, routine_id: str, slot: Slot, routes: dict[str, list[Route]]) -> BoundSlot:
    receiver = None if slot.handler is None else Receiver(slot.handler, f"{routine_id}.{slot.name}")
    return BoundSlot(routine, routine_id, slot, receiver, routes)


def _checked_mapping(given: Mapping[str, str]) -> dict[str, str]:
    """A `param_mapping` that loses nothing.

    Raises:
        GraphError: It is no mapping of names to names, or maps two names to one.
    """
    if not isinstance(given, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] # for those who do not check types
        raise GraphError(f"param_mapping is {given!r}, wanted a mapping of names to names.")
    sources: dict[str, str] = {}
    for source, target in given.items():
        name = checked_name(target, f"what param_mapping maps {source!r} to")
        other = sources.setdefault(name, checked_name(source, "a name in param_mapping"))
        if other != source:
            raise GraphError(f"param_mapping maps both {other!r} and {source!r} to {name!r}, and one would be lost.")
    return {source: target for target, source in sources.items()}


_SHOWN: Final = 10


def need(name: object, known: Mapping[str, object], what: str) -> None:
    """Refuse a name that is not known.

    Raises:
        UnknownNameError: It is not.
    """
    if not isinstance(name, str) or name not in known:
        names = ", ".join(map(repr, islice(known, _SHOWN))) or "none"
        more = f" and {len(known) - _SHOWN:,} more" if len(known) > _SHOWN else ""
        raise UnknownNameError(f"{what} {name!r}; there is: {names}{more}.", name)
