"""Any value is serialisable: what Pydantic writes natively as it does, anything else by its repr and type."""

import base64
import json
import math
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from fractions import Fraction
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from re import compile as pattern
from typing import Any, Final, NamedTuple
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, HttpUrl, NameEmail, SecretBytes, SecretStr
from pydantic.dataclasses import dataclass as pydantic_dataclass

from flowscope import FlowConfig, FlowRun, current_flow, flow, task
from support.examples import examples
from support.model.recorded_values import as_pydantic

many = settings(max_examples=examples(150), deadline=None, database=None)


@task
def take(value: Any, *, named: Any) -> Any:
    """A task that has the value as inputs and as return value."""
    return value


@flow(validate=False, flow_config=FlowConfig(redact=()))
def keep(value: Any) -> Any:
    """A flow whose record holds the value in every place that can hold one."""
    running = current_flow()
    running.add_flow_artifact(key="artifact", data=value)
    running.add_flow_result("result", value=value)
    return take(value, named=value)


def no_constant(name: str) -> Any:
    """What strict JSON does not have."""
    raise ValueError(name)


def written(value: Any) -> Any:
    """What the JSON of a record has for a value, the same in every place."""
    data = json.loads(keep(value).execute().flow_run.model_dump_json(), parse_constant=no_constant)
    (call,) = data["tasks"]
    places = [
        data["return_value"],
        data["params"]["value"],
        data["artifacts"][0]["data"],
        data["results"][0]["value"],
        call["return_value"],
        call["input_args"][0],
        call["input_kwargs"]["named"],
    ]
    assert places == [places[0]] * len(places)
    return places[0]


class Colour(Enum):
    """An enum of mixed values."""

    RED = "red"
    POINT = (1, 2)


class Size(IntEnum):
    """Members that are numbers."""

    BIG = 3


class Word(StrEnum):
    """Members that are text."""

    HELLO = "hello"


class Right(Flag):
    """Members that are bits."""

    READ = 1
    WRITE = 2


class Point(NamedTuple):
    """A tuple with names."""

    x: int
    y: float


@dataclass
class Parcel:
    """A dataclass with anything inside."""

    content: Any
    weight: float = 1.0


@dataclass(slots=True, frozen=True)
class Slotted:
    """A dataclass without `__dict__`."""

    number: int


@pydantic_dataclass
class Checked:
    """A dataclass of Pydantic's."""

    when: date


@pydantic_dataclass
class Labelled:
    """One of Pydantic's with anything inside."""

    label: Any


class Box(BaseModel):
    """A model with anything inside."""

    content: Any


def kept(value: object) -> object:
    """The value itself."""
    return value


class Engine:
    """A class that nobody knows how to write."""

    def __init__(self, text: str = "<Engine of 6>") -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


finite = st.floats(allow_nan=False, allow_infinity=False)
zones = st.sampled_from([None, UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-11))])
plain_leaves = st.none() | st.booleans() | st.integers() | finite | st.text()
native_leaves = (
    plain_leaves
    | st.datetimes(timezones=zones)
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals()
    | st.uuids()
    | st.complex_numbers()
    | st.fractions()
    | st.ip_addresses()
    | st.sampled_from([*Colour, *Size, *Word, Right.READ | Right.WRITE, Path("/srv/data"), Point(1, 2.5), Slotted(4)])
)
strange_leaves = (
    native_leaves
    | st.floats()
    | st.binary()
    | st.binary().map(bytearray)
    | st.binary().map(lambda raw: memoryview(raw))
    | st.text(st.characters())
    | st.integers(min_value=10**280, max_value=10**300).map(lambda n: n**10)
    | st.builds(lambda: iter([1]))
    | st.sampled_from([Engine(), object(), int, print, ..., range(3), ValueError("no")])
)
native_keys = st.text() | st.integers() | st.booleans() | st.none() | st.dates() | st.uuids() | st.sampled_from(Size)
strange_keys = native_keys | st.text(st.characters()) | st.binary() | st.floats() | st.tuples(st.integers(), st.text())


def nested(leaves: st.SearchStrategy[Any], keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Containers of containers of leaves."""

    def around(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        lists = st.lists(items, max_size=4)
        return (
            lists
            | lists.map(tuple)
            | lists.map(deque)
            | lists.map(Parcel)
            | lists.map(lambda found: Box(content=found))
            | lists.map(Labelled)
            | st.dictionaries(keys, items, max_size=4)
            | st.dictionaries(keys, items, max_size=4).map(OrderedDict)
            | st.sets(keys, max_size=4)
            | st.frozensets(keys, max_size=4)
        )

    return st.recursive(leaves, around, max_leaves=12)


json_values = st.recursive(
    plain_leaves,
    lambda items: st.lists(items, max_size=4) | st.dictionaries(st.text(), items, max_size=4),
    max_leaves=20,
)


@many
@given(nested(strange_leaves, strange_keys))
def test_a_record_of_any_value_round_trips(value: Any) -> None:
    """Whatever values a record holds, it loads back from its own JSON and writes the same JSON again."""
    record = keep(value).execute().flow_run
    text = record.model_dump_json()
    assert FlowRun.model_validate_json(text).model_dump_json() == text
    assert FlowRun.model_validate(record.model_dump()).model_dump_json() == text
    assert FlowRun.model_validate(record.model_dump(mode="json")).model_dump_json() == text
    json.loads(text, parse_constant=no_constant)


@many
@given(json_values)
def test_json_values_are_written_as_themselves(value: Any) -> None:
    """What JSON can say comes back equal, and in the same order of keys."""
    assert written(value) == value
    assert json.dumps(written(value)) == json.dumps(value)


@many
@given(nested(native_leaves, native_keys))
def test_native_values_are_written_as_pydantic_does(value: Any) -> None:
    """Whatever Pydantic can write without a schema is written exactly so."""
    assert json.dumps(written(value)) == json.dumps(as_pydantic(value))


@pytest.mark.parametrize(
    "value",
    [
        Counter("aab"),
        defaultdict(list, {"a": [1]}),
        OrderedDict[str, int](b=1, a=2),
        {Colour.RED: 1, None: 2, True: 3, 1.5: 4, (1, "x"): 5, Path("p"): 6, Word.HELLO: 7, b"raw": 8},
        {timedelta(days=1): 1, Decimal("1.50"): 2, UUID(int=5): 3, datetime(2020, 1, 1): 4, time(1): 5},
        [Colour.POINT, Colour.RED, Size.BIG, Word.HELLO, Right.READ | Right.WRITE],
        [Parcel(content={"a": [1]}), Slotted(1), Checked(date(2020, 1, 1)), Point(1, 2.5)],
        [ip_address("1.2.3.4"), ip_address("::1"), ip_network("10.0.0.0/8"), ip_interface("10.0.0.1/8")],
        [Decimal("1.50"), Decimal("NaN"), Decimal("-Infinity"), Decimal("1E+400"), Fraction(2, 6), 1 + 2j],
        [pattern("a.b"), Path("/srv"), UUID(int=5)],
        [AnyUrl("http://a.b/c?d"), HttpUrl("https://x.y")],
        [SecretStr("hidden"), SecretBytes(b"hidden")],
        [-0.0, 1e308, 5e-324, 0.1, 2**63, 2**64, -(2**200)],
    ],
    ids=lambda value: repr(value)[:30],
)
def test_these_too_are_written_as_pydantic_does(value: Any) -> None:
    """Keys, enums, tuples with names, addresses, numbers, secrets: as Pydantic writes them."""
    assert json.dumps(written(value)) == json.dumps(as_pydantic(value))


def test_a_named_address_is_text() -> None:
    """Pydantic's own types that are text with structure are written as that text."""
    assert written(NameEmail("Ada", "ada@example.org")) == "Ada <ada@example.org>"


CONTAINERS: Final[list[tuple[Callable[[Any], Any], Callable[[Any], Any]]]] = [
    (kept, kept),
    (lambda value: [value], lambda found: found[0]),
    (lambda value: {"a": {"b": value}}, lambda found: found["a"]["b"]),
    (lambda value: Parcel((value,)), lambda found: found["content"][0]),
    (lambda value: Box(content=value), lambda found: found["content"]),
    (lambda value: Labelled(Box(content=[value])), lambda found: found["label"]["content"][0]),
]
PLACES: Final = ["itself", "list", "dict", "dataclass", "model", "nested"]


@many
@given(raw=st.binary(), kind=st.sampled_from([bytes, bytearray, memoryview]))
@pytest.mark.parametrize("place", CONTAINERS, ids=PLACES)
def test_bytes_are_base64_text(raw: bytes, kind: Any, place: Any) -> None:
    """Bytes of any content, of any bytes-like type and in any container, are base64 text."""
    wrap, unwrap = place
    assert base64.b64decode(unwrap(written(wrap(kind(raw)))), validate=True) == raw


@pytest.mark.parametrize(("number", "text"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")])
@pytest.mark.parametrize("place", CONTAINERS, ids=PLACES)
def test_numbers_that_json_lacks_are_strings(number: float, text: str, place: Any) -> None:
    """NaN and the infinities are the strings that Pydantic uses, in any container."""
    wrap, unwrap = place
    assert unwrap(written(wrap(number))) == text
    assert unwrap(written(wrap(np.float64(number)))) == text
    assert unwrap(written(wrap(Decimal(number)))) == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(-5), -5),
        (np.uint8(255), 255),
        (np.float32(1.5), 1.5),
        (np.float16(0.5), 0.5),
        (np.longdouble(1.5), 1.5),
        (np.bool_(True), True),
        (np.str_("text"), "text"),
        (np.array(3), 3),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array([1.5, np.nan, -np.inf]), [1.5, "NaN", "-Infinity"]),
        (np.zeros((0, 3)), []),
        (np.array([True, False]), [True, False]),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array([None, {"a": 1}], dtype=object), [None, {"a": 1}]),
        (np.bytes_(b"\xff"), "/w=="),
        (np.array([b"\xff"]), ["/w=="]),
        (np.array([np.datetime64("2020-01-01")]), ["2020-01-01"]),
        (
            {"array": np.arange(3), "nested": [Parcel(np.int8(1))]},
            {"array": [0, 1, 2], "nested": [{"content": 1, "weight": 1.0}]},
        ),
    ],
    ids=repr,
)
def test_numpy_is_numbers_and_lists(value: Any, expected: Any) -> None:
    """numpy scalars are numbers and arrays are lists, of any type and shape, wherever they are."""
    assert written(value) == expected
    assert type(written(value)) is type(expected)


@pytest.mark.parametrize("value", [10**300, 10**400, -(10**4000)], ids=["300 digits", "400 digits", "4000 digits"])
def test_huge_integers_are_integers(value: int) -> None:
    """An integer that the interpreter can write as digits is written so, as Pydantic does."""
    assert written(value) == value
    assert written([{"n": value}]) == [{"n": value}]


def test_an_integer_beyond_all_digits_is_described() -> None:
    """An integer that cannot be written as digits is described, with its type."""
    found = written([10**6000])[0]
    assert found["__type__"] == "builtins.int"
    assert isinstance(found["__repr__"], str)


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\x00\x1b\u2028", "e\u0301 \U0001f600"])
def test_text_of_any_kind_is_text(text: str) -> None:
    """Text is written as it is; what cannot be encoded is escaped, as a value, a key and inside a dataclass."""
    expected = text.encode("utf-8", "backslashreplace").decode()
    assert written(text) == expected
    assert written({text: [text]}) == {expected: [expected]}
    assert written(Parcel(text))["content"] == expected


def test_anything_else_is_described() -> None:
    """What nobody knows how to write is its repr and the dotted name of its type, and nothing more."""
    described = {"__repr__": "<Engine of 6>", "__type__": f"{Engine.__module__}.Engine"}
    assert written(Engine()) == described
    assert written({"engines": [Engine(), (Engine(),)]}) == {"engines": [described, [described]]}
    assert written(Parcel(Engine()))["content"] == described
    assert written(kept) == {"__repr__": repr(kept), "__type__": "builtins.function"}
    assert written(Engine) == {"__repr__": repr(Engine), "__type__": "builtins.type"}


def test_a_repr_that_cannot_be_encoded_is_escaped() -> None:
    """Lone surrogates in a repr are escaped, as in text."""
    assert written(Engine("<\ud800>"))["__repr__"] == "<\\ud800>"


@pytest.mark.parametrize(("length", "expected"), [(999, 999), (1_000, 1_000), (1_001, 1_000), (1_000_000, 1_000)])
def test_a_long_repr_is_cut(length: int, expected: int) -> None:
    """Of a repr 1,000 characters are kept."""
    assert written(Engine("x" * length))["__repr__"] == "x" * expected


def test_a_long_text_is_not_cut() -> None:
    """Only a repr is cut: text itself is kept whole."""
    assert written("x" * 100_000) == "x" * 100_000
