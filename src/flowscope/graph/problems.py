"""What looks wrong in the wiring of a graph, or is worth knowing, before any job runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

from .binding import Receiver
from .ports import Connection
from .routine import Routine

__all__ = ["GraphProblem", "Plan", "ProblemKind", "problems_of"]

ProblemKind = Literal["no_entry", "unreachable", "unheard_event", "unfed_slot", "cycle", "unknown_parameter"]


class GraphProblem(BaseModel):
    """One finding."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ProblemKind
    severity: Literal["error", "warning", "info"]
    """An error makes activations fail; a warning is work that goes nowhere; the rest is worth knowing."""
    message: str
    routine_id: str | None = None

    def __str__(self) -> str:
        return f"{self.severity}: {self.message}"


class Plan(Protocol):
    """A graph, as far as its structure goes."""

    @property
    def routines(self) -> Mapping[str, Routine]:
        """By id."""
        ...

    @property
    def connections(self) -> Sequence[Connection]:
        """In the order in which they were made."""
        ...

    def receiver(self, routine_id: str, slot: str) -> Receiver | None:
        """What receives the messages of a slot."""
        ...

    def dependencies(self) -> Mapping[str, frozenset[str]]:
        """For each routine, those that it receives messages from."""
        ...


def problems_of(plan: Plan) -> list[GraphProblem]:
    """All findings, by kind."""
    return [
        *_entries(plan),
        *_unreachable(plan),
        *_unheard(plan),
        *_unfed(plan),
        *_cycles(plan),
        *_unknown_parameters(plan),
    ]


def _entries(plan: Plan) -> Iterator[GraphProblem]:
    if plan.routines and not any("trigger" in routine.slots for routine in plan.routines.values()):
        message = "no routine has a slot 'trigger', so no job can begin"
        yield GraphProblem(kind="no_entry", severity="error", message=message)


def _unreachable(plan: Plan) -> Iterator[GraphProblem]:
    targets: dict[str, list[str]] = {name: [] for name in plan.routines}
    for one in plan.connections:
        targets[one.source_id].append(one.target_id)
    reached = {name for name, routine in plan.routines.items() if "trigger" in routine.slots}
    fresh = list(reached)
    while fresh:
        found = set(targets[fresh.pop()]) - reached
        reached |= found
        fresh.extend(found)
    for name in plan.routines:
        if name not in reached:
            message = f"routine {name!r} is reached from no routine with a slot 'trigger'"
            yield GraphProblem(kind="unreachable", severity="warning", message=message, routine_id=name)


def _unheard(plan: Plan) -> Iterator[GraphProblem]:
    heard = {(one.source_id, one.source_event) for one in plan.connections}
    for name, routine in plan.routines.items():
        for event in routine.events:
            if (name, event) not in heard:
                message = f"nobody receives event {event!r} of routine {name!r}"
                yield GraphProblem(kind="unheard_event", severity="info", message=message, routine_id=name)


def _unfed(plan: Plan) -> Iterator[GraphProblem]:
    fed = {(one.target_id, one.target_slot) for one in plan.connections}
    for name, routine in plan.routines.items():
        for slot in routine.slots:
            if slot != "trigger" and (name, slot) not in fed:
                message = f"nobody feeds slot {slot!r} of routine {name!r}"
                yield GraphProblem(kind="unfed_slot", severity="warning", message=message, routine_id=name)


def _cycles(plan: Plan) -> Iterator[GraphProblem]:
    for one in plan.connections:
        if one.source_id == one.target_id:
            message = f"routine {one.source_id!r} feeds itself"
            yield GraphProblem(kind="cycle", severity="info", message=message, routine_id=one.source_id)
    left = {name: set(sources) for name, sources in plan.dependencies().items()}
    while True:
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1]
            message = f"messages may go round: {' -> '.join(map(repr, circle))}"
            yield GraphProblem(kind="cycle", severity="info", message=message, routine_id=circle[0])
            left[circle[1]].discard(circle[0])
        else:
            return


def _unknown_parameters(plan: Plan) -> Iterator[GraphProblem]:
    for one in plan.connections:
        receiver = plan.receiver(one.target_id, one.target_slot)
        if receiver is None:
            continue
        place = f"handler '{one.target_id}.{one.target_slot}'"
        for name in one.param_mapping.values():
            if not receiver.takes(name):
                message = f"{place} takes no {name!r}, which the connection from {one.source_id!r} maps to"
                yield _parameter_problem(message, one)
        sent = plan.routines[one.source_id].events[one.source_event].output_params
        arriving = {one.param_mapping.get(name, name) for name in sent}
        for name in receiver.required if sent else ():
            if name not in arriving and receiver.takes_by_name:
                message = f"{place} wants {name!r}, which event {one.source_event!r} of {one.source_id!r} does not send"
                yield _parameter_problem(message, one)


def _parameter_problem(message: str, connection: Connection) -> GraphProblem:
    return GraphProblem(kind="unknown_parameter", severity="error", message=message, routine_id=connection.target_id)
