"""The stock routines, each by itself and chained."""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# Predicates are lambdas here, and a message tells no types.

import re
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from flowscope import RunStatus
from flowscope.graph import (
    Aggregator,
    Batcher,
    ConditionalRouter,
    Filter,
    GraphError,
    JobState,
    Mapper,
    Routine,
    RoutineGraph,
    SchemaValidator,
    Splitter,
    event,
    slot,
)
from support.graph.condition_results import Feed, Inbox, job_of, sent_by
from support.graph.routines import Source

Sent = list[tuple[str, dict[str, Any]]]


def is_even(data: dict[str, Any]) -> bool:
    """A predicate."""
    return bool(data["x"] % 2 == 0)


class Town(BaseModel):
    """A model that takes what it can make fit."""

    name: str
    size: int = 5
    roads: list[int] = []


class StrictTown(BaseModel):
    """A model that takes what fits."""

    model_config = ConfigDict(strict=True, extra="forbid")

    name: str
    size: int = Field(default=5, gt=0)

    @field_validator("name")
    @classmethod
    def check(cls, name: str) -> str:
        """Refuse some, in two ways."""
        if name == "bad":
            raise ValueError("a bad name")
        if name == "worse":
            raise KeyError(name)
        return name


X = {"x": 4}
A4, B4, D4 = (("a", {"data": X, "route": "a"}), ("b", {"data": X, "route": "b"}), ("d", {"data": X, "route": "d"}))

CASES: list[tuple[Routine, dict[str, Any], Sent]] = [
    (ConditionalRouter(routes=[("a", "data['x'] == 4"), ("b", "data['x'] > 1")]), X, [A4]),
    (ConditionalRouter(routes=[("a", "data['x'] == 4"), ("b", is_even)], route_priority="all_matches"), X, [A4, B4]),
    (ConditionalRouter(routes=[("a", {"x": 5}), ("b", {"x": 4})]), X, [B4]),
    (ConditionalRouter(routes=[("a", "data['y'] == 4"), ("b", "data['x'] == 4")]), X, [B4]),
    (ConditionalRouter(routes=[("a", "data['y'] == 4"), ("b", "data['y'] != 4")], default_route="d"), X, [D4]),
    (ConditionalRouter(routes=[("a", "data['x'] == 5")]), X, []),
    (ConditionalRouter(routes=[]), X, []),
    (ConditionalRouter(routes=[], default_route="d"), X, [D4]),
    (ConditionalRouter(routes=[("a", is_even)], default_route="d"), X, [A4]),
    (ConditionalRouter(routes=[("a", is_even)], default_route="d", route_priority="all_matches"), X, [A4]),
    (ConditionalRouter(routes=[("a", {"x": 5})], default_route="a"), X, [A4]),
    (ConditionalRouter(routes=[("a", {"x": 5}), ("a", {"x": 4}), ("b", {"x": 4})]), X, [A4]),
    (ConditionalRouter(routes=[("a", {"x": 4}), ("b", {}), ("a", "True")], route_priority="all_matches"), X, [A4, B4]),
    (ConditionalRouter(routes=[("a", "config['routes'][0][0] == 'a' and config['default_route'] is None")]), X, [A4]),
    (Filter(condition="data['x'] > 3"), X, [("passed", {"data": X})]),
    (Filter(condition="data['x'] > 4"), X, [("rejected", {"data": X})]),
    (Filter(condition={"x": 4}), X, [("passed", {"data": X})]),
    (Filter(condition={"x": 4, "y": 1}), X, [("rejected", {"data": X})]),
    (Filter(condition=is_even), X, [("passed", {"data": X})]),
    (Filter(condition="data > 3"), {"data": 4}, [("passed", {"data": 4})]),
    (Filter(condition="data['x'] > 3"), {"data": X, "more": 1}, [("passed", {"data": X})]),
    (Filter(condition="data == []"), {"data": []}, [("passed", {"data": []})]),
    (Mapper(mappings={}), X, [("output", {"data": {}})]),
    (Mapper(mappings={"y": "x"}), X, [("output", {"data": {"y": 4}})]),
    (Mapper(mappings={"y": "x", "z": "x", "x": "x"}), X, [("output", {"data": {"y": 4, "z": 4, "x": 4}})]),
    (Mapper(mappings={"y": "a.b.c"}), {"a": {"b": {"c": None}}}, [("output", {"data": {"y": None}})]),
    (Mapper(mappings={"y": "a.1.b", "last": "a.-1.b"}), {"a": [{}, {"b": 2}]}, [("output", {"data": {"y": 2, "last": 2}})]),
    (Mapper(mappings={"y": "a.0.1"}), {"a": ((1, [2]),)}, [("output", {"data": {"y": [2]}})]),
    (Mapper(mappings={"y": "a.0"}), {"a": {"0": "key"}}, [("output", {"data": {"y": "key"}})]),
    (Mapper(mappings={"y": "0.a"}), {"data": [{"a": 1}]}, [("output", {"data": {"y": 1}})]),
    (Mapper(mappings={"a.b": "x"}), X, [("output", {"data": {"a.b": 4}})]),
    (Splitter(field="f"), {"f": [5, [6]]}, [("item", {"item": 5, "index": 0}), ("item", {"item": [6], "index": 1})]),
    (Splitter(field="f"), {"f": (5, None)}, [("item", {"item": 5, "index": 0}), ("item", {"item": None, "index": 1})]),
    (Splitter(field="f"), {"f": []}, []),
    (Splitter(field="f"), {"f": {5}}, [("item", {"item": 5, "index": 0})]),
    (Splitter(field="f"), {"f": deque([5])}, [("item", {"item": 5, "index": 0})]),
    (Splitter(field="f"), {"f": range(2)}, [("item", {"item": 0, "index": 0}), ("item", {"item": 1, "index": 1})]),
    (Splitter(field="f"), {"data": {"f": ["a"]}, "route": "b"}, [("item", {"item": "a", "index": 0})]),
    (Splitter(field="data"), {"data": {"data": ["a"]}}, [("item", {"item": "a", "index": 0})]),
    (SchemaValidator(model=Town), {"name": "a"}, [("valid", {"data": {"name": "a", "size": 5, "roads": []}})]),
    (SchemaValidator(model=Town), {"name": "a", "size": "7", "x": 1}, [("valid", {"data": {"name": "a", "size": 7, "roads": []}})]),
    (
        SchemaValidator(model=Town),
        {"size": "x", "roads": [1, "y"]},
        [("invalid", {"data": {"size": "x", "roads": [1, "y"]}, "errors": [
            {"type": "missing", "loc": ("name",), "msg": "Field required"},
            {"type": "int_parsing", "loc": ("size",), "msg": "Input should be a valid integer, unable to parse string as an integer"},
            {"type": "int_parsing", "loc": ("roads", 1), "msg": "Input should be a valid integer, unable to parse string as an integer"},
        ]})],
    ),
    (SchemaValidator(model=StrictTown), {"name": "a"}, [("valid", {"data": {"name": "a", "size": 5}})]),
    (
        SchemaValidator(model=StrictTown),
        {"name": "bad", "size": "7", "x": 1},
        [("invalid", {"data": {"name": "bad", "size": "7", "x": 1}, "errors": [
            {"type": "value_error", "loc": ("name",), "msg": "Value error, a bad name"},
            {"type": "int_type", "loc": ("size",), "msg": "Input should be a valid integer"},
            {"type": "extra_forbidden", "loc": ("x",), "msg": "Extra inputs are not permitted"},
        ]})],
    ),
    (
        SchemaValidator(model=Town),
        {"data": [1]},
        [("invalid", {"data": [1], "errors": [
            {"type": "model_type", "loc": (), "msg": "Input should be a valid dictionary or instance of Town"},
        ]})],
    ),
    (SchemaValidator(model=Town), {"data": Town(name="a")}, [("valid", {"data": {"name": "a", "size": 5, "roads": []}})]),
    (Aggregator(count=1), X, [("aggregated", {"items": [X]})]),
    (Aggregator(count=1), {"data": 5, "route": "a"}, [("aggregated", {"items": [5]})]),
    (Aggregator(count=2), X, [("aggregated", {"items": [X]})]),
    (Aggregator(count=2, flush_partial=False), X, []),
    (Batcher(batch_size=2), X, [("batch", {"items": [X]})]),
    (Batcher(batch_size=1), {"data": None}, [("batch", {"items": [None]})]),
]  # fmt: skip


@pytest.mark.parametrize("mode", ["sequential", "concurrent"])
@pytest.mark.parametrize(("routine", "message", "sent"), CASES)
def test_what_a_routine_sends(routine: Routine, message: dict[str, Any], sent: Sent, mode: Any) -> None:
    """For one message, in both modes, in any order where several inboxes get it at once."""
    found = sent_by(routine, message, execution_strategy=mode)
    if mode == "concurrent":
        found.sort(key=lambda one: (one[0], one[1].get("index", 0)))
    assert found == sent


@pytest.mark.parametrize("how", ["spec", "mapping", "json"])
@pytest.mark.parametrize(("routine", "message", "sent"), CASES)
def test_a_routine_from_a_spec_sends_the_same(routine: Routine, message: dict[str, Any], sent: Sent, how: str) -> None:
    """The graph that was rebuilt is the graph that it was made from, events and slots included."""
    graph = RoutineGraph("g")
    graph.add_routine(routine, "r")
    spec = graph.serialize()
    ways: dict[str, Any] = {"spec": spec, "mapping": spec.model_dump(mode="json"), "json": spec.model_dump_json()}
    again = RoutineGraph.deserialize(ways[how], modules=["builtins", "pydantic", __name__])
    assert again.serialize() == spec
    made = again.routine("r")
    assert type(made) is type(routine)
    assert [(one.name, one.output_params) for one in made.events.values()] == [
        (one.name, one.output_params) for one in routine.events.values()
    ]
    assert made.slots.keys() == {"input"}
    assert sent_by(made, message) == sent


Fails = list[tuple[Routine, dict[str, Any], str, str]]

FAILURES: Fails = [
    (Mapper(mappings={"y": "x"}), {"z": 1}, "LookupError", "no 'x'"),
    (Mapper(mappings={"z": "z", "y": "a.b.c"}), {"z": 1, "a": {"b": {}}}, "LookupError", "no 'a.b.c'"),
    (Mapper(mappings={"y": "a.b.c"}), {"a": {}}, "LookupError", "no 'a.b'"),
    (Mapper(mappings={"y": "a.b"}), {"a": None}, "LookupError", "no 'a.b'"),
    (Mapper(mappings={"y": "a.b"}), {"a": "text"}, "LookupError", "no 'a.b'"),
    (Mapper(mappings={"y": "a.0"}), {"a": "text"}, "LookupError", "no 'a.0'"),
    (Mapper(mappings={"y": "a.b"}), {"a": Town(name="x")}, "LookupError", "no 'a.b'"),
    (Mapper(mappings={"y": "a.x"}), {"a": [1]}, "LookupError", "no 'a.x'"),
    (Mapper(mappings={"y": "a.1"}), {"a": [1]}, "LookupError", "no 'a.1'"),
    (Mapper(mappings={"y": "a."}), {"a": {"b": 1}}, "LookupError", "no 'a.'"),
    (Mapper(mappings={"y": "x"}), {"data": 5}, "LookupError", "no 'x'"),
    (Splitter(field="f"), X, "LookupError", "no 'f'"),
    (Splitter(field="f"), {"data": 5}, "LookupError", "no 'f'"),
    (Splitter(field="f"), {"data": [5]}, "LookupError", "no 'f'"),
    (Splitter(field="f"), {"f": "text"}, "TypeError", "'f'.*str"),
    (Splitter(field="f"), {"f": b"bytes"}, "TypeError", "'f'.*bytes"),
    (Splitter(field="f"), {"f": {"a": 1}}, "TypeError", "'f'.*dict"),
    (Splitter(field="f"), {"f": 5}, "TypeError", "'f'.*int"),
    (Splitter(field="f"), {"f": None}, "TypeError", "'f'.*NoneType"),
    (SchemaValidator(model=StrictTown), {"name": "worse"}, "KeyError", "worse"),
    (Filter(condition=is_even), {"y": 1}, "KeyError", "x"),
    (ConditionalRouter(routes=[("a", is_even), ("b", "True")]), {"y": 1}, "KeyError", "x"),
]


@pytest.mark.parametrize("mode", ["sequential", "concurrent"])
@pytest.mark.parametrize(("routine", "message", "kind", "text"), FAILURES)
def test_what_does_not_fit_fails_the_activation(
    routine: Routine, message: dict[str, Any], kind: str, text: str, mode: Any
) -> None:
    """Nothing is sent then; the job fails, or goes on without it if the routine is optional."""
    job = job_of(routine, message, execution_strategy=mode)
    assert job.status == RunStatus.FAILED
    assert job.error is not None
    assert job.error.type == kind
    assert re.search(text, job.error.message)
    assert not job.shared_log
    optional = type(routine).model_validate(dict(routine)).set_as_optional()
    job = job_of(optional, message, execution_strategy=mode)
    assert job.status == RunStatus.COMPLETED
    assert job.routine_states["routine"].status == "error_continued"
    assert not job.shared_log


def test_items_that_fail_half_way_are_not_sent() -> None:
    """All are there before the first is sent."""

    def items() -> Iterator[int]:
        yield 1
        raise OSError("no more")

    job = job_of(Splitter(field="f"), {"f": items()})
    assert job.error is not None
    assert job.error.message == "no more"
    assert not job.shared_log


def test_a_first_match_is_the_last_question() -> None:
    """What follows is not asked, and need not have an answer."""
    asked: list[str] = []

    def answer(name: str, value: bool) -> Callable[[Any], bool]:
        def predicate(data: object) -> bool:
            asked.append(name)
            return value

        return predicate

    routes = [("a", answer("a", False)), ("b", answer("b", True)), ("c", answer("c", True))]
    assert [name for name, _ in sent_by(ConditionalRouter(routes=routes), X)] == ["b"]
    assert asked == ["a", "b"]


class Picky(ConditionalRouter):
    """A router with an event and a field of its own."""

    limit: int = 3
    refused = event("data", "route", "why")


def test_a_route_may_be_named_like_an_event_of_a_subclass() -> None:
    """It is that event, which keeps what was said of it; fields of the subclass are config."""
    routine = Picky(routes=[("refused", "data['x'] > config['limit']")], default_route="kept")
    assert list(routine.events) == ["refused", "kept"]
    assert routine.events["refused"].output_params == ("data", "route", "why")
    assert routine.events["kept"].output_params == ("data", "route")
    assert [name for name, _ in sent_by(routine, X, {"x": 3})] == ["refused", "kept"]


WRONG: list[tuple[type[Routine], dict[str, Any]]] = [
    (ConditionalRouter, {}), (ConditionalRouter, {"routes": {"a": "data"}}), (ConditionalRouter, {"routes": [("a",)]}),
    (ConditionalRouter, {"routes": [(1, "data")]}), (ConditionalRouter, {"routes": ["data"]}), (ConditionalRouter, {"routes": None}),
    (ConditionalRouter, {"routes": [], "default_route": 1}), (ConditionalRouter, {"routes": [], "route_priority": "best"}),
    (ConditionalRouter, {"routes": [], "other": 1}), (Aggregator, {}), (Aggregator, {"count": 0}), (Aggregator, {"count": -1}),
    (Aggregator, {"count": "3"}), (Aggregator, {"count": 3.0}), (Aggregator, {"count": True}), (Aggregator, {"count": None}),
    (Aggregator, {"count": 3, "size": 3}), (Batcher, {}), (Batcher, {"batch_size": 0}), (Batcher, {"batch_size": "1"}), (Mapper, {}),
    (Mapper, {"mappings": {"a": 1}}), (Mapper, {"mappings": {1: "a"}}), (Mapper, {"mappings": ["a"]}), (Filter, {}),
    (Filter, {"condition": None}), (Splitter, {}), (Splitter, {"field": None}), (Splitter, {"field": 1}), (SchemaValidator, {}),
    (SchemaValidator, {"model": int}), (SchemaValidator, {"model": None}), (SchemaValidator, {"model": Town(name="x")}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "config"), WRONG)
def test_wrong_config_is_refused(kind: type[Routine], config: dict[str, Any]) -> None:
    """When a routine is made, and when it is made from a spec."""
    with pytest.raises(ValueError, match=kind.__name__):
        kind(**config)
    spec = {"flow_id": "g", "routines": [{"id": "r", "type": f"{kind.__module__}:{kind.__name__}", "config": config}]}
    with pytest.raises(GraphError, match="'r'"):
        RoutineGraph.deserialize(spec)


def _wired(graph: RoutineGraph, *routines: tuple[str, Routine, str]) -> None:
    """Routines in a row: the id of each, and which of its events the next one gets."""
    for name, routine, _ in routines:
        graph.add_routine(routine, name)
    for (source, _, sent), (target, _, _) in zip(routines, routines[1:], strict=False):
        graph.connect(source, sent, target, "input")


@pytest.mark.parametrize("mode", ["sequential", "concurrent"])
def test_stock_routines_in_a_row(mode: Literal["sequential", "concurrent"]) -> None:
    """Each works on the `data` of the one before it, and on the whole message where there is none."""
    graph = RoutineGraph("g", execution_strategy=mode)
    orders = [{"order": {"lines": [{"n": number, "price": str(line)} for line in range(4)]}} for number in range(3)]
    _wired(
        graph,
        ("feed", Feed(*orders), "out"),
        ("map", Mapper(mappings={"lines": "order.lines", "first": "order.lines.0.n"}), "output"),
        ("route", ConditionalRouter(routes=[("even", "data['first'] % 2 == 0")], default_route="odd"), "even"),
        ("split", Splitter(field="lines"), "item"),
        ("filter", Filter(condition="data['item']['price'] != '0' and data['index'] > 0"), "passed"),
        ("name", Mapper(mappings={"name": "item.price", "size": "item.n"}), "output"),
        ("check", SchemaValidator(model=Town), "valid"),
        ("collect", Aggregator(count=2), "aggregated"),
        ("batch", Batcher(batch_size=3), "batch"),
        ("again", Splitter(field="items"), "item"),
        ("inbox", Inbox(), ""),
    )
    assert not [problem for problem in graph.validate_graph() if problem.severity == "error"]
    job = graph.execute("feed")
    assert job.status == RunStatus.COMPLETED
    pairs = [entry["message"]["item"]["items"] for entry in job.shared_log]
    towns = [(town["name"], town["size"]) for pair in pairs for town in pair]
    expected = [(str(line), number) for number in (0, 2) for line in (1, 2, 3)]
    assert [len(pair) for pair in pairs] == [2, 2, 2]
    assert Counter(towns) == Counter(expected)
    if mode == "sequential":
        assert towns == expected


def test_stock_routines_after_one_of_another_kind() -> None:
    """They get the whole message, and `param_mapping` may say what is the data."""
    graph = RoutineGraph()
    _wired(
        graph,
        ("source", Source(count=4), "out"),
        ("filter", Filter(condition="data['value'] > 1"), "passed"),
        ("inbox", Inbox(), ""),
    )
    graph.add_routine(Source(count=4), "other")
    graph.add_routine(Filter(condition="data > 2"), "bare")
    graph.connect("other", "out", "bare", "input", {"value": "data"})
    graph.connect("bare", "passed", "inbox", "input")
    assert [one["message"] for one in graph.execute("source").shared_log] == [
        {"data": {"value": 2}},
        {"data": {"value": 3}},
    ]
    assert [one["message"] for one in graph.execute("other").shared_log] == [{"data": 3}]


class Pauser(Routine):
    """Pauses its job before it sends its message."""

    out = event("data")

    @slot
    def trigger(self, data: Any) -> None:
        """Pause it."""
        PAUSED[0].pause(self.job)
        self.emit("out", data=data)

    @slot(name="input")
    def take(self, **message: Any) -> None:
        """Pause it, and pass the message on."""
        PAUSED[0].pause(self.job)
        self.emit("out", data=message)


PAUSED: list[RoutineGraph] = []


def test_errors_of_a_model_are_saved_with_a_paused_job(tmp_path: Path) -> None:
    """They are plain, and arrive as they were sent."""
    graph = RoutineGraph("g")
    PAUSED[:] = [graph]
    _wired(
        graph,
        ("feed", Feed({"name": 1, "roads": ["x"]}), "out"),
        ("check", SchemaValidator(model=Town), "invalid"),
        ("pause", Pauser(), "out"),
        ("inbox", Inbox(), ""),
    )
    job = JobState.load(graph.execute("feed").save(tmp_path / "job"))
    assert job.status == RunStatus.PAUSED
    assert not job.shared_log
    job = graph.resume(job)
    [entry] = job.shared_log
    errors = entry["message"]["data"]["errors"]
    assert [(one["type"], one["loc"]) for one in errors] == [("string_type", ("name",)), ("int_parsing", ("roads", 0))]
    assert entry["message"]["data"]["data"] == {"name": 1, "roads": ["x"]}
