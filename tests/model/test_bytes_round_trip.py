"""What Pydantic reads back from its own JSON is read back from a record, bytes included."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, PlainSerializer, RootModel, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import NotRequired, TypedDict

from flowscope import FlowRun, flow

T = TypeVar("T")


class Page(BaseModel):
    """A model of its like."""

    body: bytes = b"\x00"
    age: timedelta = timedelta(1)
    next: "Page | None" = None


class LongPage(Page):
    """A subclass with a field more."""

    more: bytes = b"\xff"


class Strict(BaseModel):
    """A model that takes nothing but what it names."""

    model_config = ConfigDict(strict=True)

    body: bytes
    when: datetime
    parts: tuple[bytes, ...]


@dataclass
class Plain:
    """A dataclass."""

    body: bytes
    parts: list[bytes] = field(default_factory=list[bytes])


@pydantic_dataclass
class Checked:
    """A dataclass of Pydantic."""

    body: bytes = b"\xff"


class Shape(TypedDict):
    """A dict with a shape."""

    body: bytes
    more: NotRequired[bytes]


class Row(NamedTuple):
    """A tuple with names."""

    body: bytes
    number: int = 1


class Of(BaseModel, Generic[T]):
    """A model of a type that is given later."""

    held: T


class Hexed(BaseModel):
    """A model that writes bytes, and reads them, in a way of its own."""

    body: Annotated[bytes, PlainSerializer(lambda body: body.decode().upper())] = b"AB"
    encoded: Base64Bytes = b"hello"


class Left(BaseModel):
    """One of two."""

    kind: Literal["left"] = "left"
    body: bytes = b"\xfe"


class Right(BaseModel):
    """The other."""

    kind: Literal["right"] = "right"
    body: bytes = b"\xfd"


CASES: Final[list[tuple[Any, Any]]] = [
    (bytes, b"hi"),
    (bytes, b"\xff\x00"),
    (bytes | None, None),
    (list[bytes], [b"", b"\xff"]),
    (tuple[bytes, int], (b"a", 1)),
    (set[bytes], {b"\xee"}),
    (frozenset[bytes], frozenset({b"\xee"})),
    (dict[str, bytes], {"a": b"hi"}),
    (dict[bytes, list[bytes]], {b"text": [b"1"], b"\xff": [], b"b'x'": [b"2"], b'b"': []}),
    (Page, Page(next=Page(body=b"in"))),
    (LongPage, LongPage()),
    (Strict, Strict(body=b"\xff", when=datetime(2026, 1, 1, tzinfo=UTC), parts=(b"1", b"2"))),
    (Plain, Plain(b"\xff", [b"1"])),
    (Checked, Checked()),
    (Shape, Shape(body=b"\xff")),
    (Row, Row(b"\xff", 2)),
    (Of[bytes], Of[bytes](held=b"\xff")),
    (Of[Page], Of[Page](held=Page())),
    (Hexed, Hexed()),
    (RootModel[list[bytes]], RootModel[list[bytes]]([b"1"])),
    (Annotated[bytes, Field(max_length=3)], b"abc"),
    (bytes | int, b"12"),
    (bytes | int, 12),
    (UUID | bytes, UUID(int=4)),
    (UUID | bytes, b"\x01"),
    (datetime | bytes, datetime(2026, 1, 1, tzinfo=UTC)),
    (list[Page] | dict[str, bytes], {"a": b"1"}),
    (Annotated[Left | Right, Field(discriminator="kind")], Right()),
]


def written(value: Any) -> str:
    """The JSON of the record of a flow that returns it."""

    @flow(validate=False)
    def give() -> Any:
        return value

    return give().execute().flow_run.model_dump_json()


@pytest.mark.parametrize(("kind", "value"), CASES, ids=lambda case: repr(case)[:40])
def test_a_record_is_read_back_with_the_value_that_was_written(kind: Any, value: Any) -> None:
    """It has the type and the value, and its own JSON is the very text again."""
    text = written(value)
    found = FlowRun[kind].model_validate_json(text)
    assert found.return_value == value
    assert type(found.return_value) is type(value)
    assert found.model_dump_json() == text


@pytest.mark.parametrize("kind", [bytes, list[bytes], Page])
def test_a_record_is_read_from_python_data_too(kind: Any) -> None:
    """What `model_dump` gives is read like the JSON, and a value that is there already is taken."""
    value = {bytes: b"\xff", list[bytes]: [b"\xff"], Page: Page()}[kind]
    record = FlowRun[kind].model_validate_json(written(value))
    assert FlowRun[kind].model_validate(record.model_dump()) == record
    assert FlowRun[kind].model_validate({**record.model_dump(), "return_value": value}).return_value == value


def test_what_is_no_base64_is_an_error_at_its_place() -> None:
    """The error names where in the value it is."""
    text = written({"a": [1]}).replace('"return_value":{"a":[1]}', '"return_value":{"a":["no base64!"]}')
    with pytest.raises(ValidationError, match=r"return_value\.a\.0\n  Input should be base64 text"):
        FlowRun[dict[str, list[bytes]]].model_validate_json(text)


@given(st.dictionaries(st.binary(), st.binary()))
def test_any_bytes_come_back(value: dict[bytes, bytes]) -> None:
    """As keys and as values."""
    assert FlowRun[dict[bytes, bytes]].model_validate_json(written(value)).return_value == value


def test_the_schema_is_that_of_the_type() -> None:
    """How bytes are read makes no difference to the JSON schema."""
    schema = FlowRun[bytes].model_json_schema()["properties"]["return_value"]
    assert {"type": "string", "format": "binary"} in schema["anyOf"]
