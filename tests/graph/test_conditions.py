"""Conditions in their three forms: what they are judged by, where they come from, and how they are stored."""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# Predicates are lambdas here, and a message tells no types.

import functools
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from flowscope import RunStatus
from flowscope.graph import (
    Aggregator,
    ConditionalRouter,
    ErrorHandler,
    Filter,
    GraphError,
    GraphSpec,
    RoutineGraph,
    SchemaValidator,
    Splitter,
)
from support.graph.condition_results import job_of, judged, sent_by


def is_big(data: dict[str, Any]) -> bool:
    """A predicate."""
    return bool(data["size"] > 10)


class Rules:
    """A place for predicates."""

    @staticmethod
    def is_small(data: dict[str, Any]) -> bool:
        """A predicate."""
        return not is_big(data)


async def is_later(data: object) -> bool:
    """No predicate: it would have to be awaited."""
    return True


async def are_later(data: object) -> AsyncIterator[bool]:
    """No predicate."""
    yield True


class Later:
    """No predicate."""

    async def __call__(self, data: object) -> bool:
        return False


class Word(StrEnum):
    """Texts with names."""

    EXPRESSION = "data['size'] > 10"


class Town(BaseModel):
    """A model."""

    name: str


NOT_A_FUNCTION = 5

FORMS: list[Any] = [
    "data['size'] > 10", Word.EXPRESSION, is_big, lambda data: data["size"] > 10, functools.partial(lambda data: is_big(data)),
    {"size": 12}, OrderedDict(size=12), MappingProxyType({"size": 12.0}), {"size": 12, "name": "a"}, {}, lambda data: [0],
    bool,
]  # fmt: skip


@pytest.mark.parametrize("condition", FORMS)
def test_a_condition_holds(condition: Any) -> None:
    """In any of its forms, and it is judged by the whole message."""
    assert judged(condition, {"size": 12, "name": "a"})


@pytest.mark.parametrize(
    "condition",
    [
        "data['size'] > 10",
        is_big,
        {"size": 11},
        {"size": 12, "name": "b"},
        {"other": None},
        lambda data: 0,
        lambda data: None,
    ],
)
def test_a_condition_does_not_hold(condition: Any) -> None:
    """In any of its forms."""
    assert not judged(condition, {"size": 3, "name": "a"})


def test_fields_are_compared_as_they_are() -> None:
    """A field has to be there, and to have the value, which may be anything; a message without fields has none."""
    assert judged({"x": None}, {"x": None})
    assert not judged({"x": None}, {"y": None})
    assert judged({"x": [1, {"a": (2,)}]}, {"x": [1, {"a": (2,)}]})
    assert not judged({"x": [1, {"a": (2,)}]}, {"x": [1, {"a": [2]}]})
    assert judged({"data": {"a": 1}}, {"data": {"data": {"a": 1}}})
    for message in ([1], "x", None, 5, is_big):
        assert not judged({"x": 1}, {"data": message})


@pytest.mark.parametrize(
    "wrong",
    [None, 5, 1.5, b"data", ["data"], ("data",), {"data"}, {1: 2}, {None: 1}, {"a": 1, 2: 3}, is_later, are_later, Later(),
     functools.partial(is_later), object()],
)  # fmt: skip
def test_what_is_no_condition_is_refused(wrong: Any) -> None:
    """Alone and in a router; `GraphError` is inside Pydantic's error, and that is a `ValueError` too."""
    for make in (lambda: Filter(condition=wrong), lambda: ConditionalRouter(routes=[("a", "data"), ("b", wrong)])):
        with pytest.raises(ValueError, match="a condition is") as caught:
            make()
        error: Any = caught.value
        assert isinstance(error.errors()[0]["ctx"]["error"], GraphError)


@pytest.mark.parametrize(
    "error", [KeyError("size"), ValueError("no"), ZeroDivisionError(), RecursionError(), StopIteration()]
)
def test_a_predicate_that_raises_is_an_error(error: Exception) -> None:
    """Of the activation, with the very exception's text: what is wrong in it is not taken for a no."""

    def fail(data: object) -> bool:
        raise error

    for routine in (Filter(condition=fail), ConditionalRouter(routes=[("a", fail), ("b", "True")], default_route="c")):
        job = job_of(routine, {"x": 1})
        assert job.status == RunStatus.FAILED
        assert job.error is not None
        assert job.error.type == type(error).__name__
        assert not job.shared_log


def test_an_answer_that_is_neither_yes_nor_no_is_an_error() -> None:
    """As an array is that a predicate returns, or that a field has; silence would send the message the wrong way."""
    numpy = pytest.importorskip("numpy")
    array = numpy.array([1, 2])
    tried: list[tuple[Any, str]] = [(lambda data: data["x"] == 1, "ValueError"), ({"x": 1}, "GraphError")]
    tried += [({"y": 0, "x": array}, "GraphError"), ({"x": [1, 2]}, "GraphError")]
    for condition, kind in tried:
        job = job_of(ConditionalRouter(routes=[("a", condition)], default_route="b"), {"y": 0, "x": array})
        assert job.error is not None
        assert job.error.type.endswith(kind)
        assert "truth value" in job.error.message
        assert not job.shared_log
    assert judged({"x": 1}, {"x": numpy.int64(1)})
    assert not judged({"x": 1, "z": 2}, {"x": numpy.int64(3), "z": array})
    assert judged(lambda data: bool(numpy.array_equal(data["x"], array)), {"x": array})


class Base(Filter):
    """A filter with a field."""

    limit: int = 10


class Derived(Base):
    """A filter with more, and things that are no fields."""

    names: list[str] = ["a"]
    _secret: int = 5

    @property
    def shown(self) -> int:
        """No field."""
        return 1

    @cached_property
    def kept(self) -> int:
        """No field."""
        return 1


def test_config_has_the_fields_of_the_routine() -> None:
    """Its own, those of its bases, and defaults; and nothing else."""
    condition = "data['x'] > config['limit'] and data['name'] in config['names'] and config['condition'] != ''"
    routine = Derived(condition=condition)
    assert routine.kept == 1
    assert [name for name, _ in sent_by(routine, {"x": 11, "name": "a"}, {"x": 10, "name": "a"})] == [
        "passed",
        "rejected",
    ]
    assert [name for name, _ in sent_by(Derived(condition=condition, limit=5), {"x": 6, "name": "a"})] == ["passed"]
    for other in ("shown", "_secret", "kept", "passed", "input", "_slots", "__dict__", "model_config", "job"):
        assert not judged_by(Derived, f"config['{other}'] == config['{other}']")
        assert judged_by(Derived, f"'{other}' not in config")
    assert judged_by(Derived, "config == {'x'} or 'limit' in config")


def judged_by(kind: type[Filter], text: str) -> bool:
    [(name, _)] = sent_by(kind(condition=text), {"x": 1})
    return name == "passed"


def _again(routine: Any, how: Literal["spec", "mapping", "json"]) -> Any:
    graph = RoutineGraph("g")
    graph.add_routine(routine, "r")
    spec: Any = graph.serialize()
    given = {"spec": spec, "mapping": spec.model_dump(mode="json"), "json": spec.model_dump_json()}[how]
    again = RoutineGraph.deserialize(given, modules=["builtins", __name__])
    assert again.serialize() == spec
    return again.routine("r")


@pytest.mark.parametrize("how", ["spec", "mapping", "json"])
@pytest.mark.parametrize(
    "condition",
    ["data['size'] > 10", is_big, Rules.is_small, bool, {}, {"a": 1}, {"a": (1, 2), "b": {1: {2, 3}}, "c": b"\xff"},
     {"$type": "tuple", "$value": [1]}, {"at": datetime(2024, 1, 1, tzinfo=UTC), "on": date(2024, 1, 1), "d": Decimal("1.10")},
     {"x": float("inf"), "y": 2**200, "z": None}],
)  # fmt: skip
def test_a_condition_comes_back_from_a_spec_as_it_was(condition: Any, how: Any) -> None:
    """Text as text, functions by their names, and values of any type that can be saved."""
    made: Filter = _again(Filter(condition=condition), how)
    assert made.condition == condition
    assert repr(made.condition) == repr(condition)


@pytest.mark.parametrize(
    ("condition", "text"),
    [(lambda data: True, "lambda"), (functools.partial(is_big), "partial"), ({"x": object()}, "object"), ("".startswith, "startswith")],
)  # fmt: skip
def test_what_would_not_come_back_is_not_put_into_a_spec(condition: Any, text: str) -> None:
    """The error names the routine and the thing."""
    with pytest.raises(GraphError, match=f"'r'.*{text}"):
        _again(Filter(condition=condition), "spec")


def _spec(config: dict[str, Any], kind: type = Filter) -> dict[str, Any]:
    return {
        "flow_id": "g",
        "routines": [{"id": "r", "type": f"{kind.__module__}:{kind.__qualname__}", "config": config}],
    }


@pytest.mark.parametrize(
    "name",
    ["os:nothing", "nothing_there:x", f"{__name__}:NOT_A_FUNCTION", f"{__name__}:is_later", "os:path", ":x", "os:", "a b:c", "os:a:b",
     "os:path.join(1)", "__import__('os').system('true')"],
)  # fmt: skip
def test_a_spec_with_a_wrong_name_is_refused(name: str) -> None:
    """What is not there, is no predicate, or has no name's form."""
    with pytest.raises(GraphError, match="condition"):
        RoutineGraph.deserialize(_spec({"condition": name}))


@pytest.mark.parametrize(
    "fields", [{"$type": "decimal", "$value": "x"}, {"a": {"$type": "decimal", "$value": "x"}}, {"$type": "?"}]
)
def test_a_spec_with_wrong_values_is_refused(fields: dict[str, Any]) -> None:
    """With a `GraphError`, too."""
    with pytest.raises(GraphError, match="'r'"):
        RoutineGraph.deserialize(_spec({"condition": fields}))


def test_names_are_for_specs() -> None:
    """Elsewhere text is an expression, also in JSON; fields come back from JSON of a routine, too."""
    for make in (
        lambda: Filter(condition="os:system"),
        lambda: Filter.model_validate({"condition": f"{__name__}:is_big"}),
        lambda: Filter.model_validate_json(json.dumps({"condition": f"{__name__}:is_big"})),
        lambda: SchemaValidator(model=f"{__name__}:Town"),  # type: ignore[arg-type] # what is tested
        lambda: SchemaValidator.model_validate({"model": f"{__name__}:Town"}),
    ):
        with pytest.raises(ValueError, match=r"is not in the language|names are for specs"):
            make()
    made = Filter(condition={"a": (1, 2)})
    assert Filter.model_validate_json(made.model_dump_json()).condition == {"a": (1, 2)}
    assert Filter.model_validate(made.model_dump()).condition == {"a": (1, 2)}
    assert Filter.model_validate(Filter(condition=is_big).model_dump()).condition is is_big
    validator = SchemaValidator(model=Town)
    assert SchemaValidator.model_validate_json(validator.model_dump_json()).model is Town


def _handler(value: Any) -> object:
    return ErrorHandler(retryable_exceptions=value)


def _validator(value: Any) -> object:
    return SchemaValidator(model=value)


NO_EXCEPTIONS: list[Any] = [
    int, [int], (ValueError, int), KeyboardInterrupt, "os:system", ["os:path"], ["nothing:x"], "x", "", 5, [5], None,
    [None], {"a": 1}, [[ValueError]], list[int], ValueError("x"), [BaseException], is_big,
]  # fmt: skip
NO_MODELS: list[Any] = [int, Town(name="x"), "x", "os:path", None, 5, is_big, [Town]]


@pytest.mark.parametrize(
    ("make", "wrong"), [(_handler, wrong) for wrong in NO_EXCEPTIONS] + [(_validator, wrong) for wrong in NO_MODELS]
)
def test_what_is_no_class_of_the_kind_is_refused(make: Callable[[Any], object], wrong: Any) -> None:
    """With a text that says what was wanted."""
    with pytest.raises(ValueError, match=r"wanted a subclass of|cannot be found|names are for specs"):
        make(wrong)


def test_exceptions_come_back_from_json() -> None:
    """As classes; one may be given alone."""
    for given, expected in (
        (ValueError, (ValueError,)), ([KeyError, OSError], (KeyError, OSError)), ("builtins:OSError", (OSError,)), ((), ()),
    ):  # fmt: skip
        handler = ErrorHandler(retryable_exceptions=given)  # type: ignore[arg-type] # other forms are taken too
        assert handler.retryable_exceptions == expected
        assert ErrorHandler.model_validate_json(handler.model_dump_json()) == handler
        assert ErrorHandler.model_validate(handler.model_dump()) == handler
    assert ErrorHandler.model_validate_json(ErrorHandler().model_dump_json()) == ErrorHandler()

    class LocalError(Exception):
        """Not found by its name."""

    with pytest.raises(ValueError, match="LocalError"):
        ErrorHandler(retryable_exceptions=(LocalError,)).model_dump_json()


@pytest.mark.parametrize("mode", ["validation", "serialization"])
@pytest.mark.parametrize(
    "kind", [ErrorHandler, GraphSpec, Filter, ConditionalRouter, SchemaValidator, Aggregator, Splitter]
)
def test_schemas_are_silent_and_true(kind: type[BaseModel], mode: Literal["validation", "serialization"]) -> None:
    """They can be made, without a warning, and they say what there is in JSON."""
    schema = kind.model_json_schema(mode=mode)
    handler = schema.get("$defs", {}).get("ErrorHandler", schema)
    if kind in {ErrorHandler, GraphSpec}:
        shown = handler["properties"]["retryable_exceptions"]
        assert shown["default"] == ["builtins:Exception"]
        assert (shown["type"], shown["items"]) == ("array", {"type": "string"})
        assert "retryable_exceptions" not in handler.get("required", [])
    if kind is Filter:
        assert [one["type"] for one in schema["properties"]["condition"]["anyOf"]] == ["string", "object"]
    if kind is SchemaValidator:
        assert schema["properties"]["model"]["type"] == "string"
