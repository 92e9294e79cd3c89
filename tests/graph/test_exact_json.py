"""Values in saved jobs: they come back as what they were, or are refused, with the place where they are."""

import json
import math
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from flowscope.graph import GraphError, JobState
from support.examples import examples


def _again(value: Any, folder: Path) -> Any:
    """The value, through the file of a job."""
    job = JobState(flow_id="g")
    job.update_shared_data("value", value)
    return JobState.load(job.save(folder / "job")).get_shared_data("value")


def _same(one: Any, other: Any) -> bool:
    """Whether nothing tells them apart."""
    if type(one) is not type(other):
        return False
    if type(one) is float:
        return repr(one) == repr(other)
    if type(one) in {list, tuple}:
        return len(one) == len(other) and all(map(_same, one, other))
    if type(one) is dict:
        return _same(_pairs(one), _pairs(other))
    if type(one) in {set, frozenset}:
        return len(one) == len(other) and all(any(_same(item, found) for found in other) for item in one)
    if type(one) is Decimal:
        return str(one) == str(other)
    if type(one) in {datetime, time}:
        return repr(one) == repr(other) and one.fold == other.fold
    return bool(one == other)


def _exact_floats() -> st.SearchStrategy[float]:
    return st.one_of(st.floats(allow_nan=False), st.just(math.nan))


def _pairs(value: Any) -> list[Any]:
    return list(value.items())


def _folded(moment: datetime, fold: int) -> datetime:
    return moment.replace(fold=fold)


_offsets = st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23)))
_zones = st.one_of(
    st.none(), st.just(UTC), st.sampled_from([ZoneInfo("Europe/Berlin"), ZoneInfo("America/St_Johns"), ZoneInfo("UTC")]), _offsets
)  # fmt: skip
_names = st.text(st.characters(exclude_characters="\x00/\\", exclude_categories=()), min_size=1)
_hashable = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.integers(-(2**400), 2**400), _exact_floats(), st.text(),
        st.text(st.characters(exclude_categories=())), st.sampled_from(["$type", "$value", "tuple"]), st.binary(),
        st.decimals(allow_nan=False), st.sampled_from([Decimal("-0"), Decimal("1E+99999"), Decimal("Infinity"), Decimal("1.10")]),
        st.datetimes(timezones=_zones), st.builds(_folded, st.datetimes(), st.integers(0, 1)),
        st.times(timezones=_zones), st.dates(), st.timedeltas(), st.uuids(), st.builds(Path, _names, _names),
        st.builds(PurePosixPath, _names), st.builds(PureWindowsPath, _names),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3).map(tuple), st.frozensets(inner, max_size=3)),
    max_leaves=4,
)  # fmt: skip
_values = st.recursive(
    _hashable,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.lists(inner, max_size=4).map(tuple), st.sets(_hashable, max_size=3),
        st.dictionaries(st.text(max_size=5), inner, max_size=4), st.dictionaries(_hashable, inner, max_size=4),
        st.fixed_dictionaries({"$type": inner}, optional={"$value": inner, "x": inner}),
    ),
    max_leaves=12,
)  # fmt: skip


@settings(
    max_examples=examples(500),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(_values)
def test_values_come_back_as_what_they_were(tmp_path: Path, value: Any) -> None:
    """Of the same types, whatever they hold, through a file."""
    assert _same(_again(value, tmp_path), value)


SPECIAL: list[Any] = [
    0, -1, 2**63 - 1, -(2**63), 2**63, 2**64, -(2**64), 2**100_000, -(3**50_000), 0.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1,
    math.nan, math.inf, -math.inf, "", "\x00", "é\u2028😀", "\ud800", "\udfff\ud800", "\ud83d\ude00", "a" * 100_000, b"", bytes(range(256)),
    Decimal("NaN"), Decimal("sNaN123"), Decimal("-0"), Decimal("0E-10"), Decimal("1" * 5_000), Decimal("-Infinity"), (), ((),), set(),
    frozenset(), {}, {"": 0}, {1: "a", "1": "b", None: "c", (1,): "d", 1.5: "e", b"x": "f", frozenset({1}): "g"}, {"\ud800": 1},
    {"$type": "tuple"}, {"$type": "tuple", "$value": [1]}, {"$type": {"$type": None}}, {"$value": 1}, [{"$type": 1}], {"$type": 1, 2: 3},
    datetime.min, datetime.max, datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
    datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1), "a name")), datetime(2024, 1, 1, tzinfo=timezone(timedelta(seconds=-1))),
    datetime(2024, 1, 1, fold=1), time(1, 2, 3, 4, fold=1), time(1, tzinfo=UTC), time(1, tzinfo=ZoneInfo("UTC")), date.min,
    timedelta.min, timedelta.max, timedelta(microseconds=-1), UUID(int=0), Path(), Path("/a/b"), Path("a\udcff"), PurePosixPath("a\\b"),
    PureWindowsPath("C:\\a"), True, False, None,
]  # fmt: skip


@pytest.mark.parametrize("value", SPECIAL, ids=range(len(SPECIAL)))
def test_values_at_the_edges_come_back(value: Any, tmp_path: Path) -> None:
    """Alone, in lists and tuples, and as keys where they can be."""
    forms = [value, [value], (value,), {"x": value}, {"$type": value}]
    try:
        forms += [{value: 1}, {(value, 1): value}]
    except TypeError:
        pass
    for form in forms:
        assert _same(_again(form, tmp_path), form)


class Pair(NamedTuple):
    """A kind of tuple."""

    a: int
    b: int


class Text(str):
    """A kind of text."""

    __slots__ = ()


class Whole(int):
    """A kind of integer."""


class Real(float):
    """A kind of float."""


class Many(list[Any]):
    """A kind of list."""


class Colour(Enum):
    """Names."""

    RED = "red"


class Size(IntEnum):
    """Numbers with names."""

    BIG = 1


class Word(StrEnum):
    """Texts with names."""

    A = "a"


class Zone(tzinfo):
    """A zone of another kind."""

    def utcoffset(self, moment: datetime | None, /) -> timedelta:
        return timedelta(0)

    def dst(self, moment: datetime | None, /) -> None:
        return None

    def tzname(self, moment: datetime | None, /) -> None:
        return None


class Moment(datetime):
    """A kind of datetime."""


class Model(BaseModel):
    """A model."""


@dataclass
class Data:
    """A dataclass."""


UNFIT: list[Any] = [
    Text("a"), Whole(1), Real(1.0), Many(), Colour.RED, Size.BIG, Word.A, Pair(1, 2), OrderedDict(), defaultdict(list), Counter(), deque(),
    bytearray(), memoryview(b""), 1j, Fraction(1, 2), range(3), object(), int, len, lambda: 1, Model(), Data(), ValueError("x"), iter([]),
    ..., NotImplemented, datetime(2024, 1, 1, tzinfo=Zone()), time(1, tzinfo=Zone()), Moment(2024, 1, 1), UTC, ZoneInfo("UTC"),
]  # fmt: skip


@pytest.mark.parametrize("value", UNFIT, ids=range(len(UNFIT)))
def test_what_would_come_back_as_something_else_is_refused(value: Any, tmp_path: Path) -> None:
    """With the place where it is, in keys, too; and nothing is written."""
    places: list[tuple[Any, str]] = [
        (value, "data['value']"), ({"a": [0, value]}, "data['value']['a'][1]"), ({(1, 2): value}, "data['value']"),
        ((0, (value,)), "data['value']"),
    ]  # fmt: skip
    try:
        places.append(({value: 1}, "data['value']"))
    except TypeError:
        pass
    for form, place in places:
        with pytest.raises(GraphError) as caught:
            _again(form, tmp_path)
        assert place in str(caught.value)
    assert not list(tmp_path.iterdir())


def _nested(depth: int, wrap: Callable[[Any], Any]) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = wrap(value)
    return value


WRAPPERS: list[Callable[[Any], Any]] = [
    lambda x: [x], lambda x: {"a": x}, lambda x: (x,), lambda x: {1: x}, lambda x: frozenset([x]),
]  # fmt: skip


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_depth_has_a_bound(wrap: Callable[[Any], Any], tmp_path: Path) -> None:
    """Below it values come back, and beyond it they are refused when they are saved, not when they are read."""
    for depth in range(200):
        value = _nested(depth, wrap)
        try:
            found = _again(value, tmp_path)
        except GraphError as error:
            assert "levels deep" in str(error)
            assert depth > 35
            break
        assert found == value
    else:
        pytest.fail("there is no bound")
    with pytest.raises(GraphError, match="levels deep"):
        _again(_nested(100_000, lambda x: [x]), tmp_path)


def test_what_holds_itself_is_refused(tmp_path: Path) -> None:
    """By lists, dictionaries and tuples, wherever the ring closes."""
    ring: list[Any] = []
    ring.append(ring)
    named: dict[str, Any] = {}
    named["self"] = {"again": [named]}
    mixed: list[Any] = [1]
    mixed.append(({"x": mixed}, 2))
    for value in (ring, named, mixed, {"a": ring}):
        with pytest.raises(GraphError, match="holds itself"):
            _again(value, tmp_path)


TAMPERED: list[tuple[Any, str]] = [
    ({"$type": "decimal", "$value": "x"}, "decimal"), ({"$type": "decimal", "$value": 5}, "decimal"), ({"$type": "decimal"}, "decimal"),
    ({"$type": "decimal", "$value": "1", "x": 1}, "decimal"), ({"$type": "complex", "$value": "1"}, "complex"), ({"$type": None}, "None"),
    ({"$type": [], "$value": 1}, "marked"), ({"$type": {}, "$value": 1}, "marked"), ({"$type": 1, "$value": 1}, "marked"),
    ({"$type": "int", "$value": "zz"}, "int"), ({"$type": "int", "$value": 5}, "int"), ({"$type": "float", "$value": "1.5"}, "float"),
    ({"$type": "float", "$value": "x"}, "float"), ({"$type": "str", "$value": "x"}, "str"), ({"$type": "str", "$value": "ff"}, "str"),
    ({"$type": "dict", "$value": [1]}, "dict"), ({"$type": "dict", "$value": [[1]]}, "dict"), ({"$type": "dict", "$value": [[[], 1]]}, "dict"),
    ({"$type": "dict", "$value": {"a": 1}}, "dict"), ({"$type": "tuple", "$value": "abc"}, "tuple"), ({"$type": "tuple", "$value": None}, "tuple"),
    ({"$type": "set", "$value": [[1]]}, "set"), ({"$type": "frozenset", "$value": [{}]}, "frozenset"), ({"$type": "set", "$value": 5}, "set"),
    ({"$type": "bytes", "$value": "a"}, "bytes"), ({"$type": "bytes", "$value": "!!!!"}, "bytes"), ({"$type": "date", "$value": "x"}, "date"),
    ({"$type": "datetime", "$value": "2024-01-01"}, "datetime"), ({"$type": "datetime", "$value": []}, "datetime"),
    ({"$type": "datetime", "$value": ["2024-01-01", "No/Where", 0]}, "datetime"), ({"$type": "datetime", "$value": ["2024-01-01", None, 7]}, "date"),
    ({"$type": "datetime", "$value": ["2024-01-01", "../../etc/passwd", 0]}, "datetime"), ({"$type": "time", "$value": ["x", None, 0]}, "time"),
    ({"$type": "datetime", "$value": ["2024-01-01", "Europe", 0]}, "datetime"), ({"$type": "datetime", "$value": ["2024-01-01", [5], 0]}, "date"),
    ({"$type": "timedelta", "$value": [1e300, 0, 0]}, "timedelta"), ({"$type": "timedelta", "$value": ["x"]}, "timedelta"),
    ({"$type": "uuid", "$value": "x"}, "uuid"), ({"$type": "path", "$value": 5}, "path"), ({"$type": "path", "$value": ["a"]}, "path"),
]  # fmt: skip


@pytest.mark.parametrize(("form", "text"), TAMPERED, ids=range(len(TAMPERED)))
def test_a_file_that_was_tampered_with_is_refused(form: Any, text: str, tmp_path: Path) -> None:
    """With the place where it is, in whatever of the job it is."""
    job = JobState(flow_id="g")
    job.update_shared_data("value", {"a": [0, "needle"]})
    job.add_deferred_event("r", "e", {"x": "needle"})
    file = job.save(tmp_path / "job")
    state = json.loads(file.read_text())
    for place, changed in (
        ("['value']['a'][1]", {**state, "shared_data": {"value": {"a": [0, form]}}}),
        ("['x']", {**state, "deferred_events": [{**state["deferred_events"][0], "data": {"x": form}}]}),
    ):
        file.write_text(json.dumps(changed))
        with pytest.raises(GraphError, match=text) as caught:
            JobState.load(file)
        assert place in str(caught.value)
    state["shared_data"] = form
    file.write_text(json.dumps(state))
    with pytest.raises(GraphError):
        JobState.load(file)


@settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(["int", "dict", "set", "path", "0x1"])),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.fixed_dictionaries(
                {"$type": st.sampled_from(["int", "float", "str", "dict", "tuple", "set", "frozenset", "bytes", "datetime", "date", "time",
                                           "timedelta", "decimal", "uuid", "path", "posix_path", "windows_path", "?"])},
                optional={"$value": inner},
            ),
            st.dictionaries(st.text(max_size=3), inner, max_size=3),
        ),
    )
)  # fmt: skip
def test_any_json_is_read_or_refused(tmp_path: Path, form: Any) -> None:
    """With a `GraphError`, and what is read can be saved again."""
    file = tmp_path / "job"
    file.write_text(json.dumps({"flow_id": "g", "shared_data": {"value": form}}))
    try:
        job = JobState.load(file)
    except GraphError:
        return
    value = job.get_shared_data("value")
    assert _same(_again(value, tmp_path), value)


def test_paths_are_those_of_the_host(tmp_path: Path) -> None:
    """A path is one wherever it is read, and a pure path is of the system that it is for."""
    assert type(_again(Path("a") / "b", tmp_path)) is type(Path())
    assert type(_again(PureWindowsPath("a"), tmp_path)) is PureWindowsPath
    assert type(_again(PurePath("a"), tmp_path)) is type(PurePath())
