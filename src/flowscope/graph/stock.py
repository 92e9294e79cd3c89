"""Routines that most graphs need. Each has the slot `input`, which takes the whole message."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, PlainSerializer, ValidationError

from .conditions import Condition, holds
from .ports import Event, event, slot
from .references import find_reference, reference_to
from .routine import Routine

__all__ = ["Aggregator", "Batcher", "ConditionalRouter", "Filter", "Mapper", "SchemaValidator", "Splitter"]


class ConditionalRouter(Routine):
    """Sends a message to the event of the first route, or of all routes, whose condition holds.

    Each route is an event, which sends `data`, the message, and `route`, its name.
    """

    routes: list[tuple[str, Condition]]
    """Names and conditions, in the order in which they are tried."""
    default_route: str | None = None
    """The route of a message for which no condition holds; None drops it."""
    route_priority: Literal["first_match", "all_matches"] = "first_match"

    def model_post_init(self, context: Any, /) -> None:
        """Make an event of each route."""
        super().model_post_init(context)
        names = [name for name, _ in self.routes]
        for name in dict.fromkeys(names if self.default_route is None else [*names, self.default_route]):
            self._events.setdefault(name, Event(name, ("data", "route")))

    @slot
    def input(self, data: Any) -> None:
        """Route a message."""
        config = dict(self)
        matching = list(dict.fromkeys(name for name, condition in self.routes if holds(condition, data, config)))
        if not matching and self.default_route is not None:
            matching = [self.default_route]
        for name in matching[:1] if self.route_priority == "first_match" else matching:
            self.emit(name, data=data, route=name)


def collect(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The messages so far, and the new one, in the order of their arrival."""
    return {"items": [*old.get("items", ()), new["data"] if set(new) == {"data"} else new]}


class Aggregator(Routine):
    """Gathers messages, and sends each `count` of them together, as `items`; fewer wait for more."""

    count: int = Field(ge=1)

    aggregated = event("items")

    @slot(merge_strategy=collect)
    def input(self, items: list[Any]) -> None:
        """Gather a message."""
        if len(items) % self.count == 0:
            self.emit("aggregated", items=items[-self.count :])


class Batcher(Routine):
    """Sends messages in batches of `batch_size`, as `items`; an incomplete batch waits for more."""

    batch_size: int = Field(ge=1)

    batch = event("items")

    @slot(merge_strategy=collect)
    def input(self, items: list[Any]) -> None:
        """Gather a message."""
        if len(items) % self.batch_size == 0:
            self.emit("batch", items=items[-self.batch_size :])


class Mapper(Routine):
    """Sends, as `data`, a message with new names: `mappings` has for each the dotted path of the value."""

    mappings: dict[str, str]

    output = event("data")

    @slot
    def input(self, data: Any) -> None:
        """Map a message.

        Raises:
            LookupError: It has no value at a path.
        """
        self.emit("output", data={new: _value_at(data, path) for new, path in self.mappings.items()})


def _value_at(data: Any, path: str) -> Any:
    value = data
    for step in path.split("."):
        value = value[int(step) if type(value) in {list, tuple} else step]
    return value


class Filter(Routine):
    """Sends a message, as `data`, on as `passed` if its condition holds, and as `rejected` otherwise."""

    condition: Condition

    passed = event("data")
    rejected = event("data")

    @slot
    def input(self, data: Any) -> None:
        """Judge a message."""
        self.emit("passed" if holds(self.condition, data, dict(self)) else "rejected", data=data)


class Splitter(Routine):
    """Sends each item of a field of the message by itself, as `item`, with its `index`."""

    field: str

    item = event("item", "index")

    @slot
    def input(self, data: Any) -> None:
        """Split a message.

        Raises:
            LookupError: It has no such field.
        """
        for index, one in enumerate(data[self.field]):
            self.emit("item", item=one, index=index)


def _model(value: object) -> object:
    return find_reference(value, "the model of a SchemaValidator") if isinstance(value, str) else value


def _model_name(value: type[BaseModel]) -> str:
    return reference_to(value, "the model of a SchemaValidator")


class SchemaValidator(Routine):
    """Checks messages against a Pydantic model: what fits goes on as `valid`, the rest as `invalid` with its `errors`."""

    model: Annotated[type[BaseModel], BeforeValidator(_model), PlainSerializer(_model_name, return_type=str)]

    valid = event("data")
    """With the message as the model makes it: defaults filled in, values coerced."""
    invalid = event("errors", "data")

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
