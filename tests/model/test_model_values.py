"""Models and dataclasses as values: written by their own serialisers, also where a field is beyond those."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np
import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    computed_field,
    field_serializer,
    model_serializer,
)

from flowscope import FlowRun, flow
from support.model.recorded_values import as_pydantic


def written(value: Any) -> Any:
    """What the JSON of a record has for a value."""

    @flow
    def give() -> Any:
        return value

    text = give().execute().flow_run.model_dump_json()
    assert FlowRun.model_validate_json(text).model_dump_json() == text
    return json.loads(text)["return_value"]


class Order(BaseModel):
    """A model that has a say in how it is written."""

    number: int = 7
    note: Any = None
    when: datetime = datetime(2020, 1, 1, tzinfo=UTC)
    internal: str = Field(default="not to be shown", exclude=True)

    @computed_field  # type: ignore[prop-decorator] # as Pydantic wants it
    @property
    def label(self) -> str:
        """Told by the number."""
        return f"no. {self.number}"

    @field_serializer("number")
    def padded(self, number: int) -> str:
        """With zeros in front."""
        return f"{number:04}"


class Open(BaseModel):
    """A model that takes more than it declares."""

    model_config = ConfigDict(extra="allow")

    name: str = "open"


class Textual(BaseModel):
    """A model that is written as text."""

    name: str = "ada"
    content: Any = None

    @model_serializer
    def as_text(self) -> str:
        """Its name."""
        return f"<{self.name}>"


class Refusing(BaseModel):
    """A model whose serialiser fails."""

    name: str = "ada"

    @field_serializer("name")
    def fails(self, name: str) -> str:
        """Never gives anything."""
        raise RuntimeError("not today")


class Renamed(BaseModel):
    """A model whose JSON has other names if it is asked for them."""

    name: str = Field(default="ada", serialization_alias="givenName")


class AlwaysRenamed(BaseModel):
    """A model whose JSON always has other names."""

    model_config = ConfigDict(serialize_by_alias=True)

    name: str = Field(default="ada", serialization_alias="givenName")


class Specialised(Order):
    """A subclass with one more field."""

    extra_field: int = 1


class Wrapper(BaseModel):
    """A model that declares a base class and holds a subclass."""

    order: Order


def test_the_fields_of_a_subclass_are_kept() -> None:
    """A subclass that stands where its base is declared is written whole, where Pydantic would leave its own fields out."""
    assert written(Wrapper(order=Specialised()))["order"]["extra_field"] == 1


class Node(BaseModel):
    """A model that refers to its like."""

    name: str
    following: "Node | None" = None


class Names(RootModel[list[str]]):
    """A list with a name."""


class Lengths(RootModel[dict[str, float]]):
    """A mapping with a name."""


@dataclass
class Pair:
    """A plain dataclass."""

    left: Any
    right: Any = field(default=None, repr=False)


@pytest.mark.parametrize(
    "value",
    [
        Order(note={"a": [1, (2, 3)]}),
        Open.model_validate({"name": "x", "more": {"at": datetime(2020, 1, 1)}}),
        Textual(),
        Renamed(),
        AlwaysRenamed(),
        Specialised(),
        Wrapper(order=Order()),
        Node(name="a", following=Node(name="b")),
        Names(["a", "b"]),
        Lengths({"a": 1.5}),
        Pair(1, [Order(), Pair(Names(["c"]))]),
        [Order(), {"orders": (Order(number=8),)}],
    ],
    ids=lambda value: type(value).__name__,
)
def test_models_are_written_as_pydantic_does(value: Any) -> None:
    """Computed fields, serialisers, exclusions, extra fields and aliases are honoured, however deep the model is."""
    assert written(value) == as_pydantic(value)


class Engine:
    """A class that nobody knows how to write."""

    def __repr__(self) -> str:
        return "<Engine>"


def generator() -> Iterator[int]:
    """Something that can be read once."""
    yield 1


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        (Engine(), {"__repr__": "<Engine>", "__type__": f"{Engine.__module__}.Engine"}),
        (b"\xff", "/w=="),
        (np.arange(2), [0, 1]),
        (10**5000, None),
        (generator(), None),
        ([generator()], None),
        (memoryview(b"\xff"), "/w=="),
        ({"\ud800": "\ud800"}, {"\\ud800": "\\ud800"}),
        ({Engine(): 1}, {"<Engine>": 1}),
    ],
    ids=["object", "bytes", "array", "huge", "generator", "generator in a list", "memoryview", "surrogates", "key"],
)
def test_one_strange_field_does_not_change_the_others(note: Any, expected: Any) -> None:
    """Beside a field that Pydantic cannot write, the model is written as ever: serialisers, computed and excluded fields."""
    found = written(Order(note=note))
    if expected is not None:
        assert found["note"] == expected
    del found["note"]
    assert found == {"number": "0007", "when": "2020-01-01T00:00:00Z", "label": "no. 7"}


def test_a_field_that_is_written_as_text_hides_the_rest() -> None:
    """A model with a serialiser of its own shows what that gives, whatever its fields hold."""
    assert written(Textual(content=b"\xff")) == "<ada>"


def test_a_serialiser_that_fails_does_not_fail_the_record() -> None:
    """A model whose own serialiser raises is written nevertheless, and so is everything around it."""
    found = written({"before": 1, "model": Refusing(), "after": 2})
    assert (found["before"], found["after"]) == (1, 2)
    assert "ada" in json.dumps(found["model"])


def test_a_computed_field_that_fails_does_not_fail_the_record() -> None:
    """A computed field that raises leaves the other fields readable."""

    class Broken(BaseModel):
        name: str = "ada"

        @computed_field  # type: ignore[prop-decorator] # as Pydantic wants it
        @property
        def worse(self) -> str:
            raise RuntimeError("not today")

    assert written([Broken()])[0]["name"] == "ada"


def test_values_that_break_their_own_types_are_written() -> None:
    """A model that was made without validation, or changed since, is written with what it holds."""
    unchecked = Node.model_construct(name=5, following=["no node"])
    assert written(unchecked) == {"name": 5, "following": ["no node"]}
    incomplete = Order.model_construct(number=1)
    assert written(incomplete)["label"] == "no. 1"
    assert written(Node.model_construct()) == {"following": None}


def test_a_dataclass_with_a_missing_field_is_written() -> None:
    """A dataclass field that was deleted is left out."""
    pair = Pair(1, 2)
    del pair.left
    assert written(pair)["right"] == 2


def test_the_generic_parameter_is_the_type_of_the_return_value() -> None:
    """`FlowRun[Model]` loads the model back from JSON."""

    @flow
    def give() -> Node:
        return Node(name="a", following=Node(name="b"))

    record = give().execute().flow_run
    loaded = FlowRun[Node].model_validate_json(record.model_dump_json())
    assert loaded.return_value == Node(name="a", following=Node(name="b"))
    assert loaded.model_dump_json() == record.model_dump_json()


def test_a_model_that_is_its_own_child_is_cut() -> None:
    """A model in a cycle is written once, and its return to itself is described."""

    class Ring(BaseModel):
        name: str
        other: Any = None

        def closed(self) -> Self:
            self.other = [self]
            return self

    found = written(Ring(name="r").closed())
    assert found["name"] == "r"
    assert set(found["other"][0]) == {"__repr__", "__type__"}
