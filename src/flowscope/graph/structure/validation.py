"""What looks wrong in the wiring of a graph, or is worth knowing, before any job runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Final, Literal, Protocol

from pydantic import BaseModel, ConfigDict

from ..routines.routine import Routine
from ..slots.handler_binding import Receiver
from ..slots.slots_and_events import Connection

__all__ = ["GraphProblem", "Plan", "ProblemKind", "problems_of"]

ProblemKind = Literal[
    "no_entry", "no_trigger", "unreachable", "unheard_event", "unfed_slot", "cycle", "unknown_parameter"
]


class GraphProblem(BaseModel):
    """One finding."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    kind: ProblemKind
    severity: Literal["error", "warning", "info"]
    """An error cannot work as it stands; a warning is something that no message comes to; the rest is worth knowing."""
    message: str
    routine_id: str | None = None
    """The routine that it is about; None for the whole graph."""

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


def problems_of(plan: Plan) -> list[GraphProblem]:
    """All findings, by kind."""
    routines, connections = plan.routines, plan.connections
    targets: dict[str, dict[str, None]] = {name: {} for name in routines}
    for one in connections:
        targets[one.source_id][one.target_id] = None
    entries = [name for name, routine in routines.items() if "trigger" in routine.slots]
    fed = {one.target_id for one in connections}
    idle = [name for name in routines if name not in fed and name not in entries]
    return [
        *_no_trigger(routines, entries, idle),
        *_unreachable(targets, entries, idle),
        *_unheard(routines, connections),
        *_unfed(routines, connections),
        *_cycles(targets),
        *_unknown_parameters(plan, routines, connections),
    ]


def _no_trigger(routines: Mapping[str, Routine], entries: list[str], idle: list[str]) -> Iterator[GraphProblem]:
    if routines and not entries:
        message = "no routine has a slot 'trigger', so no job can begin"
        yield GraphProblem(kind="no_entry", severity="error", message=message)
    for name in idle:
        message = f"routine {name!r} can never run: nobody feeds it, and it has no slot 'trigger' to begin a job with"
        yield GraphProblem(kind="no_trigger", severity="error", message=message, routine_id=name)


def _unreachable(targets: Mapping[str, Iterable[str]], entries: list[str], idle: list[str]) -> Iterator[GraphProblem]:
    """Those that nothing leads to from an entry; of idle ones it is said already."""
    reached = set(entries)
    fresh = list(reached)
    while fresh:
        found = set(targets[fresh.pop()]) - reached
        reached |= found
        fresh.extend(found)
    for name in targets:
        if name not in reached and name not in idle:
            message = f"routine {name!r} is reached from no routine with a slot 'trigger'"
            yield GraphProblem(kind="unreachable", severity="warning", message=message, routine_id=name)


def _unheard(routines: Mapping[str, Routine], connections: Sequence[Connection]) -> Iterator[GraphProblem]:
    heard = {(one.source_id, one.source_event) for one in connections}
    for name, routine in routines.items():
        for event in routine.events:
            if (name, event) not in heard:
                message = f"nobody receives event {event!r} of routine {name!r}"
                yield GraphProblem(kind="unheard_event", severity="info", message=message, routine_id=name)


def _unfed(routines: Mapping[str, Routine], connections: Sequence[Connection]) -> Iterator[GraphProblem]:
    fed = {(one.target_id, one.target_slot) for one in connections}
    for name, routine in routines.items():
        for slot in routine.slots:
            if slot != "trigger" and (name, slot) not in fed:
                message = f"nobody feeds slot {slot!r} of routine {name!r}"
                yield GraphProblem(kind="unfed_slot", severity="warning", message=message, routine_id=name)


def _cycles(targets: Mapping[str, Iterable[str]]) -> Iterator[GraphProblem]:
    """One for each pair of routines whose connection leads back to where a walk through the graph has come from."""
    done: set[str] = set()
    for start in targets:
        path: list[str] = []
        places: dict[str, int] = {}
        steps: list[Iterator[str]] = [iter([start])]
        while steps:
            step = next((one for one in steps[-1] if one not in done), None)
            if step is None:
                steps.pop()
                if path:
                    done.add(path[-1])
                    del places[path.pop()]
            elif step in places:
                yield _cycle(path, places[step])
            else:
                places[step] = len(path)
                path.append(step)
                steps.append(iter(targets[step]))


_SHOWN: Final = 10


def _cycle(path: list[str], start: int) -> GraphProblem:
    """The circle that closes from the end of a path to a place in it."""
    first, length = path[start], len(path) - start
    if length == 1:
        message = f"routine {first!r} feeds itself"
    else:
        shown = [repr(name) for name in path[start : start + _SHOWN]]
        if length > _SHOWN:
            shown[_SHOWN // 2 :] = [f"{length - _SHOWN + 1:,} more", *map(repr, path[1 - _SHOWN // 2 :])]
        message = f"messages may go round: {' -> '.join([*shown, repr(first)])}"
    return GraphProblem(kind="cycle", severity="info", message=message, routine_id=first)


def _unknown_parameters(
    plan: Plan, routines: Mapping[str, Routine], connections: Sequence[Connection]
) -> Iterator[GraphProblem]:
    slots = {name: routine.slots for name, routine in routines.items()}
    events = {name: routine.events for name, routine in routines.items()}
    for one in connections:
        receiver = plan.receiver(one.target_id, one.target_slot)
        strategy = slots[one.target_id][one.target_slot].merge_strategy
        if receiver is None or callable(strategy):
            continue  # nobody takes it, or what a merge function makes of it
        sent = events[one.source_id][one.source_event].output_params
        for message in _misfits(one, receiver, sent if strategy == "override" else ()):
            yield GraphProblem(kind="unknown_parameter", severity="error", message=message, routine_id=one.target_id)


def _misfits(one: Connection, receiver: Receiver, sent: Sequence[str]) -> Iterator[str]:
    place = f"handler '{one.target_id}.{one.target_slot}'"
    for name in one.param_mapping.values():
        if not receiver.takes(name):
            yield f"{place} takes no {name!r}, which the connection from {one.source_id!r} maps to"
    arriving = one.carry(dict.fromkeys(sent))
    for name in receiver.required if sent and receiver.takes_by_name else ():
        if name not in arriving:
            yield f"{place} wants {name!r}, which event {one.source_event!r} of {one.source_id!r} does not send"
