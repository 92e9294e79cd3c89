"""How graphs and routines are put together: what is refused changes nothing, and nothing is lost silently."""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# Handlers are lambdas here, and a message tells no types.

import copy
import functools
import pickle
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar, Generic, TypeVar

import pytest
from pydantic import ConfigDict, Field, PrivateAttr, create_model, field_validator

from flowscope import RunStatus, task
from flowscope.graph import (
    ConditionalRouter,
    ErrorHandler,
    Event,
    GraphError,
    JobState,
    Routine,
    RoutineGraph,
    event,
    slot,
)
from support.graph.routines import BOUND, Counter, Gate, Hold, Relay, Source, called, graph_of

T = TypeVar("T")


class Node(Routine):
    """Writes down its step, and passes it on."""

    step: int = 1
    out = event("value")

    @slot
    def trigger(self, value: int = 0) -> None:
        """Pass it on."""
        self.job.append_to_shared_log({"value": value, "step": self.step, "at": self.job.current_routine_id})
        self.emit("out", value=value + self.step)


def _log(job: JobState, key: str) -> list[Any]:
    return [entry[key] for entry in job.shared_log]


def _picture(graph: RoutineGraph) -> object:
    """All that a refused call could change."""
    return (
        graph.flow_id, graph.error_handler, graph.execution_strategy, graph.max_workers, list(graph.routines.items()),
        graph.connections, dict(graph.dependencies()), graph.validate_graph(), graph.to_mermaid(),
        [(list(one.slots.values()), list(one.events.values()), one.error_handler) for one in graph.routines.values()],
    )  # fmt: skip


def _generator(value: int) -> Any:
    yield value


async def _async_generator(value: int) -> Any:
    yield value


GRAPH_CALLS: list[tuple[Callable[[Any], object], str]] = [
    (lambda graph: graph.add_routine(Node(), "a"), "routine id 'a' already exists"),
    (lambda graph: graph.add_routine(Node(), ""), "id of a routine is ''"),
    (lambda graph: graph.add_routine(Node(), 5), "id of a routine is 5"),
    (lambda graph: graph.add_routine(Node(), ["a"]), "id of a routine is"),
    (lambda graph: graph.add_routine(Node), "wanted an object of a Routine class"),
    (lambda graph: graph.add_routine(None), "wanted an object of a Routine class"),
    (lambda graph: graph.add_routine(called(_generator), "x"), "handler 'x.trigger' is a generator"),
    (lambda graph: graph.add_routine(called(_async_generator), "x"), "handler 'x.trigger' is a generator"),
    (lambda graph: graph.add_routine(called(int), "x"), "handler 'x.trigger' cannot be called with messages"),
    (lambda graph: graph.connect("x", "out", "b", "trigger"), "no routine 'x'; there is: 'a', 'b'"),
    (lambda graph: graph.connect("a", "out", "x", "trigger"), "no routine 'x'; there is: 'a', 'b'"),
    (lambda graph: graph.connect("a", "x", "b", "trigger"), "routine 'a' has no event 'x'; there is: 'out'"),
    (lambda graph: graph.connect("a", "out", "b", "x"), "routine 'b' has no slot 'x'; there is: 'trigger'"),
    (lambda graph: graph.connect(1, "out", "b", "trigger"), "no routine 1"),
    (lambda graph: graph.connect("a", [], "b", "trigger"), r"no event \[\]"),
    (lambda graph: graph.connect("a", "out", "b", None), "no slot None"),
    (lambda graph: graph.connect("a", "out", "b", "trigger", ["x"]), "param_mapping is"),
    (lambda graph: graph.connect("a", "out", "b", "trigger", {"x": 1}), "maps 'x' to is 1"),
    (lambda graph: graph.connect("a", "out", "b", "trigger", {1: "x"}), "a name in param_mapping is 1"),
    (lambda graph: graph.connect("a", "out", "b", "trigger", {"x": ""}), "maps 'x' to is ''"),
    (lambda graph: graph.connect("a", "out", "b", "trigger", {"x": "z", "y": "z"}), "maps both 'x' and 'y' to 'z'"),
    (lambda graph: graph.set_error_handler("continue"), "wanted an ErrorHandler"),
    (lambda graph: graph.set_execution_strategy("parallel", 7), "execution strategy is 'parallel'"),
    (lambda graph: graph.set_execution_strategy("concurrent", 0), "max_workers is 0"),
    (lambda graph: graph.routine("a").define_slot("trigger"), "slot 'trigger' already exists in Node"),
    (lambda graph: graph.routine("a").define_slot(""), "name of a slot is ''"),
    (lambda graph: graph.routine("a").define_slot(5), "name of a slot is 5"),
    (lambda graph: graph.routine("a").define_slot("x", 5), "handler of slot 'x' is 5"),
    (lambda graph: graph.routine("a").define_slot("x", merge_strategy="sum"), "merge_strategy is 'sum'"),
    (lambda graph: graph.routine("a").define_slot("x", merge_strategy=[]), "merge_strategy is"),
    (lambda graph: graph.routine("a").define_event("out"), "event 'out' already exists in Node"),
    (lambda graph: graph.routine("a").define_event(""), "name of an event is ''"),
    (lambda graph: graph.routine("a").define_event("x", "value"), "output_params of event 'x' is 'value'"),
    (lambda graph: graph.routine("a").define_event("x", [1]), "key of an event's messages is 1"),
    (lambda graph: graph.routine("a").set_error_handler("stop"), "wanted an ErrorHandler"),
    (lambda graph: graph.execute("x"), "no routine 'x'"),
    (lambda graph: graph.to_mermaid(JobState(flow_id="x")), "belongs to graph 'x'"),
    (lambda graph: type(graph)(5), "flow_id is 5"),
]  # fmt: skip


@pytest.mark.parametrize(("attempt", "said"), GRAPH_CALLS)
def test_what_is_refused_changes_nothing(attempt: Callable[[Any], object], said: str) -> None:
    """Names unknown or taken, things that are no names, handlers that cannot be called; the graph goes on as it was."""
    graph = RoutineGraph("g")
    graph.add_routine(Node(), "a")
    graph.add_routine(Node(), "b")
    graph.connect("a", "out", "b", "trigger")
    before = _picture(graph)
    with pytest.raises(GraphError, match=said):
        attempt(graph)
    assert _picture(graph) == before
    assert _log(graph.execute("a"), "value") == [0, 1]


def test_an_entry_needs_a_trigger() -> None:
    """A job cannot begin with a routine that has none, and the error says how to give it one."""
    graph = RoutineGraph("g")
    graph.add_routine(Routine(), "a")
    with pytest.raises(
        GraphError, match=r"routine 'a' cannot be the entry.*Give it one: a method `trigger` with @slot"
    ):
        graph.execute("a")


def test_a_long_list_of_names_is_cut_short() -> None:
    """An error in a graph of a thousand routines is still read."""
    graph = RoutineGraph()
    for _ in range(1_000):
        graph.add_routine(Node())
    with pytest.raises(GraphError, match=r"'Node-10' and 990 more\.$"):
        graph.routine("x")


def test_ids_are_made_of_class_names() -> None:
    """With a number if that is taken."""
    graph = RoutineGraph()
    assert [graph.add_routine(Node()) for _ in range(3)] == ["Node", "Node-2", "Node-3"]
    assert graph.add_routine(Node(), "Node-4") == "Node-4"
    assert [graph.add_routine(Node()) for _ in range(2)] == ["Node-5", "Node-6"]


def test_ids_of_thousands_are_made_at_once() -> None:
    """An id costs the same however many routines of the class there are."""
    graph = RoutineGraph()
    began = time.perf_counter()
    ids = [graph.add_routine(Routine()) for _ in range(20_000)]
    assert time.perf_counter() - began < 5
    assert (len(set(ids)), ids[-1]) == (20_000, "Routine-20000")


def test_any_text_is_a_name() -> None:
    """Of a routine, slot or event, and equal names do not mix."""
    for name in (
        "self",
        "data",
        "a.b",
        "a:b",
        "start",
        "end",
        " ",
        "\n",
        "é",
        "'",
        "x" * 1_000,
        "\ud800",
        "event_name",
    ):
        graph = RoutineGraph("g")
        seen: list[Any] = []
        source = called(lambda: source.emit(name, **{name: 1}))  # noqa: B023 - called in this round
        source.define_event(name, [name])
        end = Routine()
        end.define_slot(name, lambda **data: seen.append(data))  # noqa: B023 - called in this round
        graph.add_routine(source, name)
        graph.add_routine(end, f"{name}2")
        graph.connect(name, name, f"{name}2", name)
        assert graph.execute(name).status == RunStatus.COMPLETED
        assert seen == [{name: 1}]


def test_the_same_connection_twice_delivers_twice() -> None:
    """In the order in which the connections were made."""
    graph = graph_of(Node(), Node(step=2))
    graph.add_routine(Node(step=3), "c")
    for target in "cb":
        graph.connect("a", "out", target, "trigger")
    assert [one.target_id for one in graph.connections] == ["b", "c", "b"]
    assert _log(graph.execute("a"), "step") == [1, 2, 3, 2]


def test_ports_may_be_defined_after_the_routine_was_added() -> None:
    """They are connected and validated like others; a handler that cannot be called is told by `connect`."""
    graph = RoutineGraph()
    source, end, seen = called(lambda: source.emit("late", value=1)), Routine(), list[Any]()
    graph.add_routine(source, "a")
    graph.add_routine(end, "b")
    source.define_event("late", ["value"])
    end.define_slot("late", lambda value: seen.append(value))
    end.define_slot("bad", _generator)
    with pytest.raises(GraphError, match="handler 'b.bad' is a generator"):
        graph.connect("a", "late", "b", "bad")
    graph.connect("a", "late", "b", "late")
    assert [one.kind for one in graph.validate_graph()] == ["unfed_slot"]
    assert graph.execute("a").status == RunStatus.COMPLETED
    assert seen == [1]
    late = Routine()
    graph.add_routine(late, "c")
    late.define_slot("trigger", lambda: seen.append("late"))
    graph.execute("c")
    assert seen == [1, "late"]


def test_one_routine_twice_in_a_graph_emits_where_it_runs() -> None:
    """Each id has its own connections and states."""
    routine, graph = Node(), RoutineGraph()
    for name in "ab":
        graph.add_routine(routine, name)
    graph.add_routine(Node(step=5), "c")
    graph.connect("a", "out", "b", "trigger")
    graph.connect("b", "out", "c", "trigger")
    job = graph.execute("a", {"value": 1})
    assert _log(job, "value") == [1, 2, 3]
    assert _log(job, "at") == ["a", "b", "c"]
    assert graph.find_routines_by_type(Node)[:2] == [("a", routine), ("b", routine)]


def test_one_routine_in_two_graphs_emits_in_the_one_that_runs() -> None:
    """Also when both run at once, or one runs inside the other."""
    gate, inner_log = Gate(), list[Any]()
    shared = Hold(gate)

    def graph(step: int) -> RoutineGraph:
        made = RoutineGraph()
        made.add_routine(shared, f"hold{step}")
        made.add_routine(Node(step=step), "end")
        made.connect(f"hold{step}", "out", "end", "trigger")
        return made

    graphs = [graph(1), graph(2)]
    jobs = [one.start(f"hold{step}", {"value": step}) for step, one in enumerate(graphs, 1)]
    gate.wait_entered(2)
    gate.open()
    for one, job in zip(graphs, jobs, strict=True):
        assert one.wait_for_completion(job, BOUND)
    assert [_log(job, "step") for job in jobs] == [[1], [2]]
    outer = graph_of(called(lambda: inner_log.extend(_log(graphs[0].execute("hold1", {"value": 7}), "value"))))
    assert outer.execute("a").status == RunStatus.COMPLETED
    assert inner_log == [7]


def test_connecting_while_a_job_runs() -> None:
    """What is emitted afterwards goes there too."""
    gate = Gate()
    graph = graph_of(Hold(gate), Counter())
    job = graph.start("a", {"value": 3})
    gate.wait_entered()
    graph.add_routine(Counter(), "c")
    graph.connect("a", "out", "c", "input")
    gate.open()
    assert graph.wait_for_completion(job, BOUND)
    assert _log(job, "value") == [3, 3]


def _mapped(mapping: dict[str, str], **message: int) -> dict[str, int]:
    seen: list[dict[str, int]] = []
    source = called(lambda: source.emit("out", **message), "out")
    graph = graph_of(source, called(lambda **data: seen.append(data)))
    graph.add_routine(called(lambda **data: seen.append(data)), "c")
    graph.connect("a", "out", "c", "trigger", mapping)
    graph.execute("a")
    return seen[1]


def test_mappings_rename_all_at_once() -> None:
    """Other keys pass, but give way to one that takes their name, whatever the order."""
    assert _mapped({"a": "b", "b": "a"}, a=1, b=2, c=3) == {"b": 1, "a": 2, "c": 3}
    assert _mapped({"a": "b"}, a=1, b=2) == {"b": 1}
    assert _mapped({"a": "b"}, b=2, a=1) == {"b": 1}
    assert _mapped({"a": "b"}, b=2) == {"b": 2}
    assert _mapped({"a": "b", "b": "c"}, a=1, b=2, c=3) == {"b": 1, "c": 2}
    assert _mapped({"a": "a"}, a=1) == {"a": 1}
    assert _mapped({"x": "y"}, a=1) == {"a": 1}


def test_a_mapping_is_the_connections_own() -> None:
    """Changing the dictionary that was given changes nothing."""
    mapping = {"value": "x"}
    graph = graph_of(Node(), Node())
    made = graph.connect("a", "out", "b", "trigger", mapping)
    mapping["value"] = "y"
    assert made.param_mapping == {"value": "x"}
    assert made == ("a", "out", "b", "trigger", {"value": "x"})


def test_routines_are_found_by_their_class() -> None:
    """In the order in which they were added, subclasses too; dependencies leave out the routine itself."""
    graph = graph_of(Source(), Relay(), Counter())
    graph.connect("b", "out", "b", "trigger")
    graph.connect("a", "out", "c", "input")
    assert [name for name, _ in graph.find_routines_by_type(Routine)] == ["a", "b", "c"]
    assert [name for name, _ in graph.find_routines_by_type(Relay)] == ["b"]
    assert graph.find_routines_by_type(Hold) == []
    assert graph.dependencies() == {"a": frozenset(), "b": {"a"}, "c": {"a", "b"}}


def test_an_error_handler_of_a_graph_may_be_taken_away() -> None:
    """None is none."""
    graph = graph_of(called(lambda missing: None))
    graph.set_error_handler(ErrorHandler(strategy="continue"))  # type: ignore[arg-type] # Pydantic takes the value
    assert graph.execute("a").status == RunStatus.COMPLETED
    graph.set_error_handler(None)
    assert graph.execute("a").status == RunStatus.FAILED


def _plain_wrapper(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


class Kinds(Routine):
    """Slots of all kinds of methods."""

    seen: list[Any] = []

    @slot(name="odd name")
    def method(self, value: int) -> None:
        """A method."""
        self.seen.append(("method", value))

    @slot
    @staticmethod
    def static_inside(value: int) -> None:
        """A static method."""

    @staticmethod
    @slot
    def static_outside(value: int) -> None:
        """A static method."""

    @classmethod
    @slot
    def of_class(cls, value: int) -> None:
        """A class method."""

    @slot
    @_plain_wrapper
    def wrapped_inside(self, value: int) -> None:
        """Wrapped."""
        self.seen.append(("inside", value))

    @_plain_wrapper
    @slot
    def wrapped_outside(self, value: int) -> None:
        """Wrapped."""
        self.seen.append(("outside", value))

    @task
    @slot
    def as_task(self, value: int) -> None:
        """A task."""
        self.seen.append(("task", value))

    @slot
    async def in_loop(self, value: int) -> None:
        """Async."""
        self.seen.append(("async", value))


def test_slots_are_methods_of_all_kinds() -> None:
    """Static and class methods, wrapped ones with the decorator on either side, tasks and async ones."""
    routine = Kinds()
    names = [
        "odd name",
        "static_inside",
        "static_outside",
        "of_class",
        "wrapped_inside",
        "wrapped_outside",
        "as_task",
        "in_loop",
    ]
    assert list(routine.slots) == names
    graph = RoutineGraph()
    source = called(lambda: source.emit("out", value=1), "out")
    graph.add_routine(source, "a")
    graph.add_routine(routine, "b")
    for name in names:
        graph.connect("a", "out", "b", name)
    job = graph.execute("a")
    assert job.status == RunStatus.COMPLETED
    assert [kind for kind, _ in routine.seen] == ["method", "inside", "outside", "task", "async"]
    assert [one.task_name for one in job.flow_run.tasks] == [
        "a.trigger",
        *[f"b.{name}" for name in names[:7]],
        "as_task",
        "b.in_loop",
    ]


class _Object:
    def __call__(self, value: int) -> None: ...


@pytest.mark.parametrize("thing", [property(lambda self: None), functools.partial(print), _Object(), int, 5, print])
def test_what_is_no_method_is_no_slot(thing: Any) -> None:
    """`@slot` says so where it stands."""
    with pytest.raises(GraphError, match="wanted a method"):
        slot(thing)
    with pytest.raises(GraphError, match="wanted a method"):
        slot(name="x")(thing)


def test_what_slot_and_event_are_told_is_checked() -> None:
    """Where they stand."""
    attempts: list[Callable[[], object]] = [
        lambda: slot(merge_strategy="sum"),  # type: ignore[call-overload] # what is tested
        lambda: slot(name="")(lambda self: None),
        lambda: slot(name=5)(lambda self: None),  # type: ignore[call-overload] # what is tested
        lambda: event(5),  # type: ignore[arg-type] # what is tested
        lambda: event("value", ""),
    ]
    for attempt in attempts:
        with pytest.raises(GraphError):
            attempt()


class Base(Routine):
    """With a slot of another name than its method's."""

    out = event("value")

    @slot(name="input", merge_strategy="append")
    def take(self, value: Any) -> None:
        """Write down."""
        self.job.append_to_shared_log({"by": "base", "value": value})


class Plain(Base):
    """Overrides the method without a decorator."""

    def take(self, value: Any) -> None:
        """Write down otherwise."""
        self.job.append_to_shared_log({"by": "plain", "value": value})


class Renamed(Base):
    """Gives the method another slot."""

    out = event("other", "value")

    @slot(name="renamed")
    def take(self, value: Any) -> None:
        """Write down otherwise."""


class Replaced(Base):
    """Has another method for the slot."""

    @slot(name="input")
    def grab(self, value: Any) -> None:
        """Write down otherwise."""
        self.job.append_to_shared_log({"by": "replaced", "value": value})


class Mixin:
    """No routine itself."""

    @slot
    def trigger(self, value: int) -> None:
        """Send it."""
        self.emit("out", value=value)  # type: ignore[attr-defined] # it is mixed in


class Both(Mixin, Plain):
    """Of two bases."""


def _by(routine: Routine, entry: str) -> tuple[str, Any]:
    graph = graph_of(called(lambda: graph.routine("a").emit("out", value=1), "out"))
    graph.add_routine(routine, "b")
    graph.connect("a", "out", "b", entry)
    (entry_of_log,) = graph.execute("a").shared_log
    return entry_of_log["by"], entry_of_log["value"]


def test_subclasses_inherit_override_and_rename() -> None:
    """An override without decorator handles the slot; one with another name moves it; another method may take it over."""
    assert _by(Base(), "input") == ("base", [1])
    assert _by(Plain(), "input") == ("plain", [1])
    assert list(Renamed().slots) == ["renamed"]
    assert Renamed().events["out"].output_params == ("other", "value")
    assert Base().events["out"].output_params == ("value",)
    assert _by(Replaced(), "input") == ("replaced", 1)
    assert list(Replaced().slots) == ["input"]


def test_slots_come_from_all_bases() -> None:
    """Those of a class that is no routine, too."""
    routine = Both()
    assert set(routine.slots) == {"input", "trigger"}
    graph = RoutineGraph()
    graph.add_routine(routine, "a")
    graph.connect("a", "out", "a", "input")
    assert graph.execute("a", {"value": 4}).shared_log[0]["by"] == "plain"


def _class(base: type[Routine] = Base, **namespace: Any) -> type[Routine]:
    return type("Made", (base,), {"__module__": __name__, "__annotations__": {}, **namespace})


@pytest.mark.filterwarnings("ignore:Field name:UserWarning")
@pytest.mark.parametrize(
    ("namespace", "said"),
    [
        (
            {"a": slot(name="x")(lambda self: None), "b": slot(name="x")(lambda self: None)},
            "slot 'x' is declared twice",
        ),
        ({"emit": slot(name="x")(lambda self: None)}, "'emit' of Made hides that of Routine"),
        ({"slots": event()}, "'slots' of Made hides that of Routine"),
        ({"job": 1, "__annotations__": {"job": int}}, "'job' of Made hides that of Routine"),
        ({"take": 1, "__annotations__": {"take": int}}, "'take' of Made is 1, and a slot or an event as well"),
        ({"out": 1, "__annotations__": {"out": int}}, "'out' of Made is 1, and a slot or an event as well"),
        ({"take": None, "__annotations__": {"take": ClassVar[None]}}, "'take' of Made is None, and a slot"),
        ({"out": lambda self: None}, "'out' of Made is .*, and a slot or an event as well"),
        ({"x": slot(lambda self: None), "__annotations__": {"x": int}}, "'x' of Made is .*, and a slot"),
    ],
)
def test_what_would_hide_a_slot_or_event_is_refused(namespace: dict[str, Any], said: str) -> None:
    """When the class is made."""
    with pytest.raises(GraphError, match=said):
        _class(**namespace)


def test_slots_and_fields_have_names_of_their_own() -> None:
    """A slot may be called like a field, and like anything of Pydantic."""

    class Odd(Routine):
        value: int = 3
        json_like = event()

        @slot(name="value")
        def take(self) -> None:
            self.job.append_to_shared_log({"value": self.value})

        @slot(name="model_dump")
        def dump(self) -> None: ...

        @slot
        def copy_of(self) -> None: ...

    routine = Odd()
    assert list(routine.slots) == ["value", "model_dump", "copy_of"]
    assert routine.model_dump() == {"value": 3}
    assert {name: one.name for name, one in routine.events.items()} == {"json_like": "json_like"}


def test_routines_of_all_sorts_of_models() -> None:
    """Frozen, generic, with validators and private attributes, made without validation, or with a start of their own."""

    class Frozen(Node):
        model_config = ConfigDict(frozen=True)
        step: int = Field(default=1, ge=1)
        _count: int = PrivateAttr(default=0)

        @field_validator("step")
        @classmethod
        def _double(cls, step: int) -> int:
            return step * 2

    class Typed(Node, Generic[T]):
        thing: T | None = None

    class Starting(Node):
        def model_post_init(self, context: Any, /) -> None:  # without asking its base
            self.define_event("more")

    created = create_model("Created", __base__=Node, other=(int, 2))
    frozen = Frozen(step=2)
    frozen.define_slot("late", lambda: None)
    made: list[Node] = [frozen, Typed[int](thing=1), Typed(), Starting(), Node.model_construct(step=3), created()]
    for routine in made:
        graph = graph_of(routine, Node())
        assert _log(graph.execute("a", {"value": 1}), "value") == [1, 1 + routine.step]
    assert frozen.step == 4
    assert list(Starting().events) == ["out", "more"]
    assert list(frozen.slots) == ["trigger", "late"]


class Copied(Routine):
    """With handlers and merges of its own in all forms."""

    factor: int = 1

    def model_post_init(self, context: Any, /) -> None:
        """Define a slot."""
        self.define_slot("made", self.times, self.keep)

    @slot
    def trigger(self, value: int) -> None:
        """Write down."""
        self.times(value)

    def times(self, value: int) -> None:
        """Write down."""
        self.job.append_to_shared_log({"value": value * self.factor})

    def keep(self, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        """Add a thousand for each factor."""
        return {"value": new["value"] + 1_000 * self.factor}


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy, copy.deepcopy, lambda one: one.model_copy(), lambda one: one.model_copy(deep=True),
        lambda one: one.model_copy(update={"factor": 3}), lambda one: pickle.loads(pickle.dumps(one)),
    ],
)  # fmt: skip
def test_a_copy_has_handlers_of_its_own(copied: Callable[[Routine], Routine]) -> None:
    """They read the copy's fields and emit for it; what is added to one is not added to the other."""
    original = Copied(factor=2)
    original.define_event("out", ["value"])
    original.set_as_critical()
    made = copied(original)
    assert made is not original
    assert made != original
    assert isinstance(made, Copied)
    made.factor = 3
    made.define_slot("more", lambda: None)
    made.define_event("more")
    assert list(original.slots) == ["trigger", "made"]
    assert list(original.events) == ["out"]
    assert made.error_handler == original.error_handler
    for routine, factor in ((original, 2), (made, 3)):
        assert isinstance(routine.events["out"], Event)
        graph = graph_of(called(lambda: graph.routine("a").emit("out", value=5), "out"), routine)  # noqa: B023 - of this round
        graph.connect("a", "out", "b", "made")
        assert _log(graph.execute("a"), "value") == [5 * factor, (5 + 1_000 * factor) * factor]


def test_a_copy_of_a_routine_with_events_of_its_config() -> None:
    """Has them too."""
    router = ConditionalRouter(routes=[("a", "data > 1")], default_route="b")
    assert list(copy.deepcopy(router).events) == ["a", "b"]
