"""A graph as data: structure and config, and functions by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import GraphError
from .kinds import ErrorHandler, ExecutionStrategy
from .ports import MergeStrategy, Slot
from .references import FROM_SPEC, find_reference, reference_to
from .routine import Routine

if TYPE_CHECKING:
    from .graph import RoutineGraph

__all__ = ["ConnectionSpec", "EventSpec", "GraphSpec", "RoutineSpec", "SlotSpec", "rebuilt", "spec_of_graph"]

G = TypeVar("G", bound="RoutineGraph")

_STRICT = ConfigDict(extra="forbid", frozen=True)


class SlotSpec(BaseModel):
    """A slot that was added to an object."""

    model_config = _STRICT

    name: str
    handler: str | None = None
    """`module:qualname` of a function, or `self:name` of a method of the routine."""
    merge_strategy: str = "override"
    """`override`, `append` or `module:qualname` of a function."""


class EventSpec(BaseModel):
    """An event that was added to an object."""

    model_config = _STRICT

    name: str
    output_params: tuple[str, ...] = ()


class RoutineSpec(BaseModel):
    """A routine."""

    model_config = _STRICT

    id: str
    type: str
    """`module:qualname` of its class."""
    config: dict[str, Any] = {}
    """Its fields."""
    slots: tuple[SlotSpec, ...] = ()
    events: tuple[EventSpec, ...] = ()
    error_handler: ErrorHandler | None = None
    optional: bool = False


class ConnectionSpec(BaseModel):
    """A connection."""

    model_config = _STRICT

    source_id: str
    source_event: str
    target_id: str
    target_slot: str
    param_mapping: dict[str, str] = {}


class GraphSpec(BaseModel):
    """A graph: what `RoutineGraph.deserialize` makes it again from, in any process that can import its classes."""

    model_config = _STRICT

    version: Literal[1] = 1
    flow_id: str
    execution_strategy: ExecutionStrategy = "sequential"
    max_workers: int = Field(default=5, ge=1)
    execution_timeout: float | None = None
    error_handler: ErrorHandler | None = None
    routines: tuple[RoutineSpec, ...] = ()
    connections: tuple[ConnectionSpec, ...] = ()


def spec_of_graph(graph: RoutineGraph) -> GraphSpec:
    """The spec of a graph.

    Raises:
        GraphError: A class or function in it cannot be found again by its name.
    """
    return GraphSpec(
        flow_id=graph.flow_id,
        execution_strategy=graph.execution_strategy,
        max_workers=graph.max_workers,
        execution_timeout=graph.execution_timeout,
        error_handler=graph.error_handler,
        routines=tuple(_routine_spec(name, routine) for name, routine in graph.routines.items()),
        connections=tuple(
            ConnectionSpec(
                source_id=one.source_id,
                source_event=one.source_event,
                target_id=one.target_id,
                target_slot=one.target_slot,
                param_mapping=dict(one.param_mapping),
            )
            for one in graph.connections
        ),
    )


def _routine_spec(routine_id: str, routine: Routine) -> RoutineSpec:
    what = f"routine {routine_id!r}"
    declared = routine.declared_slots
    try:
        config: dict[str, Any] = routine.model_dump(mode="json")
    except ValueError as error:
        raise GraphError(f"the config of {what} has no JSON form: {error}") from error
    return RoutineSpec(
        id=routine_id,
        type=reference_to(type(routine), f"the class of {what}"),
        config=config,
        slots=tuple(_slot_spec(slot, routine, what) for slot in routine.slots.values() if slot.name not in declared),
        events=tuple(
            EventSpec(name=event.name, output_params=event.output_params)
            for event in routine.events.values()
            if event.name not in routine.declared_events
        ),
        error_handler=routine.error_handler,
        optional=routine.is_optional,
    )


def _slot_spec(slot: Slot, routine: Routine, what: str) -> SlotSpec:
    strategy = slot.merge_strategy
    return SlotSpec(
        name=slot.name,
        handler=None if slot.handler is None else _handler_name(slot.handler, routine, f"slot {slot.name!r} of {what}"),
        merge_strategy=strategy
        if isinstance(strategy, str)
        else reference_to(strategy, f"the merge strategy of slot {slot.name!r} of {what}"),
    )


def _handler_name(handler: Callable[..., Any], routine: Routine, what: str) -> str:
    if getattr(handler, "__self__", None) is routine:
        return f"self:{handler.__name__}"
    return reference_to(handler, f"the handler of {what}")


def rebuilt(kind: type[G], spec: GraphSpec | Mapping[str, Any] | str | bytes) -> G:
    """The graph of a spec.

    Raises:
        GraphError: Something in it is unknown, missing or of another version.
    """
    checked = _checked(spec)
    graph = kind(checked.flow_id, checked.execution_strategy, checked.max_workers, checked.execution_timeout)
    graph.set_error_handler(checked.error_handler)
    for one in checked.routines:
        graph.add_routine(_rebuilt_routine(one), one.id)
    for connection in checked.connections:
        graph.connect(**connection.model_dump())
    return graph


def _checked(spec: GraphSpec | Mapping[str, Any] | str | bytes) -> GraphSpec:
    if isinstance(spec, GraphSpec):
        return spec
    try:
        if isinstance(spec, str | bytes):
            return GraphSpec.model_validate_json(spec)
        return GraphSpec.model_validate(dict(spec))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise GraphError(f"this is no graph of this version: {where}: {first['msg']}.") from error


def _rebuilt_routine(spec: RoutineSpec) -> Routine:
    what = f"routine {spec.id!r}"
    kind: Any = find_reference(spec.type, f"the class of {what}")
    if not (isinstance(kind, type) and issubclass(kind, Routine)):
        raise GraphError(f"the class of {what} is {spec.type!r}, which is no routine.")
    try:
        routine = kind.model_validate(spec.config, context=FROM_SPEC)
    except ValidationError as error:
        raise GraphError(f"the config of {what} does not fit {spec.type!r}: {error}") from error
    for slot in spec.slots:
        if slot.name in routine.slots:  # it has made it itself, as it was made
            continue
        routine.define_slot(slot.name, _found_handler(slot.handler, routine, what), _found_strategy(slot, what))
    for event in spec.events:
        if event.name not in routine.events:
            routine.define_event(event.name, event.output_params)
    if spec.optional:
        routine.set_as_optional()
    if spec.error_handler is not None:
        routine.set_error_handler(spec.error_handler)
    return routine


def _found_handler(name: str | None, routine: Routine, what: str) -> Callable[..., Any] | None:
    if name is None:
        return None
    place, _, method = name.partition(":")
    if place != "self":
        found: Callable[..., Any] = find_reference(name, f"a handler of {what}")
    else:
        found = getattr(routine, method, None)  # type: ignore[assignment] # checked next
    if not callable(found):
        raise GraphError(f"a handler of {what} is {name!r}, which cannot be called.")
    return found


def _found_strategy(slot: SlotSpec, what: str) -> MergeStrategy:
    name = slot.merge_strategy
    if name == "override":
        return "override"
    if name == "append":
        return "append"
    found: MergeStrategy = find_reference(name, f"the merge strategy of slot {slot.name!r} of {what}")
    if not callable(found):
        raise GraphError(f"the merge strategy of slot {slot.name!r} of {what} is {name!r}, which cannot be called.")
    return found
