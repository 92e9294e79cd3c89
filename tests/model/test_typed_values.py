"""What a class declares about its JSON is written as Pydantic does, also beside parts that Pydantic cannot write."""

import inspect
import json
import math
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Generic, Literal, NamedTuple, Self, TypeVar

import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FieldSerializationInfo,
    GetCoreSchemaHandler,
    Json,
    PlainSerializer,
    PrivateAttr,
    RootModel,
    SecretStr,
    SerializationInfo,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    WrapSerializer,
    computed_field,
    field_serializer,
    model_serializer,
    model_validator,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic_core import CoreSchema, core_schema
from typing_extensions import TypeAliasType, TypedDict

from flowscope import FlowConfig, flow
from support.model.recorded_values import written

T = TypeVar("T")

NOON: Final = datetime(2020, 1, 1, 12, tzinfo=UTC)
Stamp = Annotated[datetime, PlainSerializer(lambda when: int(when.timestamp()))]
"""A time that is a number in JSON."""
Doubled = Annotated[Any, WrapSerializer(lambda value, handler: [handler(value), handler(value)])]
"""Anything, written twice."""
Alias = TypeAliasType("Alias", dict[str, Stamp])
Tree = TypeAliasType("Tree", "dict[str, Tree | Stamp]")


Even = TypeAliasType("Even", "dict[str, Odd]")
Odd = TypeAliasType("Odd", "dict[str, Even | Stamp]")
"""Two that contain each other."""


class Stamps(RootModel[list[Stamp]]):
    """A list with a say in each item."""


class Shape(TypedDict):
    """A dict with a say in a value."""

    when: Stamp
    other: Any


class Row(NamedTuple):
    """A tuple with a say in an item."""

    when: Stamp
    other: Any


class Degrees:
    """A class that tells Pydantic how to write it."""

    def __init__(self, value: float) -> None:
        self.value = value

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, Degrees) else cls(value),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda found: f"{found.value}°"),
        )


class Word(str):
    """Text that tells Pydantic how to write it."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls,
            core_schema.str_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda found: f"<{found.upper()}>"),
        )


class Colour(Enum):
    """A kind of leaf."""

    RED = "red"


@dataclass
class Visit:
    """A plain dataclass with a say in a field."""

    when: Stamp
    other: Any = None


@dataclass
class Hidden:
    """A plain dataclass with a field that Pydantic leaves out."""

    shown: int = 1
    internal: int = Field(default=2, exclude=True)


@pydantic_dataclass
class Label:
    """One of Pydantic's with everything that it may declare."""

    number: int
    raw: bytes = b"\xff"
    many: list[Stamp] = field(default_factory=lambda: [NOON])
    internal: int = Field(default=2, exclude=True)
    kind: ClassVar[str] = "label"
    start: InitVar[int] = 0

    @computed_field  # type: ignore[prop-decorator] # as Pydantic wants it
    @property
    def text(self) -> str:
        """Told by the number."""
        return f"no. {self.number}"

    @computed_field  # type: ignore[prop-decorator] # as Pydantic wants it
    @property
    def when(self) -> Stamp:
        """A computed field with a say."""
        return NOON

    @field_serializer("raw")
    def hexed(self, raw: bytes) -> str:
        """Not as text."""
        return raw.hex()


@pydantic_dataclass(kw_only=True)
class LongLabel(Label):
    """A subclass of one."""

    more: Stamp = NOON


@dataclass
class PlainLabel(Label):
    """A plain dataclass on top of one of Pydantic's."""

    more: int = 3


@pydantic_dataclass(slots=True, frozen=True)
class Slotted:
    """One without `__dict__`."""

    when: Stamp


@pydantic_dataclass
class Summed:
    """One that is written as a whole by itself."""

    left: int = 1
    right: int = 2

    @model_serializer
    def total(self) -> int:
        """Both in one."""
        return self.left + self.right


class Loose(BaseModel):
    """A model whose extra fields have a type."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Stamp]  # pyright: ignore[reportIncompatibleVariableOverride] # as Pydantic wants it

    name: str = "loose"


class Holder(BaseModel):
    """A model that is told how to write what it holds, in all places that can have a say."""

    shape: Shape | None = None
    row: Row | None = None
    visit: Visit | None = None
    degrees: Degrees | None = None
    degrees_list: list[Degrees] = []
    either: int | Stamp | None = None
    deep: dict[str, list[tuple[Stamp, int]]] = {}
    members: set[Stamp] = set()
    line: deque[Stamp] = deque()
    ordered: OrderedDict[str, Stamp] = OrderedDict()
    mapping: Mapping[str, Stamp] = {}
    sequence: Sequence[Stamp] = ()
    by_key: dict[Annotated[int, PlainSerializer(lambda n: f"#{n}")], int] = {}
    by_colour: dict[Colour, Stamp] = {}
    alias: Alias | None = None
    tree: Tree | None = None
    even: Even | None = None
    odd: Odd | None = None
    path: Path | None = None
    parsed: Json[list[Stamp]] | None = None
    hushed: SecretStr | None = None
    colour: Annotated[Colour | None, PlainSerializer(lambda found: found and found.name)] = None
    twice: Doubled = None
    word: Word | None = None
    items: Iterable[Stamp] = ()


class Base(BaseModel):
    """A model with a say in a field."""

    when: Stamp = NOON
    number: int = 1

    @field_serializer("*", mode="wrap", check_fields=False)
    def starred(self, value: Any, handler: SerializerFunctionWrapHandler, info: FieldSerializationInfo) -> Any:
        """By its name."""
        return handler(value) if info.field_name != "number" else f"{info.field_name}={value} in {info.mode}"


class Special(Base):
    """A model that inherits its ways, and adds to them."""

    more: Stamp = NOON


class Whole(BaseModel):
    """A model that is written as a whole by itself."""

    name: str = "whole"
    when: Stamp = NOON
    other: Any = None

    @model_serializer(mode="wrap")
    def wrapped(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo) -> Any:
        """With a mark."""
        return {"mark": info.mode, **handler(self)}


class Validated(Whole):
    """A model between validators."""

    @model_validator(mode="before")
    @classmethod
    def before(cls, value: Any) -> Any:
        """Nothing."""
        return value

    @model_validator(mode="after")
    def after(self) -> Self:
        """Nothing."""
        return self

    @model_validator(mode="wrap")
    @classmethod
    def around(cls, value: Any, handler: Callable[[Any], Any]) -> Any:
        """Nothing."""
        return handler(value)


class Branch(BaseModel):
    """A model of its like."""

    when: Stamp = NOON
    children: "list[Branch]" = []


class Paired(BaseModel, Generic[T]):
    """A model of a type that is given later."""

    left: T
    right: list[T]


class Cat(BaseModel):
    """One of two."""

    kind: Literal["cat"] = "cat"
    born: Stamp = NOON


class Dog(BaseModel):
    """The other."""

    kind: Literal["dog"] = "dog"
    born: datetime = NOON


class Zoo(BaseModel):
    """A model of a choice between models."""

    animal: Cat | Dog = Field(discriminator="kind")
    animals: list[Cat | Dog | Stamp] = []
    named: Annotated[Cat, PlainSerializer(lambda cat: f"a {cat.kind}")] = Cat()
    framed: Annotated[Whole, WrapSerializer(lambda value, handler: ["frame", handler(value)])] = Whole()
    any_cat: SerializeAsAny[Cat] = Cat()


class Temporal(BaseModel):
    """A model whose times are numbers."""

    model_config = ConfigDict(ser_json_timedelta="float")

    delta: timedelta = timedelta(seconds=90)
    deltas: list[timedelta] = [timedelta(1)]


class Computing(BaseModel):
    """A model of computed fields."""

    model_config = ConfigDict(serialize_by_alias=True)

    first: int = Field(default=1, serialization_alias="firstOf")
    _own: int = PrivateAttr(default=1)

    @computed_field(alias="secondOf")  # type: ignore[prop-decorator] # as Pydantic wants it
    @cached_property
    def second(self) -> Stamp:
        """Cached, renamed, and with a say."""
        return NOON

    @computed_field  # type: ignore[prop-decorator] # as Pydantic wants it
    @property
    def third(self) -> Whole:
        """A model."""
        return Whole()

    @field_serializer("third", mode="wrap")
    def wrapped(self, value: Any, handler: SerializerFunctionWrapHandler) -> Any:
        """With a mark."""
        return [self.first, handler(value)]


class Pickier(BaseModel):
    """A model with a say in some of the ways of writing only."""

    python: Annotated[datetime, PlainSerializer(lambda when: 1, when_used="unless-none")] = NOON
    as_json: Annotated[datetime, PlainSerializer(lambda when: 1, when_used="json")] = NOON
    unless: Annotated[int | None, PlainSerializer(lambda n: n + 1, when_used="json-unless-none")] = None
    typed: Annotated[Any, PlainSerializer(lambda value: NOON, return_type=Stamp)] = None


SINGLE: Final[dict[str, Any]] = {
    "root model": Stamps([NOON]),
    "root model of models": RootModel[dict[str, Whole | int]]({"a": Whole(), "b": 2}),
    "root model of a choice": RootModel[int | Stamp](NOON),
    "named tuple": Row(NOON, 1),
    "own schema": Degrees(20.5),
    "own schema of text": Word("hello"),
    "dataclass": Visit(NOON, {"a": 1}),
    "dataclass with an exclusion": Hidden(),
    "dataclass of Pydantic": Label(7),
    "derived dataclass of Pydantic": LongLabel(number=8),
    "plain dataclass derived from it": PlainLabel(9),
    "slotted dataclass of Pydantic": Slotted(NOON),
    "dataclass as a whole": Summed(),
    "typed extra fields": Loose.model_validate({"at": NOON}),
    "inherited": Special(),
    "as a whole": Whole(other={"a": (1, 2)}),
    "validators": Validated(),
    "validators of a derived one": type("More", (Validated,), {"__module__": __name__})(),
    "recursion": Branch(children=[Branch(), Branch(children=[Branch()])]),
    "generic": Paired[Stamp](left=NOON, right=[NOON]),
    "generic of models": Paired[Whole](left=Whole(), right=[Whole()]),
    "discriminated": Zoo(animal=Cat(), animals=[Dog(), Cat(), NOON]),
    "times as numbers": Temporal(),
    "computed": Computing(),
    "when used": Pickier(),
    "nothing declared": Dog(),
}
HELD: Final[dict[str, dict[str, Any]]] = {
    "empty": {},
    "typed dict": {"shape": {"when": NOON, "other": Whole()}},
    "named tuple": {"row": Row(NOON, 1)},
    "dataclass": {"visit": Visit(NOON)},
    "own schema": {"degrees": Degrees(1), "degrees_list": [Degrees(2), Degrees(3)], "word": "hello"},
    "choice of the first": {"either": 5},
    "choice of the second": {"either": NOON},
    "deep": {"deep": {"a": [(NOON, 1)]}},
    "collections": {"members": {NOON}, "line": deque([NOON]), "sequence": (NOON,)},
    "mappings": {"ordered": OrderedDict(a=NOON), "mapping": {"a": NOON}},
    "keys": {"by_key": {1: 2}, "by_colour": {Colour.RED: NOON}},
    "aliases": {"alias": {"a": NOON}, "tree": {"a": NOON, "b": {"c": NOON}}},
    "mutual recursion": {"even": {"a": {"b": NOON}}, "odd": {"a": {"b": {"c": NOON}}}},
    "leaves": {"path": Path("/srv"), "parsed": "[5]", "hushed": "hush", "colour": Colour.RED},
    "wrapped": {"twice": {"a": NOON}},
}


def native(value: Any) -> Any:
    """The JSON that Pydantic writes for a value by its type."""
    adapter: TypeAdapter[Any] = TypeAdapter(value.__class__)
    return adapter.dump_python(value, mode="json")


@pytest.mark.parametrize("value", SINGLE.values(), ids=SINGLE)
def test_what_a_class_declares_is_written_as_pydantic_does(value: Any) -> None:
    """Serialisers, computed fields, exclusions and aliases of any kind of class, wherever the value is."""
    expected = native(value)
    assert written(value) == expected
    assert written([{"a": value}]) == [{"a": expected}]
    assert written(Holder(twice=value))["twice"] == [expected, expected]


@pytest.mark.parametrize("held", HELD.values(), ids=HELD)
def test_what_an_annotation_declares_is_written_as_pydantic_does(held: dict[str, Any]) -> None:
    """A serialiser may be buried in any annotation of a field."""
    value = Holder.model_validate(held)
    del value.items
    expected = native(value)
    assert written(value) == expected
    assert written(RootModel[list[Holder]]([value])) == [expected]


@pytest.mark.skipif("exclude_if" not in inspect.signature(Field).parameters, reason="this Pydantic has no exclude_if")
def test_a_field_may_be_left_out_by_its_value() -> None:
    """`exclude_if` is honoured, beside a strange value too."""

    def is_none(value: object) -> bool:
        return value is None

    exclusive: Any = Field
    absent: Any = exclusive(default=None, exclude_if=is_none)

    class Sparse(BaseModel):
        first: Annotated[Any, absent] = None
        second: Annotated[Any, absent] = None

    assert written(Sparse(first=1)) == {"first": 1}
    assert written(Sparse(second=math.nan)) == {"second": "NaN"}


class Engine:
    """A class that nobody knows how to write."""

    def __repr__(self) -> str:
        return "<Engine>"


def numbers() -> Iterator[int]:
    """Something that can be read once."""
    yield from (1, 2, 3)


def kept(value: Any) -> Any:
    """A value of any type, where another is declared."""
    return value


DESCRIBED: Final = {"__repr__": "<Engine>", "__type__": f"{__name__}.Engine"}


@pydantic_dataclass(config=ConfigDict(arbitrary_types_allowed=True))
class Mixed:
    """Anything beside what has a say."""

    anything: Any
    raw: bytes = b"\xff"
    number: float = math.nan
    base: Base = field(default_factory=Special)
    bases: list[Base] = field(default_factory=lambda: [Special()])
    either: Base | int | Stamp = field(default_factory=Special)
    when: Stamp = NOON
    internal: int = Field(default=1, exclude=True)

    @computed_field  # type: ignore[prop-decorator] # as Pydantic wants it
    @property
    def text(self) -> bytes:
        """Bytes as well."""
        return self.raw


class MixedModel(BaseModel):
    """The same as a model."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="allow")

    anything: Any
    raw: bytes = b"\xff"
    number: float = math.nan
    base: Base = Special()
    bases: list[Base] = [Special()]
    either: Base | int | Stamp = Special()
    when: Stamp = NOON
    internal: int = Field(default=1, exclude=True)

    @computed_field  # type: ignore[prop-decorator] # as Pydantic wants it
    @property
    def text(self) -> bytes:
        """Bytes as well."""
        return self.raw


SPECIAL: Final = native(Special())


@pytest.mark.parametrize("kind", [Mixed, MixedModel], ids=["dataclass", "model"])
@pytest.mark.parametrize(
    ("anything", "expected"),
    [
        (1, 1),
        (b"\xff", "/w=="),
        (-math.inf, "-Infinity"),
        (Engine(), DESCRIBED),
        ([{"a": (Engine(), Special())}], [{"a": [DESCRIBED, SPECIAL]}]),
        ({Engine(): Engine()}, {"<Engine>": DESCRIBED}),
        ("\ud800", "\\ud800"),
        ({"\ud800": Path("\udcff")}, {"\\ud800": "\\udcff"}),
        (Row(NOON, Engine()), None),
        (Stamps.model_construct(kept([NOON, "no time"])), [native(NOON), "no time"]),
        (Visit(kept("no time"), Engine()), {"when": "no time", "other": DESCRIBED}),
        (Degrees(1), "1°"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_records_do_otherwise_holds_beside_what_is_declared(kind: Any, anything: Any, expected: Any) -> None:
    """Bytes are base64, NaN is text, subclasses are whole and anything is described, where others have serialisers."""
    found = written(kind(anything=anything))
    if expected is not None:
        assert found["anything"] == expected
    del found["anything"]
    special = {"base": SPECIAL, "bases": [SPECIAL], "either": SPECIAL}
    assert found == {"raw": "/w==", "number": "NaN", **special, "when": int(NOON.timestamp()), "text": "/w=="}


def test_a_field_of_extras_of_any_kind_is_written() -> None:
    """What a model takes beyond its fields is written like everything else."""
    found = written(MixedModel.model_validate({"anything": 1, "raw2": b"\xff", "engine": Engine(), "more": Special()}))
    assert (found["raw2"], found["engine"], found["more"]) == ("/w==", DESCRIBED, SPECIAL)


def test_a_serialiser_sees_the_very_value() -> None:
    """What a class declares is called with what is there, and once for each writing."""
    seen: list[object] = []
    engine = Engine()

    class Seeing(BaseModel):
        part: Annotated[Any, PlainSerializer(lambda value: seen.append(value) or "seen")]

    held = Seeing(part=engine)

    @flow(flow_config=FlowConfig(logging_enabled=False))
    def give() -> Any:
        return held

    record = give().execute().flow_run.model_copy(update={"results": []})
    assert record.model_dump()["return_value"] == {"part": "seen"}
    assert seen == [engine]
    assert held.part is engine


@pytest.mark.parametrize("depth", [1, 30])
def test_a_reader_deep_inside_is_not_consumed(depth: int) -> None:
    """What can be read once is described, also where its field declares how to write it."""
    reader = numbers()
    value: Any = reader
    for _ in range(depth):
        value = Whole(other=[value])
    found = json.dumps(written([value, Holder(items=kept(numbers()))]))
    assert f"{__name__}.numbers" not in found
    assert '"__type__": "builtins.generator"' in found
    assert list(reader) == [1, 2, 3]


def test_a_cycle_through_what_is_declared_is_cut() -> None:
    """A model in itself, through fields with serialisers and a typed list, is written once."""
    branch = Branch()
    branch.children.append(branch)
    found = written(branch)
    assert found["when"] == int(NOON.timestamp())
    assert found["children"][0]["__type__"] == f"{__name__}.Branch"
    whole = Whole()
    whole.other = [{"a": whole}]
    assert written(whole)["other"][0]["a"]["__type__"] == f"{__name__}.Whole"


def test_a_record_that_is_a_value_is_a_part_of_it() -> None:
    """A record in itself, beside a field with a serialiser, is written once."""

    @flow
    def give() -> Any:
        return [NOON]

    record = give().execute().flow_run
    kept(record.return_value).append(Whole(other=record))
    found = json.loads(record.model_dump_json())["return_value"][1]["other"]["return_value"]
    assert found == {"__repr__": "<contains itself>", "__type__": "builtins.list"}


def test_deep_nesting_of_what_is_declared_is_cut() -> None:
    """Far more levels than a record has do not fail it."""

    @flow(validate=False, flow_config=FlowConfig(logging_enabled=False))
    def give(value: Any) -> Any:
        return [value, 1]

    value: Any = Whole()
    for _ in range(1_000):
        value = Whole(other=value)
    assert json.loads(give(value).execute().flow_run.model_dump_json())["return_value"][1] == 1


@pytest.mark.parametrize("mode", ["plain", "wrap"])
def test_a_declared_serialiser_that_fails_leaves_the_other_fields(mode: Any) -> None:
    """Where one serialiser fails, that field is written by its value and the others as they declare."""

    def plain(value: Any) -> Any:
        raise RuntimeError(value)

    def wrap(value: Any, handler: SerializerFunctionWrapHandler) -> Any:
        raise RuntimeError(handler(value))

    marker: Any = PlainSerializer(plain) if mode == "plain" else WrapSerializer(wrap)

    @pydantic_dataclass
    class Partly:
        bad: Annotated[int, marker] = 1
        when: Stamp = NOON
        internal: int = Field(default=1, exclude=True)

    assert written(Partly()) == {"bad": 1, "when": int(NOON.timestamp())}


def test_a_serialiser_that_fails_for_one_value_is_asked_for_the_next() -> None:
    """A failure is one value's own: others of its class are written as they declare."""

    class Picky(BaseModel):
        number: Annotated[int, PlainSerializer(lambda n: 10 // n)]
        other: Any = None

    value = Picky(number=0, other=[Picky(number=0), Picky(number=2)])
    assert written([value, Picky(number=5)]) == [
        {"number": 0, "other": [{"number": 0, "other": None}, {"number": 5, "other": None}]},
        {"number": 2, "other": None},
    ]


def test_failures_at_every_level_cost_no_more_than_the_levels() -> None:
    """Where the serialiser of each of many nested models fails after the inner one was written, it is tried once."""
    calls = 0

    class Late(BaseModel):
        inner: Any = None

        @field_serializer("inner", mode="wrap")
        def late(self, value: Any, handler: SerializerFunctionWrapHandler) -> Any:
            nonlocal calls
            calls += 1
            handler(value)
            raise RuntimeError

    @flow(validate=False, flow_config=FlowConfig(logging_enabled=False))
    def give() -> Any:
        value: Any = None
        for _ in range(40):
            value = Late(inner=value)
        return value

    give().execute().flow_run.model_copy(update={"results": []}).model_dump_json()
    assert calls <= 2 * 40


def test_a_value_that_cannot_be_looked_at_does_not_hide_the_other_fields() -> None:
    """Beside a container that raises when it is read, the fields are written as they declare."""

    class Shut(deque[int]):
        def __iter__(self) -> Iterator[int]:
            raise RuntimeError

    found = written(Whole(other=Shut()))
    assert (found["name"], "mark" in found) == ("whole", True)
    label = Label(1)
    label.many = kept(Shut())
    found = written(label)
    assert (found["text"], found["raw"], "internal" in found) == ("no. 1", "ff", False)


def test_a_class_whose_schema_cannot_be_had_is_written() -> None:
    """A class that fails to tell Pydantic anything is written as if it had not tried."""

    class Failing:
        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
            raise RuntimeError("not today")

        def __repr__(self) -> str:
            return "<failing>"

    class Lost(BaseModel):
        model_config = ConfigDict(defer_build=True)

        name: str = "lost"
        following: "Nowhere | None" = None  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore[reportUndefinedVariable] # as broken code may

    assert written([Failing(), 1])[0]["__repr__"] == "<failing>"
    assert written([Lost.model_construct(name="x"), 1])[1] == 1
