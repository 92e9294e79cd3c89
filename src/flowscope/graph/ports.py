"""The ends of a routine: slots, which take messages, and events, which send them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeVar, final, overload
from weakref import WeakKeyDictionary

__all__ = ["Connection", "Event", "MergeStrategy", "Route", "Slot", "SlotOptions", "event", "slot", "slot_options"]

F = TypeVar("F", bound=Callable[..., Any])

MergeStrategy = Literal["override", "append"] | Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]
"""How a message becomes what a handler gets, together with those before it in the same job: it replaces them, its values
are appended to a list for each key, or a function of the merge so far (empty at first) and the message tells."""


@final
class Event:
    """A named output of a routine."""

    __slots__ = ("name", "output_params")

    def __init__(self, name: str, output_params: tuple[str, ...] = ()) -> None:
        self.name = name
        self.output_params = output_params
        """The keys of its messages, for readers and for `validate_graph`; empty if they are not told."""

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


class SlotOptions(NamedTuple):
    """What `@slot` was told."""

    name: str
    merge_strategy: MergeStrategy


_options: WeakKeyDictionary[Callable[..., Any], SlotOptions] = WeakKeyDictionary()


@overload
def slot(handler: F, /) -> F: ...
@overload
def slot(*, name: str | None = None, merge_strategy: MergeStrategy = "override") -> Callable[[F], F]: ...
def slot(
    handler: F | None = None, /, *, name: str | None = None, merge_strategy: MergeStrategy = "override"
) -> F | Callable[[F], F]:
    """Make a method of a routine class the handler of a slot.

    Args:
        handler: A sync or async method. It is called with those keys of a message that it has parameters for.
        name: The name of the slot; None takes the method's.
        merge_strategy: How a message becomes what the handler gets.
    """

    def decorate(function: F) -> F:
        _options[function] = SlotOptions(name or function.__name__, merge_strategy)
        return function

    return decorate if handler is None else decorate(handler)


def slot_options(function: object) -> SlotOptions | None:
    """What `@slot` was told about a function, if it decorated it."""
    return _options.get(function) if callable(function) and hasattr(function, "__code__") else None


class Connection(NamedTuple):
    """A way from an event to a slot."""

    source_id: str
    source_event: str
    target_id: str
    target_slot: str
    param_mapping: Mapping[str, str]
    """Names of the message to names in the slot, changed all at once; other keys pass."""

    def carry(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """A message as it arrives."""
        names = self.param_mapping
        return {names.get(key, key): value for key, value in data.items()} if names else dict(data)


class Route(NamedTuple):
    """A connection with what its messages meet."""

    connection: Connection
    target: Any
    """The routine that receives."""
    merge_strategy: MergeStrategy
