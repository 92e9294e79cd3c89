"""Routines that most graphs need. Each has the slot `input`, which takes the whole message.

As with every handler whose only parameter is `data`, that is what the message has as `data`, and else all of it. So they
work on what another one of them sends as `data`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationError

from ...serialization.introspection import class_of, type_name
from ...serialization.transport.import_references import ModelType
from ..job.merging import Groups
from ..slots.slots_and_events import Event, event, slot
from .conditions import Condition, holds
from .routine import Routine

__all__ = ["Aggregator", "Batcher", "ConditionalRouter", "Filter", "Mapper", "SchemaValidator", "Splitter"]


class ConditionalRouter(Routine):
    """Sends a message to the event of the first route, or of all routes, whose condition holds.

    Each route is an event, which sends `data`, the message, and `route`, its name. Routes may share a name.
    """

    routes: Sequence[tuple[str, Condition]]
    """Names and conditions, in the order in which they are tried."""
    default_route: str | None = None
    """The route of a message for which no condition holds; None drops it."""
    route_priority: Literal["first_match", "all_matches"] = "first_match"

    def model_post_init(self, context: Any, /) -> None:
        """Make an event of each route."""
        super().model_post_init(context)
        names = [name for name, _ in self.routes]
        for name in names if self.default_route is None else [*names, self.default_route]:
            if name not in self.events:
                self.define_event(name, ("data", "route"))

    @slot
    def input(self, data: Any) -> None:
        """Route a message."""
        for name in self._chosen(data):
            self.emit(name, data=data, route=name)

    def _chosen(self, data: object) -> list[str]:
        chosen: list[str] = []
        for name, condition in self.routes:
            if name not in chosen and holds(condition, data, self):
                chosen.append(name)
                if self.route_priority == "first_match":
                    break
        return chosen if chosen or self.default_route is None else [self.default_route]


class Aggregator(Routine):
    """Gathers messages, and sends each `count` of them together, as `items`; fewer wait for more."""

    count: int = Field(ge=1, strict=True)
    flush_partial: bool = True
    """Whether fewer are sent when the job has nothing else to do; otherwise they are left in `JobState.undelivered`."""

    aggregated: ClassVar[Event] = event("items")

    @slot(merge_strategy=Groups("count"))
    def input(self, data: list[Any]) -> None:
        """Send a group, if the message completes one; `data` is empty otherwise."""
        if data:
            self.emit("aggregated", items=data)


class Batcher(Routine):
    """Sends messages in batches of `batch_size`, as `items`; an incomplete batch waits for more."""

    batch_size: int = Field(ge=1, strict=True)
    flush_partial: bool = True
    """Whether an incomplete batch is sent when the job has nothing else to do; otherwise it is left in `JobState.undelivered`."""

    batch: ClassVar[Event] = event("items")

    @slot(merge_strategy=Groups("batch_size"))
    def input(self, data: list[Any]) -> None:
        """Send a batch, if the message completes one; `data` is empty otherwise."""
        if data:
            self.emit("batch", items=data)


class Mapper(Routine):
    """Sends, as `data`, a message with new names: `mappings` has for each the dotted path of the value.

    A step of a path is a key, or, in a list, a number from 0.
    """

    mappings: dict[str, str]

    output: ClassVar[Event] = event("data")

    @slot
    def input(self, data: Any) -> None:
        """Map a message.

        Raises:
            LookupError: It has no value at a path.
        """
        self.emit("output", data={new: _value_at(data, path.split(".")) for new, path in self.mappings.items()})


def _value_at(data: object, path: list[str]) -> object:
    value: Any = data
    for number, step in enumerate(path, 1):
        try:
            value = value[int(step) if class_of(value) in {list, tuple} else step]
        except (LookupError, TypeError, ValueError) as error:
            raise LookupError(f"the message has no {'.'.join(path[:number])!r}") from error
    return value


class Filter(Routine):
    """Sends a message, as `data`, on as `passed` if its condition holds, and as `rejected` otherwise."""

    condition: Condition

    passed: ClassVar[Event] = event("data")
    rejected: ClassVar[Event] = event("data")

    @slot
    def input(self, data: Any) -> None:
        """Judge a message."""
        self.emit("passed" if holds(self.condition, data, self) else "rejected", data=data)


class Splitter(Routine):
    """Sends each item of a field of the message by itself, as `item`, with its `index`."""

    field: str

    item: ClassVar[Event] = event("item", "index")

    @slot
    def input(self, data: Any) -> None:
        """Split a message.

        Raises:
            LookupError: It has no such field.
            TypeError: What it has there is one thing, as text and mappings are, too.
        """
        for index, one in enumerate(_items_of(data, self.field)):
            self.emit("item", item=one, index=index)


def _items_of(data: Any, field: str) -> list[Any]:
    found: Any = _value_at(data, [field])
    if not _is_several(found):
        raise TypeError(f"{field!r} of the message is of type {type_name(found)}, wanted a list or other items")
    return list(found)


def _is_several(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | bytearray | Mapping)


class SchemaValidator(Routine):
    """Checks messages against a Pydantic model: what fits goes on as `valid`, the rest as `invalid` with its `errors`."""

    model: ModelType

    valid: ClassVar[Event] = event("data")
    """With the message as the model makes it: defaults filled in, values coerced."""
    invalid: ClassVar[Event] = event("errors", "data")
    """With a list of dictionaries: `type`, `loc` (where, from outside in) and `msg`."""

    @slot
    def input(self, data: Any) -> None:
        """Check a message."""
        try:
            checked = self.model.model_validate(data)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_context=False, include_input=False)
            self.emit("invalid", errors=[dict(one) for one in errors], data=data)
        else:
            self.emit("valid", data=checked.model_dump())
