"""Typed dicts of the standard library in annotations, on every supported Python."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Generic, NotRequired, Required, TypedDict, TypeVar

import pytest
from pydantic import Field
from typing_extensions import TypedDict as BackportedTypedDict
from typing_extensions import Unpack

from flowscope import Flow, ParameterError, flow, task

T = TypeVar("T")


class Point(TypedDict):
    x: int


class Node(TypedDict):
    x: int
    inner: NotRequired[list["Node"]]


class Options(TypedDict, total=False):
    x: Required[int]
    y: Annotated[int, Field(gt=0)]


class Base(TypedDict):
    a: int


class Derived(Base, total=False):
    b: int


class Pair(TypedDict, Generic[T]):
    x: T
    more: list[T]


class Outer(BackportedTypedDict):
    point: int


def arrived(annotation: Any, value: Any) -> Any:
    """What a flow function with one parameter of this annotation receives."""

    def receive(value: Any) -> Any:
        return value

    receive.__annotations__["value"] = annotation
    return flow(receive)(value).execute().return_value


CASES: list[tuple[Any, Any, Any, Any]] = [
    (Point, {"x": "2"}, {"x": 2}, {"x": "many"}),
    (Point | None, {"x": "2"}, {"x": 2}, {}),
    (list[Point], [{"x": "2"}], [{"x": 2}], [{"x": "many"}]),
    (dict[str, list[Point]], {"a": [{"x": "2"}]}, {"a": [{"x": 2}]}, {"a": [5]}),
    (tuple[Point, ...], [{"x": "2"}], ({"x": 2},), [{}]),
    (Mapping[str, Point], {"a": {"x": "2"}}, {"a": {"x": 2}}, {"a": {}}),
    (Iterable[Point], [{"x": "2"}], [{"x": 2}], [{}]),
    (int | list[Point], [{"x": "2"}], [{"x": 2}], [{}]),
    (Annotated[list[Point], Field(max_length=1)], [{"x": "2"}], [{"x": 2}], [{"x": 1}, {"x": 1}]),
    (Node, {"x": 1, "inner": [{"x": "2"}]}, {"x": 1, "inner": [{"x": 2}]}, {"x": 1, "inner": [{"x": "many"}]}),
    (Options, {"x": "1"}, {"x": 1}, {"y": 1}),
    (Options, {"x": 1, "y": "2"}, {"x": 1, "y": 2}, {"x": 1, "y": -1}),
    (Derived, {"a": "1"}, {"a": 1}, {"b": 1}),
    (Derived, {"a": 1, "b": "2"}, {"a": 1, "b": 2}, {"a": 1, "b": "many"}),
    (Pair[int], {"x": "1", "more": ["2"]}, {"x": 1, "more": [2]}, {"x": 1, "more": ["many"]}),
    (list[Pair[int]], [{"x": "1", "more": []}], [{"x": 1, "more": []}], [{"x": "many", "more": []}]),
    (Outer, {"point": "1"}, {"point": 1}, {"point": "many"}),
]


@pytest.mark.parametrize(("annotation", "given", "expected", "bad"), CASES, ids=lambda value: str(value)[:30])
def test_typed_dicts_are_checked_wherever_they_stand(annotation: Any, given: Any, expected: Any, bad: Any) -> None:
    """Items are coerced, a wrong or missing one is refused, and a mapping that fits is the very object."""
    assert arrived(annotation, given) == expected
    assert arrived(annotation, expected) is expected
    with pytest.raises(ParameterError):
        arrived(annotation, bad)


def test_collected_keywords_are_checked_as_a_typed_dict() -> None:
    """`**options: Unpack[Options]` coerces each item, and refuses a wrong, unknown or missing one."""

    def configure(**options: Unpack[Options]) -> Any:
        return options

    made, step = flow(configure), task(validate=True)(configure)
    text: Any = "2"
    call: Any = made
    assert made(x=text).execute().return_value == {"x": 2}
    for bad in ({"x": "many"}, {"x": 1, "y": -1}, {"y": 1}, {}):
        with pytest.raises(ParameterError, match="'options'"):
            call(**bad)
    with Flow[None]():
        assert step(x=text, y=text) == {"x": 2, "y": 2}
