"""The ends of a routine: slots, which take messages, and events, which send them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import FunctionType, MethodType
from typing import Any, Literal, NamedTuple, TypeVar, final, overload
from weakref import WeakKeyDictionary

from ...errors import GraphError

__all__ = [
    "Connection",
    "Event",
    "MergeStrategy",
    "OfRoutine",
    "Slot",
    "SlotPlan",
    "checked_name",
    "declared_slot",
    "event",
    "slot",
    "slot_plan",
]

F = TypeVar("F", bound=Callable[..., Any])

MergeStrategy = Literal["override", "append"] | Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]
"""How a message becomes what a handler gets, together with those before it in the same job: it replaces them, its values
are appended to a list for each key, or a function of the merge so far (empty at first) and the message tells."""


def checked_name(name: object, what: str) -> str:
    """A name that can be one.

    Raises:
        GraphError: It is no text, or empty.
    """
    if not isinstance(name, str) or not name:
        raise GraphError(f"{what} is {name!r}, wanted a text that is not empty.")
    return name


@final
class Event:
    """A named output of a routine."""

    __slots__ = ("name", "output_params")

    def __init__(self, name: str, output_params: tuple[str, ...] = ()) -> None:
        self.name: str = name
        self.output_params: tuple[str, ...] = output_params
        """The keys of its messages, for readers and for `validate_graph`; empty if they are not told."""
        for one in output_params:
            checked_name(one, "a key of an event's messages")

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.name or name

    def __repr__(self) -> str:
        return f"<Event {self.name!r}>"


def event(*output_params: str) -> Event:
    """An event of a routine class, named like its attribute; `output_params` are the keys of its messages."""
    return Event("", output_params)


class Slot(NamedTuple):
    """A named input of a routine."""

    name: str
    handler: Callable[..., Any] | None
    """What is called with each message; None only merges."""
    merge_strategy: MergeStrategy


class OfRoutine(ABC):
    """A handler or merge strategy that belongs to one routine: a copy of the routine has one of its own."""

    @abstractmethod
    def of(self, routine: object) -> Any:
        """The handler or merge strategy of a routine."""


class Own(OfRoutine):
    """A method of the routine itself."""

    def __init__(self, method: FunctionType | str) -> None:
        self._method = method
        """The function, or the name of the attribute that it is found under."""

    def of(self, routine: object) -> Any:
        """Bound to a routine."""
        method = self._method
        return getattr(routine, method) if isinstance(method, str) else MethodType(method, routine)


class SlotPlan(NamedTuple):
    """A slot as a class or an object keeps it, bound to no routine yet."""

    name: str
    handler: Callable[..., Any] | OfRoutine | None
    merge_strategy: MergeStrategy | OfRoutine

    def of(self, routine: object) -> Slot:
        """The slot of a routine."""
        handler, strategy = self.handler, self.merge_strategy
        return Slot(
            self.name,
            handler.of(routine) if isinstance(handler, OfRoutine) else handler,
            strategy.of(routine) if isinstance(strategy, OfRoutine) else strategy,
        )


def slot_plan(routine: object, name: str, handler: Callable[..., Any] | None, strategy: MergeStrategy) -> SlotPlan:
    """A slot that is added to a routine.

    Raises:
        GraphError: The name is none, the handler cannot be called, or there is no such merge strategy.
    """
    if handler is not None and not callable(handler):
        raise GraphError(f"the handler of slot {name!r} is {handler!r}, wanted a function or None.")
    _check_strategy(strategy)
    return SlotPlan(checked_name(name, "the name of a slot"), _unbound(handler, routine), _unbound(strategy, routine))


def _unbound(function: Any, routine: object) -> Any:
    own = isinstance(function, MethodType) and function.__self__ is routine
    return Own(function.__func__) if own and isinstance(function.__func__, FunctionType) else function


def _check_strategy(strategy: object) -> None:
    known = isinstance(strategy, OfRoutine) or (isinstance(strategy, str) and strategy in {"override", "append"})
    if not known and not callable(strategy):
        raise GraphError(f"merge_strategy is {strategy!r}, wanted 'override', 'append' or a function.")


class _Options(NamedTuple):
    """What `@slot` was told."""

    name: str
    merge_strategy: MergeStrategy | OfRoutine


_options: WeakKeyDictionary[Callable[..., Any], _Options] = WeakKeyDictionary()


@overload
def slot(handler: F, /) -> F: ...
@overload
def slot(*, name: str | None = None, merge_strategy: MergeStrategy | OfRoutine = "override") -> Callable[[F], F]: ...
def slot(
    handler: F | None = None, /, *, name: str | None = None, merge_strategy: MergeStrategy | OfRoutine = "override"
) -> F | Callable[[F], F]:
    """Make a method of a routine class the handler of a slot. A subclass that overrides the method need not repeat it.

    Args:
        handler: A sync or async method. It is called with those keys of a message that it has parameters for.
        name: The name of the slot; None takes the method's.
        merge_strategy: How a message becomes what the handler gets.

    Raises:
        GraphError: It is no method, the name is none, or there is no such merge strategy.
    """
    _check_strategy(merge_strategy)

    def decorate(method: F) -> F:
        function = _function_of(method)
        if function is None:
            raise GraphError(f"@slot is given {method!r}, wanted a method. For anything else there is define_slot().")
        chosen = function.__name__ if name is None else checked_name(name, "the name of a slot")
        _options[function] = _Options(chosen, merge_strategy)
        return method

    return decorate if handler is None else decorate(handler)


def _function_of(method: Any) -> FunctionType | None:
    """The function of a method, which may be a static or a class method."""
    function: Any = method.__func__ if type(method) in {staticmethod, classmethod} else method
    return function if isinstance(function, FunctionType) else None


def declared_slot(attribute: str, value: object) -> SlotPlan | None:
    """The slot of a class whose handler has this name and value, if `@slot` is on it, or under its other decorators."""
    function = _function_of(value)
    while function is not None:
        if (options := _options.get(function)) is not None:
            return SlotPlan(options.name, Own(attribute), options.merge_strategy)
        function = _function_of(getattr(function, "__wrapped__", None))
    return None


class Connection(NamedTuple):
    """A way from an event to a slot."""

    source_id: str
    source_event: str
    target_id: str
    target_slot: str
    param_mapping: Mapping[str, str]
    """Names of the message to names in the slot, changed all at once; other keys pass. A key that passes and has the
    name that another one is changed to gives way to it."""

    def carry(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """A message as it arrives."""
        names = self.param_mapping
        if not names:
            return dict(data)
        passed = {key: value for key, value in data.items() if key not in names}
        return passed | {names[key]: value for key, value in data.items() if key in names}
