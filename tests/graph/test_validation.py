"""What `validate_graph` finds before any job runs."""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# Handlers are lambdas here, and a message tells no types.

import time
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from flowscope import INJECTED, Flow, Inject
from flowscope.graph import Aggregator, Filter, GraphProblem, Routine, RoutineGraph, event, slot
from support.graph.routines import called, chain, graph_of


class Node(Routine):
    """Takes and sends a number."""

    out = event("value")

    @slot
    def trigger(self, value: int = 0) -> None:
        """Do nothing."""


class End(Routine):
    """Takes a number."""

    @slot
    def input(self, value: int) -> None:
        """Do nothing."""


def _wired(*pairs: tuple[str, str], nodes: str = "") -> RoutineGraph:
    graph = RoutineGraph()
    for name in dict.fromkeys([*(name for pair in pairs for name in pair), *nodes]):
        graph.add_routine(Node(), name)
    for source, target in pairs:
        graph.connect(source, "out", target, "trigger")
    return graph


def _found(graph: RoutineGraph, kind: str) -> list[tuple[str, str | None, str]]:
    return [(one.severity, one.routine_id, one.message) for one in graph.validate_graph() if one.kind == kind]


def test_nothing_is_found_in_a_graph_that_is_right() -> None:
    """An entry with a trigger, events that are received, slots that are fed, parameters that are sent."""
    assert graph_of(Node(), End()).validate_graph() == []
    assert RoutineGraph().validate_graph() == []
    assert str(GraphProblem(kind="cycle", severity="info", message="round")) == "info: round"


def test_an_event_that_nobody_receives() -> None:
    """Is worth knowing, also at the end of a chain."""
    assert _found(_wired(("a", "b")), "unheard_event") == [("info", "b", "nobody receives event 'out' of routine 'b'")]


def test_a_slot_that_nobody_feeds() -> None:
    """Is a warning; a trigger is fed by whoever starts a job."""
    graph = RoutineGraph()
    routine = called(lambda: None)
    routine.define_slot("other", lambda: None)
    graph.add_routine(routine, "a")
    assert [one.kind for one in graph.validate_graph()] == ["unfed_slot"]
    assert _found(graph, "unfed_slot") == [("warning", "a", "nobody feeds slot 'other' of routine 'a'")]


def test_a_source_without_a_trigger() -> None:
    """Can never run, whatever other entries there are; what it feeds alone is unreachable."""
    graph = _wired(nodes="a")
    source = Routine()
    source.define_event("out")
    graph.add_routine(source, "source")
    graph.add_routine(End(), "end")
    graph.connect("source", "out", "end", "input")
    assert _found(graph, "no_entry") == []
    message = "routine 'source' can never run: nobody feeds it, and it has no slot 'trigger' to begin a job with"
    assert _found(graph, "no_trigger") == [("error", "source", message)]
    message = "routine 'end' is reached from no routine with a slot 'trigger'"
    assert _found(graph, "unreachable") == [("warning", "end", message)]


def test_a_graph_without_any_trigger() -> None:
    """Is one in which no job can begin, even if all routines feed each other."""
    graph = RoutineGraph()
    for name in "ab":
        routine = Routine()
        routine.define_slot("input", lambda: None)
        routine.define_event("out")
        graph.add_routine(routine, name)
    graph.connect("a", "out", "b", "input")
    graph.connect("b", "out", "a", "input")
    assert _found(graph, "no_entry") == [("error", None, "no routine has a slot 'trigger', so no job can begin")]
    assert _found(graph, "no_trigger") == []
    assert [routine_id for _, routine_id, _ in _found(graph, "unreachable")] == ["a", "b"]


@pytest.mark.parametrize(
    ("pairs", "rounds"),
    [
        ("aa", ["a feeds itself"]),
        ("aa aa", ["a feeds itself"]),
        ("ab ba", ["a b a"]),
        ("ab ba ab ba", ["a b a"]),
        ("ab bc ca", ["a b c a"]),
        ("ab ba ac ca", ["a b a", "a c a"]),
        ("ab ba bc cb cc", ["a b a", "b c b", "c feeds itself"]),
        ("ab bc cd db", ["b c d b"]),
        ("ab ac bd cd", []),
        ("ab ac bd cd da", ["a b d a"]),
        ("ab cd dc", ["c d c"]),
    ],
)
def test_a_circle_is_told_once(pairs: str, rounds: list[str]) -> None:
    """By the connection that closes it, however many connections go along it."""
    said = [
        message.removeprefix("messages may go round: ").removeprefix("routine ").replace("'", "").replace("-> ", "")
        for _, _, message in _found(_wired(*((pair[0], pair[1]) for pair in pairs.split())), "cycle")
    ]
    assert said == rounds


def test_a_long_circle_is_told_in_short() -> None:
    """By its first and last routines."""
    graph = chain(1_000)
    graph.connect("r999", "out", "r0", "trigger")
    ((severity, routine_id, message),) = _found(graph, "cycle")
    assert (severity, routine_id) == ("info", "r0")
    assert message == (
        "messages may go round: 'r0' -> 'r1' -> 'r2' -> 'r3' -> 'r4' -> 991 more -> 'r996' -> 'r997' -> 'r998' -> "
        "'r999' -> 'r0'"
    )


def _handled(handler: Callable[..., Any], mapping: dict[str, str], *sent: str, **options: Any) -> list[str]:
    source = Node()
    source.define_event("sent", sent)
    end = Routine()
    end.define_slot("input", handler, **options)
    graph = RoutineGraph()
    graph.add_routine(source, "a")
    graph.add_routine(end, "b")
    graph.connect("a", "sent", "b", "input", mapping)
    found = _found(graph, "unknown_parameter")
    assert {(severity, routine_id) for severity, routine_id, _ in found} <= {("error", "b")}
    return [message for _, _, message in found]


def test_names_that_the_handler_does_not_take() -> None:
    """A connection that maps to them is an error."""
    said = ["handler 'b.input' takes no 'x', which the connection from 'a' maps to"]
    mapping = {"value": "x"}
    none: list[Callable[..., Any]] = [
        lambda value=1: None, lambda: None, lambda *x: None, lambda data, other=1: None, lambda this_flow=INJECTED: None,
    ]  # fmt: skip
    some: list[Callable[..., Any]] = [
        lambda x: None, lambda x=1: None, lambda x, /: None, lambda *, x: None, lambda **rest: None, lambda data: None,
        lambda data, this_task=INJECTED: None,
    ]  # fmt: skip
    for handler in none:
        assert _handled(handler, mapping) == said
    for handler in some:
        assert _handled(handler, mapping) == []
    assert _handled(lambda x, flow=Inject(lambda: 1): None, {"value": "flow"}) == [said[0].replace("'x'", "'flow'")]


def test_parameters_that_are_not_sent() -> None:
    """A handler that wants what the event does not send is an error, if the event tells what it sends."""
    said = ["handler 'b.input' wants 'x', which event 'sent' of 'a' does not send"]

    def injected(x: int, flow: Flow[Any], this_task: object, more: object = INJECTED) -> None: ...

    wanting: list[Callable[..., Any]] = [
        lambda x: None, lambda x, /: None, lambda *, x: None, lambda x, **rest: None, injected,
    ]  # fmt: skip
    for handler in wanting:
        assert _handled(handler, {}, "value") == said
        assert _handled(handler, {}, "x") == []
        assert _handled(handler, {"value": "x"}, "value") == []
        assert _handled(handler, {"x": "value"}, "x")[-1:] == said
        assert _handled(handler, {}) == []
    easy: list[Callable[..., Any]] = [lambda x=1: None, lambda **rest: None, lambda data: None, lambda *x: None]
    for handler in easy:
        assert _handled(handler, {}, "value") == []


def test_what_a_merge_makes_is_not_guessed() -> None:
    """A merge function may send what it likes; of appended messages only the names are known."""

    def end(total: int) -> None: ...

    assert _handled(end, {"value": "x"}, "value", merge_strategy=lambda old, new: {"total": 1}) == []
    assert _handled(end, {}, "value", merge_strategy="append") == []
    assert len(_handled(end, {"value": "x"}, "value", merge_strategy="append")) == 1
    for routine in (Aggregator(count=2), Filter(condition={"value": 1})):
        graph = RoutineGraph()
        graph.add_routine(Node(), "a")
        graph.add_routine(routine, "b")
        graph.connect("a", "out", "b", "input")
        assert {one.kind for one in graph.validate_graph()} == {"unheard_event"}


def test_a_slot_without_a_handler_takes_anything() -> None:
    """It only merges."""
    graph = RoutineGraph()
    end = Routine()
    end.define_slot("input")
    graph.add_routine(Node(), "a")
    graph.add_routine(end, "b")
    graph.connect("a", "out", "b", "input", {"value": "x"})
    assert graph.validate_graph() == []


def test_a_large_graph_is_looked_through_fast() -> None:
    """A thousand routines and ten thousand connections, in far less than a second."""
    random = Random(7)  # noqa: S311 - no secret
    names = [f"r{number}" for number in range(1_000)]
    graph = _wired(*((random.choice(names), random.choice(names)) for _ in range(10_000)))
    began = time.perf_counter()
    problems = graph.validate_graph()
    assert time.perf_counter() - began < 1
    assert {one.kind for one in problems} == {"cycle"}
    assert max(len(one.message) for one in problems) < 200
