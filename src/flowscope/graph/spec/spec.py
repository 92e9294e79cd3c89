"""A graph as data: structure and config, and functions by their names."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from inspect import getattr_static
from math import inf
from types import FunctionType
from typing import Any, ClassVar, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from ...errors import GraphError
from ...model.config import FlowConfig
from ...serialization.transport.import_references import FROM_SPEC, Sources, find_reference, only_from, reference_to
from ..errors import SpecError
from ..job.options import ErrorHandler, ExecutionStrategy
from ..routines.routine import Routine
from ..slots.slots_and_events import Event, MergeStrategy, Slot
from ..structure.wiring import Wiring
from .config_json import check_same, config_of

__all__ = ["ConnectionSpec", "EventSpec", "GraphSpec", "RoutineSpec", "SlotSpec", "rebuilt", "spec_of_graph"]

W = TypeVar("W", bound=Wiring)

_STRICT = ConfigDict(extra="forbid", frozen=True)


class SlotSpec(BaseModel):
    """A slot that was added to an object."""

    model_config: ClassVar[ConfigDict] = _STRICT

    name: str
    handler: str | None = None
    """`module:qualname` of a function, or `self:name` of a method of the routine's class."""
    merge_strategy: str = "override"
    """`override`, `append`, or the name of a function or method like that of a handler."""


class EventSpec(BaseModel):
    """An event that was added to an object."""

    model_config: ClassVar[ConfigDict] = _STRICT

    name: str
    output_params: tuple[str, ...] = ()


class RoutineSpec(BaseModel):
    """A routine."""

    model_config: ClassVar[ConfigDict] = _STRICT

    id: str
    type: str
    """`module:qualname` of its class."""
    config: dict[str, Any] = {}
    """Its fields, under the names that they are validated by."""
    slots: tuple[SlotSpec, ...] = ()
    events: tuple[EventSpec, ...] = ()
    error_handler: ErrorHandler | None = None
    optional: bool = False


class ConnectionSpec(BaseModel):
    """A connection."""

    model_config: ClassVar[ConfigDict] = _STRICT

    source_id: str
    source_event: str
    target_id: str
    target_slot: str
    param_mapping: dict[str, str] = {}


class GraphSpec(BaseModel):
    """A graph: what `RoutineGraph.deserialize` makes it again from, in any process that can import its classes."""

    model_config: ClassVar[ConfigDict] = _STRICT

    version: Literal[1] = 1
    """Of this form; a spec without one is read as version 1."""
    flow_id: str = Field(min_length=1)
    execution_strategy: ExecutionStrategy = "sequential"
    max_workers: int = Field(default=5, ge=1)
    execution_timeout: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    max_history: int | None = Field(default=None, ge=0)
    """How many records the history of a job keeps; None is all."""
    flow_config: FlowConfig | None = None
    """How the runs of jobs are recorded; None is the default."""
    error_handler: ErrorHandler | None = None
    routines: tuple[RoutineSpec, ...] = ()
    connections: tuple[ConnectionSpec, ...] = ()


@contextmanager
def _spec_errors() -> Generator[None]:
    """A `GraphError` of no other kind, raised inside, becomes a `SpecError`."""
    try:
        yield
    except GraphError as error:
        if type(error) is GraphError:
            raise SpecError(error.reason) from error
        raise


@_spec_errors()
def spec_of_graph(graph: Wiring) -> GraphSpec:
    """The spec of a graph. Its routines are made from it once, so that it holds nothing that would come back changed.

    Raises:
        SpecError: Something in it cannot be found again by its name, or has no JSON form that comes back as it is.
    """
    connections = graph.connections  # before the routines: of those that it names none is missing then
    what = f"graph {graph.flow_id!r}"
    with _error_context(f"{what} cannot be serialised"):
        made = GraphSpec(
            flow_id=graph.flow_id,
            execution_strategy=graph.execution_strategy,
            max_workers=graph.max_workers,
            execution_timeout=None if graph.execution_timeout == inf else graph.execution_timeout,
            max_history=graph.max_history,
            flow_config=_flow_config(graph.flow_config, what),
            error_handler=graph.error_handler,
            routines=tuple(_routine_spec(name, routine) for name, routine in graph.routines.items()),
            connections=tuple(ConnectionSpec.model_validate(one._asdict()) for one in connections),
        )
        made.model_dump_json()
    return made


@contextmanager
def _error_context(what: str) -> Generator[None]:
    """Anything raised inside becomes a `SpecError` about that, in one line and without the values themselves."""
    try:
        yield
    except GraphError:
        raise
    except ValidationError as error:
        raise SpecError(f"{what}: {_first(error)}") from error
    except Exception as error:
        raise SpecError(f"{what}: {error}") from error


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg'].rstrip('.')}"


def _flow_config(config: FlowConfig, what: str) -> FlowConfig | None:
    if type(config) is not FlowConfig:
        raise SpecError(f"the flow_config of {what} is of {type(config)!r}, wanted FlowConfig itself in a spec.")
    return None if config == FlowConfig.default() else config


def _routine_spec(routine_id: str, routine: Routine) -> RoutineSpec:
    what = f"routine {routine_id!r}"
    slots, events = routine.slots, routine.events
    with _error_context(f"{what} cannot be serialised"):
        bare = RoutineSpec(
            id=routine_id,
            type=reference_to(type(routine), f"the class of {what}"),
            slots=tuple(
                _slot_spec(slot, routine, what) for name, slot in slots.items() if name not in routine.declared_slots
            ),
            events=tuple(_event_spec(event) for name, event in events.items() if name not in routine.declared_events),
            error_handler=routine.error_handler,
            optional=routine.is_optional,
        )
        bare.model_dump_json()
    problems: list[GraphError] = []
    for by_alias in (True, False):  # some fields are validated by their aliases alone, some by their names alone
        made = bare.model_copy(update={"config": config_of(routine, what, by_alias=by_alias)})
        try:
            check_same(routine, _rebuilt_routine(made), what)
        except GraphError as error:
            problems.append(error)
        else:
            return made
    raise problems[0]


def _event_spec(event: Event) -> EventSpec:
    return EventSpec(name=event.name, output_params=event.output_params)


def _slot_spec(slot: Slot, routine: Routine, what: str) -> SlotSpec:
    place, strategy = f"slot {slot.name!r} of {what}", slot.merge_strategy
    return SlotSpec(
        name=slot.name,
        handler=None if slot.handler is None else _name_of(slot.handler, routine, f"the handler of {place}"),
        merge_strategy=strategy
        if isinstance(strategy, str)
        else _name_of(strategy, routine, f"the merge strategy of {place}"),
    )


def _name_of(function: Callable[..., Any], routine: Routine, what: str) -> str:
    name = getattr(function, "__name__", "")
    if _method(routine, name) == function:
        return f"{_SELF}:{name}"
    return reference_to(function, what)


_SELF: Final = "self"
_METHODS: Final = (FunctionType, staticmethod, classmethod)


def _method(routine: Routine, name: str) -> Callable[..., Any] | None:
    """A method that a class of routines defines; nothing that is computed, nor a name that Python gives a meaning."""
    found = getattr_static(type(routine), name, None)
    usable = isinstance(found, _METHODS) and not name.startswith("__")
    return getattr(routine, name) if usable else None


@_spec_errors()
def rebuilt(
    spec: GraphSpec | Mapping[str, Any] | str | bytes,
    make: Callable[[str, ExecutionStrategy, int, float | None], W],
    modules: Iterable[str] | None,
) -> W:
    """The graph of a spec, which `make`, its class, makes without anything in it.

    Raises:
        SpecError: Something in it is unknown, missing, of another version, or of a package that is not allowed.
    """
    with only_from(Sources(modules)):
        return _rebuilt(_checked(spec), make)


def _rebuilt(checked: GraphSpec, make: Callable[[str, ExecutionStrategy, int, float | None], W]) -> W:
    with _error_context(
        f"{getattr(make, '__name__', make)} cannot be made like RoutineGraph, with its first four parameters"
    ):
        graph = make(checked.flow_id, checked.execution_strategy, checked.max_workers, checked.execution_timeout)
    graph.set_error_handler(checked.error_handler)
    graph.max_history = checked.max_history
    if checked.flow_config is not None:
        graph.flow_config = checked.flow_config
    for one in checked.routines:
        graph.add_routine(_rebuilt_routine(one), one.id)
    for connection in checked.connections:
        _connect(graph, connection)
    return graph


def _connect(graph: Wiring, spec: ConnectionSpec) -> None:
    try:
        graph.connect(**spec.model_dump())
    except GraphError as error:
        place = f"{spec.source_id}.{spec.source_event} -> {spec.target_id}.{spec.target_slot}"
        raise SpecError(f"connection {place!r} cannot be made: {error}") from error


def _checked(spec: GraphSpec | Mapping[str, Any] | str | bytes) -> GraphSpec:
    if isinstance(spec, GraphSpec):
        return spec
    with _error_context("this is no graph"):
        plain: Any = from_json(spec) if isinstance(spec, str | bytes) else _plain(spec)
    try:
        return GraphSpec.model_validate(plain)
    except ValidationError as error:
        raise SpecError(
            f"this is no graph of version 1: {_place(plain, error)}. Make specs with serialize(), or after "
            "GraphSpec.model_json_schema()."
        ) from error


def _plain(spec: object) -> object:
    mapping: Any = spec
    return {**mapping} if isinstance(spec, Mapping) else spec


def _place(given: Any, error: ValidationError) -> str:
    """What is wrong in a spec, with what tells it from others of its kind, as far as it has that."""
    place = error.errors()[0]["loc"]
    try:
        if place[0] == "version":
            return f"it is of version {given['version']!r}"
        if place[0] == "routines":
            return f"{_first(error)} (routine {given['routines'][place[1]]['id']!r})"
    except (LookupError, TypeError):
        pass
    return _first(error)


def _rebuilt_routine(spec: RoutineSpec) -> Routine:
    what = f"routine {spec.id!r}"
    kind: Any = find_reference(spec.type, f"the class of {what}")
    if not (isinstance(kind, type) and issubclass(kind, Routine)):
        raise SpecError(f"the class of {what} is {spec.type!r}, which is no routine.")
    try:
        routine = kind.model_validate(spec.config, context=FROM_SPEC)
    except ValidationError as error:
        raise SpecError(f"the config of {what} does not fit {spec.type!r}: {_first(error)}") from error
    except Exception as error:
        raise SpecError(
            f"{what} cannot be made of its config as {spec.type!r}: {type(error).__name__}: {error}. Let the fields be "
            "all that it is made of."
        ) from error
    _add_ports(routine, spec, what)
    if spec.optional:
        routine.set_as_optional()
    else:
        routine._optional = False  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # its class may have said otherwise
    if spec.error_handler is not None:
        routine.set_error_handler(spec.error_handler)
    return routine


def _add_ports(routine: Routine, spec: RoutineSpec, what: str) -> None:
    """Add the slots and events that the routine has not made itself, alike, when it was made."""
    slots, events = routine.slots, routine.events
    for slot in spec.slots:
        if slot.name not in slots:
            routine.define_slot(slot.name, _found_handler(slot, routine, what), _found_strategy(slot, routine, what))
        elif _slot_spec(slots[slot.name], routine, what) != slot:
            raise SpecError(f"slot {slot.name!r} of {what} differs from the one that {spec.type!r} makes itself.")
    for event in spec.events:
        if event.name not in events:
            routine.define_event(event.name, event.output_params)
        elif _event_spec(events[event.name]) != event:
            raise SpecError(f"event {event.name!r} of {what} differs from the one that {spec.type!r} makes itself.")


def _found_handler(slot: SlotSpec, routine: Routine, what: str) -> Callable[..., Any] | None:
    return (
        None if slot.handler is None else _found(slot.handler, routine, f"the handler of slot {slot.name!r} of {what}")
    )


def _found_strategy(slot: SlotSpec, routine: Routine, what: str) -> MergeStrategy:
    name = slot.merge_strategy
    if name == "override":
        return "override"
    if name == "append":
        return "append"
    return _found(name, routine, f"the merge strategy of slot {slot.name!r} of {what}")


def _found(name: str, routine: Routine, what: str) -> Callable[..., Any]:
    place, _, method = name.partition(":")
    found: Any = _method(routine, method) if place == _SELF else find_reference(name, what)
    if not callable(found):
        wanted = f"a method of {type(routine).__name__}" if place == _SELF else "a function"
        raise SpecError(f"{what} is {name!r}, wanted {wanted}.")
    function: Callable[..., Any] = found
    return function
