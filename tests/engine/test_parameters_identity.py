"""An argument that is already valid arrives as the very object."""

import io
from collections import OrderedDict, UserDict, defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, MutableMapping, MutableSequence, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import IO, Any, BinaryIO, Literal, NamedTuple, TextIO, TypedDict
from uuid import uuid4
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from pydantic import BaseModel, SecretStr

from flowscope import flow


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Word(StrEnum):
    YES = "yes"


class Point(NamedTuple):
    x: int
    y: list[int]


@dataclass
class Box:
    size: int
    content: list[int] = field(default_factory=list[int])


class Order(BaseModel):
    number: int
    lines: list[str] = []


class Big(Order):
    """A subclass of a model."""

    extra: int = 0


class Opaque:
    """A class that Pydantic knows nothing of."""


class Inches(int):
    """A number with a meaning."""


class Html(str):
    """A text with a meaning."""

    __slots__ = ()


class Row(dict[str, int]):
    """A mapping with behaviour."""


class Stack(list[int]):
    """A list with behaviour."""


NOW = datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)

VALID: list[tuple[Any, Any]] = [
    (int, 10**30),
    (float, 1.5),
    (float, float("nan")),
    (str, "text" * 50),
    (bytes, b"raw" * 50),
    (bytearray, bytearray(b"raw")),
    (datetime, NOW),
    (datetime, NOW.replace(tzinfo=ZoneInfo("Europe/Berlin"))),
    (datetime, NOW.replace(tzinfo=timezone(timedelta(hours=3), "here"))),
    (datetime, NOW.replace(tzinfo=None, fold=1)),
    (date, NOW.date()),
    (time, time(1, 2, 3, 4)),
    (timedelta, timedelta(microseconds=5)),
    (Decimal, Decimal("1.100")),
    (Fraction, Fraction(1, 3)),
    (complex, complex(1, 2)),
    (Path, Path("/tmp/x")),
    (PurePosixPath, PurePosixPath("x")),
    (Colour, Colour.RED),
    (Level, Level.LOW),
    (SecretStr, SecretStr("s")),
    (Order, Order(number=1)),
    (Order, Big(number=1)),
    (Box, Box(1, [2])),
    (Opaque, Opaque()),
    (Point, Point(1, [2])),
    (list[int], [1, 2]),
    (list[Any], [object()]),
    (list, [object()]),
    (dict[str, int], {"a": 1}),
    (dict[str, Any], {"a": object()}),
    (dict[int, list[dict[str, int]]], {1: [{"a": 1}]}),
    (set[int], {1, 2}),
    (frozenset[str], frozenset({"a"})),
    (tuple[int, ...], (1, 2, 3)),
    (tuple[int, str, list[int]], (1, "a", [2])),
    (deque[int], deque([1, 2], maxlen=5)),
    (list[datetime], [NOW, NOW + timedelta(1)]),
    (dict[date, set[Decimal]], {NOW.date(): {Decimal("1.0")}}),
    (list[Order], [Order(number=1)]),
    (dict[str, Box], {"a": Box(1)}),
    (list[Opaque], [Opaque()]),
    (list[Point], [Point(1, [])]),
    (Sequence[int], [1]),
    (Sequence[int], (1, 2)),
    (Sequence[int], range(3)),
    (Sequence[str], deque(["a"])),
    (MutableSequence[int], [1]),
    (Iterable[int], [1, 2]),
    (Iterable[int], {1, 2}),
    (Iterable[str], {"a": 1}),
    (Iterable[int], range(3)),
    (Collection[int], [1]),
    (AbstractSet[int], {1}),
    (Mapping[str, int], {"a": 1}),
    (Mapping[str, int], MappingProxyType({"a": 1})),
    (MutableMapping[str, int], {"a": 1}),
    (int | str, "5"),
    (list[int] | None, [1]),
    (Literal["a", 1], 1),
    (object, {"a"}),
    (Any, [1]),
    (np.ndarray, np.zeros(3)),
    (list[np.ndarray], [np.zeros(3)]),
    (dict[str, np.ndarray], {"a": np.zeros((2, 2))}),
]

SUBCLASSES: list[tuple[Any, Any]] = [
    (int, Inches(5)),
    (int, Level.LOW),
    (str, Html("<b>")),
    (str, Word.YES),
    (dict[str, int], Row(a=1)),
    (dict[str, int], defaultdict(int, a=1)),
    (dict[str, int], OrderedDict(a=1)),
    (Mapping[str, int], defaultdict(int, a=1)),
    (MutableMapping[str, int], OrderedDict(a=1)),
    (list[int], Stack([1, 2])),
    (Sequence[int], Stack([1, 2])),
    (list[str], [Html("<b>")]),
    (tuple[int, ...], Point(1, [])[:1]),
    (Mapping[str, int], UserDict(a=1)),
]

STREAMS: list[tuple[Any, Any]] = [
    (io.StringIO, io.StringIO()),
    (TextIO, io.StringIO()),
    (BinaryIO, io.BytesIO()),
    (IO[str], io.StringIO()),
]


def arrived(annotation: Any, value: Any) -> Any:
    """What a flow function with one parameter of this annotation receives."""

    def receive(value: Any) -> Any:
        return value

    receive.__annotations__["value"] = annotation
    return flow(receive)(value).execute().return_value


@pytest.mark.parametrize(("annotation", "value"), VALID, ids=lambda value: str(value).split(" at 0x")[0][:40])
def test_a_valid_argument_is_the_very_object(annotation: Any, value: Any) -> None:
    """Scalars, times, models, dataclasses and containers of all kinds arrive as themselves."""
    before = repr(value)
    assert arrived(annotation, value) is value
    assert repr(value) == before


@pytest.mark.parametrize(("annotation", "value"), SUBCLASSES, ids=lambda value: f"{type(value).__name__} {value}"[:40])
def test_an_instance_of_a_subclass_is_valid(annotation: Any, value: Any) -> None:
    """An instance of a subclass is a valid argument: it keeps its class, its behaviour and its identity."""
    assert arrived(annotation, value) is value


@pytest.mark.parametrize(("annotation", "value"), STREAMS, ids=lambda value: str(value).split(" at 0x")[0][:40])
def test_streams_are_the_very_object(annotation: Any, value: Any) -> None:
    """A text or binary stream fits the annotations that type checkers accept for it, and arrives as itself."""
    assert arrived(annotation, value) is value


def test_a_valid_argument_can_be_changed_for_the_caller() -> None:
    """What the flow does to a container, the caller sees: it is the caller's own."""

    @flow
    def fill(rows: list[dict[str, int]], index: dict[str, list[int]]) -> None:
        rows[0]["a"] = 2
        rows.append({})
        index["b"] = []

    rows: list[dict[str, int]] = [{"a": 1}]
    index = {"a": [1]}
    fill(rows, index).execute()
    assert rows == [{"a": 2}, {}]
    assert index == {"a": [1], "b": []}


def test_a_container_with_a_coerced_item_is_replaced() -> None:
    """One item that had to be coerced replaces its container, and leaves the caller's own unchanged."""
    given: list[Any] = [1, "2"]
    result = arrived(list[int], given)
    assert result == [1, 2]
    assert result is not given
    assert given == [1, "2"]
    nested: dict[str, Any] = {"a": [1], "b": ["2"]}
    assert arrived(dict[str, list[int]], nested) == {"a": [1], "b": [2]}
    assert nested == {"a": [1], "b": ["2"]}


def test_equal_items_of_another_type_are_coerced() -> None:
    """1, 1.0 and True are equal but not the same: a container of floats receives floats."""
    for annotation, given in ((list[float], [1]), (set[float], {1}), (dict[str, float], {"a": 1})):
        items = list(arrived(annotation, given).values() if isinstance(given, dict) else arrived(annotation, given))
        assert [type(item) for item in items] == [float]
    assert type(arrived(float, 1)) is float


def test_other_arguments_stay_themselves_where_one_is_coerced() -> None:
    """Coercing one argument replaces that one alone."""

    @flow
    def both(first: list[int], second: list[int], *rest: list[int], **named: list[int]) -> tuple[Any, ...]:
        return first, second, *rest, *named.values()

    valid = [[1], [2], [3]]
    bad: Any = ["9"]
    first, second, third, coerced, fourth = both(valid[0], valid[1], valid[2], bad, key=valid[0]).execute().return_value
    assert (first, second, third, fourth) == ([1], [2], [3], [1])
    assert first is fourth is valid[0]
    assert second is valid[1]
    assert third is valid[2]
    assert coerced == [9]


def test_typed_dictionaries_arrive_as_themselves() -> None:
    """A dictionary given for a `TypedDict` is the very dictionary."""

    class Row2(TypedDict):
        a: int

    row: Row2 = {"a": 1}
    assert arrived(Row2, row) is row


def test_objects_that_cannot_be_compared_arrive_as_themselves() -> None:
    """An argument whose `==` raises, or compares with nothing, is still the very object."""

    class Touchy:
        def __eq__(self, other: object) -> bool:
            raise TypeError("do not compare")

        __hash__ = object.__hash__

    one = Touchy()
    holders: list[tuple[Any, Any]] = [(Touchy, one), (list[Touchy], [one]), (dict[str, Touchy], {str(uuid4()): one})]
    for annotation, given in holders:
        assert arrived(annotation, given) is given
