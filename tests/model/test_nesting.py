"""Values that have no end: cycles, and nesting beyond 100 levels, are cut; everything else is kept."""

import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Final

import pytest
from pydantic import BaseModel

from flowscope import FlowConfig, FlowRun, flow

LEVELS: Final = 100
BOTTOM: Final = "the bottom"


def recorded(value: Any) -> str:
    """The JSON of a record that holds a value; it round-trips."""

    @flow(flow_config=FlowConfig(logging_enabled=False))
    def give() -> Any:
        return value

    record = give().execute().flow_run
    text = record.model_dump_json()
    assert FlowRun.model_validate_json(text).model_dump_json() == text
    assert record.model_dump(mode="json") == json.loads(text)
    record.model_dump()
    return text


def written(value: Any) -> Any:
    """What the JSON of a record has for a value."""
    return json.loads(recorded(value))["return_value"]


@dataclass
class Shell:
    """A dataclass around something."""

    inner: Any


class Doll(BaseModel):
    """A model around something."""

    inner: Any


def listed(value: Any) -> Any:
    """A list around something."""
    return [value]


def keyed(value: Any) -> Any:
    """A dict around something."""
    return {"inner": value}


def dolled(value: Any) -> Any:
    """A model around something."""
    return Doll(inner=value)


def nested(levels: int, kinds: Sequence[Callable[[Any], Any]], bottom: Any = BOTTOM) -> Any:
    """Something inside so many containers, of each kind in turn."""
    for _, wrap in zip(range(levels), cycle(kinds), strict=False):
        bottom = wrap(bottom)
    return bottom


def depth(value: Any) -> int:
    """How many containers of JSON are around the innermost value."""
    if isinstance(value, str):
        return 0
    inner: list[Any] = list(getattr(value, "values", lambda: value)())
    return 1 + depth(inner[0]) if inner else 0


KINDS: Final[list[list[Callable[[Any], Any]]]] = [
    [listed],
    [keyed],
    [Shell],
    [dolled],
    [listed, keyed, Shell, dolled, lambda value: (value,), lambda value: deque([value])],
]
NAMES: Final = ["list", "dict", "dataclass", "model", "mixed"]


@pytest.mark.parametrize("kinds", KINDS, ids=NAMES)
@pytest.mark.parametrize("levels", [1, 50, LEVELS])
def test_a_hundred_levels_are_kept(kinds: list[Callable[[Any], Any]], levels: int) -> None:
    """Up to 100 levels of containers are written in full."""
    found = written(nested(levels, kinds))
    assert depth(found) == levels
    assert BOTTOM in json.dumps(found)


@pytest.mark.parametrize("kinds", KINDS, ids=NAMES)
@pytest.mark.parametrize("levels", [LEVELS + 1, LEVELS + 2, 1_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_deeper_levels_are_cut(kinds: list[Callable[[Any], Any]], levels: int) -> None:
    """Beyond 100 levels a description stands in for the rest; what is above is kept, and nothing fails."""
    text = recorded([nested(levels, kinds), "beside"])
    found = json.loads(text)["return_value"]
    assert found[1] == "beside"
    assert LEVELS <= depth(found) <= LEVELS + 1
    assert BOTTOM not in json.dumps(found)
    assert "__repr__" in json.dumps(found)


@pytest.mark.parametrize("levels", [LEVELS - 2, LEVELS - 1, LEVELS, LEVELS + 1, LEVELS + 50])
@pytest.mark.parametrize(
    "bottom", [{"__repr__": object(), "__type__": {1}}, {"__repr__": b"\xff", "__type__": [object()]}]
)
def test_a_value_that_looks_like_a_description_is_no_exception(levels: int, bottom: Any) -> None:
    """A dict with the keys of a description is written like any other, also where the cut is."""
    assert depth(written(nested(levels, [listed], bottom))) <= LEVELS + 2


def test_a_list_in_itself_is_cut() -> None:
    """A container that contains itself is written once; its return is described by its type."""
    loop: list[Any] = [1]
    loop.append(loop)
    found = written(loop)
    assert found[0] == 1
    assert set(found[1]) == {"__repr__", "__type__"}
    assert found[1]["__type__"] == "builtins.list"


@pytest.mark.parametrize("kinds", KINDS, ids=NAMES)
def test_cycles_through_anything_are_cut(kinds: list[Callable[[Any], Any]]) -> None:
    """A cycle through any kind of container ends, with its type told and all siblings kept."""
    loop: dict[str, Any] = {"before": 1}
    loop["inner"] = nested(3, kinds, loop)
    loop["after"] = 2
    found = written(loop)
    assert (found["before"], found["after"]) == (1, 2)
    assert "builtins.dict" in json.dumps(found["inner"])


def test_two_that_contain_each_other_are_cut() -> None:
    """A longer cycle ends as well."""
    one, other = Shell(None), Doll(inner=None)
    one.inner, other.inner = other, one
    assert written(one)["inner"]["inner"]["__type__"] == f"{Shell.__module__}.Shell"


def test_what_is_there_twice_is_no_cycle() -> None:
    """A value that is met again, beside and not inside itself, is written in full each time."""
    shared = {"a": [1]}
    assert written([shared, shared, {"again": shared}]) == [shared, shared, {"again": shared}]
    doll = Doll(inner=shared)
    assert written(Doll(inner=[doll, doll])) == {"inner": [{"inner": shared}, {"inner": shared}]}


def test_a_record_is_also_a_value() -> None:
    """A flow may return the record of another one."""

    @flow
    def inner() -> int:
        return 5

    @flow
    def outer() -> FlowRun[int]:
        return inner().execute().flow_run

    record = outer().execute().flow_run
    loaded = FlowRun[FlowRun[int]].model_validate_json(record.model_dump_json())
    assert loaded.return_value is not None
    assert loaded.return_value.return_value == 5
    assert loaded.model_dump_json() == record.model_dump_json()
