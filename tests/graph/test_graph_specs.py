"""Graphs as specs: what comes back is the same graph, here and in another process, and what could not is refused."""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# Handlers are lambdas here, and a message tells no types.

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowscope import FlowConfig, RunStatus
from flowscope.graph import (
    Aggregator,
    Batcher,
    ConditionalRouter,
    ErrorHandler,
    ErrorStrategy,
    Filter,
    GraphError,
    GraphSpec,
    Mapper,
    Routine,
    RoutineGraph,
    SchemaValidator,
    Splitter,
    slot,
)
from support.examples import examples
from support.graph import spec_pieces
from support.graph.routines import BOUND
from support.graph.spec_pieces import (
    Anything,
    Handmade,
    Hop,
    Locked,
    Rich,
    SelfMade,
    bound,
    history,
    noted,
    quiet,
    recorded,
    total,
)

MODULE = spec_pieces.__name__

_NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4)
_HANDLERS = st.builds(
    ErrorHandler,
    strategy=st.sampled_from(ErrorStrategy),
    max_retries=st.just(0),  # when another attempt comes is up to a timer, and the history with it
    retry_delay=st.floats(0, 10),
    retryable_exceptions=st.sampled_from([(Exception,), (ValueError, LookupError), ()]),
    is_critical=st.booleans(),
)
_FUNCTIONS: list[Callable[..., Any] | None] = [None, quiet, noted, recorded]


@st.composite
def _routines(draw: st.DrawFn) -> Routine:
    if draw(st.booleans()):
        routine: Hop = Hop(step=draw(st.integers(1, 3)))
    else:
        routine = SelfMade(
            names=draw(st.lists(_NAMES.filter(lambda name: name not in {"trigger", "out"}), unique=True, max_size=2))
        )
    for name in draw(st.lists(_NAMES, unique=True, max_size=3)):
        if name not in routine.slots:
            handler = draw(st.sampled_from([*_FUNCTIONS, *routine.methods()[:-1]]))
            routine.define_slot(name, handler, draw(st.sampled_from(["override", "append", total, routine.merge])))
    for name in draw(st.lists(_NAMES, unique=True, max_size=2)):
        if name not in routine.events:
            routine.define_event(name, draw(st.lists(st.sampled_from(["value", "hops"]), unique=True)))
    mark = draw(st.sampled_from(["", "handler", "optional", "critical"]))
    if mark == "optional":
        routine.set_as_optional()
    elif mark == "critical":
        routine.set_as_critical(max_retries=0, retry_delay=3)
    if mark in {"handler", "optional"} and draw(st.booleans()):
        routine.set_error_handler(draw(_HANDLERS))
    return routine


@st.composite
def _graphs(draw: st.DrawFn) -> RoutineGraph:
    graph = RoutineGraph(
        draw(_NAMES),
        draw(st.sampled_from(["sequential", "concurrent"])),
        draw(st.integers(1, 9)),
        draw(st.none() | st.floats(BOUND, 1e9)),
        flow_config=draw(st.sampled_from([None, FlowConfig(redact=("value",))])),
    )
    graph.set_error_handler(draw(st.none() | _HANDLERS))
    for routine in draw(st.lists(_routines(), min_size=1, max_size=3)):
        graph.add_routine(routine, draw(st.none() | _NAMES.filter(lambda name: name not in graph.routines)))
    ids = st.sampled_from(list(graph.routines))
    for _ in range(draw(st.integers(0, 5))):
        source, target = draw(ids), draw(ids)
        output = draw(st.sampled_from(list(graph.routine(source).events)))
        entry = draw(st.sampled_from(list(graph.routine(target).slots)))
        mapping = draw(st.sampled_from([{}, {"value": "x"}, {"none": "value"}]))
        graph.connect(source, output, target, entry, mapping)
    return graph


def _same_wiring(one: RoutineGraph, other: RoutineGraph) -> None:
    assert list(one.routines) == list(other.routines)
    assert one.connections == other.connections
    assert (one.flow_id, one.execution_strategy, one.max_workers) == (
        other.flow_id,
        other.execution_strategy,
        other.max_workers,
    )
    assert (one.execution_timeout, one.error_handler) == (other.execution_timeout, other.error_handler)
    assert one.flow_config == other.flow_config
    for name, routine in one.routines.items():
        again = other.routine(name)
        assert type(again) is type(routine)
        assert dict(again) == dict(routine)
        assert [(entry.name, entry.handler is None) for entry in again.slots.values()] == [
            (entry.name, entry.handler is None) for entry in routine.slots.values()
        ]
        assert [(output.name, output.output_params) for output in again.events.values()] == [
            (output.name, output.output_params) for output in routine.events.values()
        ]
        assert (again.error_handler, again.is_optional) == (routine.error_handler, routine.is_optional)


@settings(max_examples=examples(150), deadline=None)
@given(_graphs())
def test_a_graph_comes_back_as_it_was(graph: RoutineGraph) -> None:
    """From its spec, that as a mapping, and its JSON; its spec is the same again, and a job of it goes the same way."""
    with graph:
        spec = graph.serialize()
        for form in (spec, spec.model_dump(), json.loads(spec.model_dump_json()), spec.model_dump_json()):
            with RoutineGraph.deserialize(form) as again:
                assert again.serialize() == spec
        with RoutineGraph.deserialize(spec.model_dump_json().encode()) as again:
            _same_wiring(graph, again)
            for entry in graph.routines:
                jobs = [one.execute(entry, {"value": 1, "hops": 3}, "sequential") for one in (graph, again)]
                assert jobs[0].status in {RunStatus.COMPLETED, RunStatus.FAILED}
                assert history(jobs[0]) == history(jobs[1])


def _graph(*routines: Routine) -> RoutineGraph:
    graph = RoutineGraph("g")
    for routine in routines:
        graph.add_routine(routine)
    return graph


def test_another_process_runs_the_same_graph(tmp_path: Path) -> None:
    """It imports the classes and functions that the spec names."""
    graph = RoutineGraph("g", "concurrent", 3, 60.0)
    graph.set_error_handler(ErrorHandler(strategy=ErrorStrategy.SKIP))
    graph.add_routine(Hop(step=2), "a")
    graph.add_routine(SelfMade(names=["own"]), "b")
    graph.routine("b").define_slot("added", graph.routine("b").methods()[1], "append")  # type: ignore[attr-defined] # it is a Hop
    graph.connect("a", "out", "b", "own")
    graph.connect("a", "out", "b", "added", {"hops": "x"})
    graph.connect("b", "out", "a", "trigger")
    file = tmp_path / "spec"
    file.write_text(graph.serialize().model_dump_json())
    command = [sys.executable, "-m", MODULE, str(file), "a"]
    home = Path(__file__).parents[1]
    ran = subprocess.run(command, check=True, timeout=BOUND * 2, capture_output=True, text=True, cwd=home)
    status, steps, spec = json.loads(ran.stdout)
    job = graph.execute("a", {"value": 1, "hops": 3}, "sequential")
    assert status == job.status
    assert steps == json.loads(json.dumps(history(job)))
    assert GraphSpec.model_validate(spec) == graph.serialize()


def test_stock_routines_come_back() -> None:
    """With conditions of all forms, and models by their names."""
    graph = _graph(
        ConditionalRouter(routes=[("a", "data['x'] > 1"), ("b", {"x": 0}), ("c", quiet)], default_route="d"),
        Aggregator(count=2), Batcher(batch_size=3), Mapper(mappings={"a": "b.c"}), Filter(condition="data > config['x']"),
        Splitter(field="items"), SchemaValidator(model=GraphSpec),
    )  # fmt: skip
    again = RoutineGraph.deserialize(graph.serialize().model_dump_json())
    assert again.serialize() == graph.serialize()
    assert list(again.routine("ConditionalRouter").events) == ["a", "b", "c", "d"]


def test_fields_of_all_kinds_come_back() -> None:
    """Infinities, sets, bytes, keys that are numbers, aliases and extra fields; computed ones are not written."""
    routine = Rich.model_validate({"the-alias": 5, "extra": [1], "when": datetime(2030, 1, 1), "inner": {"aB": 4}})
    again = RoutineGraph.deserialize(_graph(routine).serialize().model_dump_json()).routine("Rich")
    assert repr(again) == repr(routine)
    written = spec_pieces.WrittenOtherwise(name=3)
    assert dict(RoutineGraph.deserialize(_graph(written).serialize()).routine("WrittenOtherwise")) == {"name": 3}


def test_fields_that_are_set_later_are_written() -> None:
    """A spec has them as they are now."""
    routine = Hop()
    graph = _graph(routine)
    routine.step = 7
    assert graph.serialize().routines[0].config == {"step": 7}


@pytest.mark.parametrize(
    ("routine", "named"),
    [
        (Locked(key="k"), "field 'key'"),  # type: ignore[arg-type] # it becomes a secret
        (Rich(hidden="x"), "field 'hidden'"),
        (spec_pieces.Rounded(), "field 'factor'"),
        (Anything(thing={1, 2}), "field 'thing'"),
        (Anything(thing=float("inf")), "field 'thing'"),
        (spec_pieces.Failing(), "no JSON form"),
        (Anything(thing=object()), "no JSON form"),
        (Anything(thing="\ud800"), "no JSON form"),
        (Handmade(3), "cannot be made of its config"),
    ],
)
def test_a_config_that_would_not_come_back_is_refused(routine: Routine, named: str) -> None:
    """The error names the routine and the field, and tells no value."""
    with pytest.raises(GraphError, match=named) as raised:
        _graph(routine).serialize()
    assert repr(type(routine).__name__) in str(raised.value)
    assert "'k'" not in str(raised.value)


def _local_class() -> type[Routine]:
    class Local(Routine):
        pass

    return Local


class _Mangled(Routine):
    def __own(self) -> None: ...

    def model_post_init(self, context: Any, /) -> None:
        self.define_slot("own", self.__own)


def _with_slot(handler: Callable[..., Any] | None, strategy: Any = "override") -> Routine:
    routine = Hop()
    routine.define_slot("x", handler, strategy)
    return routine


@pytest.mark.parametrize(
    ("routine", "named"),
    [
        (_with_slot(lambda: None), "handler of slot 'x' of routine 'Hop'"),
        (_with_slot(bound), "handler of slot 'x' of routine 'Hop'"),
        (_with_slot(Hop().other), "handler of slot 'x' of routine 'Hop'"),
        (_with_slot([].append), "handler of slot 'x' of routine 'Hop'"),
        (_with_slot(None, lambda old, new: new), "merge strategy of slot 'x' of routine 'Hop'"),
        (_with_slot(None, Hop().merge), "merge strategy of slot 'x' of routine 'Hop'"),
        (_Mangled(), "handler of slot 'own' of routine '_Mangled'"),
        (_local_class()(), "class of routine 'Local'"),
    ],
)  # fmt: skip
def test_what_has_no_name_of_its_own_is_refused(routine: Routine, named: str) -> None:
    """Lambdas, partials, methods of other objects, and what is defined inside a function."""
    with pytest.raises(GraphError, match=f"{named} is .* cannot be found again"):
        _graph(routine).serialize()


def test_other_parts_without_a_form_are_refused() -> None:
    """An exception class of a function, a config class of one's own, half a character."""

    class Local(Exception):
        pass

    class Config(FlowConfig):
        pass

    failing = Hop().set_error_handler(ErrorHandler(retryable_exceptions=(Local,)))
    named = Hop()
    named.define_event("\ud800")
    for graph, said in (
        (_graph(failing), "routine 'Hop' cannot be serialised: .*Local"),
        (_graph(named), "routine 'Hop' cannot be serialised: .*surrogates"),
        (RoutineGraph("\ud800"), "cannot be serialised: flow_id"),
        (RoutineGraph("g", flow_config=Config()), "flow_config of graph 'g'"),
    ):
        with pytest.raises(GraphError, match=said):
            graph.serialize()
    assert RoutineGraph("g", execution_timeout=float("inf")).serialize().execution_timeout is None


HOP = {"id": "a", "type": f"{MODULE}:Hop"}


def _spec(**changes: Any) -> dict[str, Any]:
    return {"flow_id": "g", "routines": [HOP], **changes}


def _slotted(**changes: Any) -> dict[str, Any]:
    return _spec(routines=[{**HOP, "slots": [{"name": "x", **changes}]}])


def _typed(reference: str, **config: Any) -> dict[str, Any]:
    return _spec(routines=[{"id": "a", "type": reference, "config": config}])


LINK = {"source_id": "a", "source_event": "out", "target_id": "a", "target_slot": "trigger"}

WRONG: list[tuple[Any, str]] = [
    (None, "no graph of version 1: the whole"),
    (5, "no graph of version 1: the whole"),
    ([], "no graph of version 1: the whole"),
    ("[]", "no graph of version 1: the whole"),
    ("", "no graph: .*EOF"),
    ("{", "no graph: .*EOF"),
    (b"\xff", "no graph: "),
    ("\ud800", "no graph: "),
    ("[" * 100_000, "no graph: .*recursion"),
    ({}, "flow_id: Field required"),
    (_spec(flow_id=""), "flow_id: .* at least 1"),
    (_spec(version=2), "it is of version 2"),
    (_spec(version="1"), "it is of version '1'"),
    (_spec(x=1), "x: Extra"),
    (_spec(execution_strategy="parallel"), "execution_strategy: .*'sequential'"),
    (_spec(max_workers=0), "max_workers: "),
    (_spec(execution_timeout=-1), "execution_timeout: "),
    (_spec(error_handler={"strategy": "give up"}), "error_handler.strategy: "),
    (_spec(error_handler={"retryable_exceptions": ["nowhere:X"]}), "error_handler.retryable_exceptions: .*'nowhere:X'"),
    (_spec(flow_config={"x": 1}), "flow_config.x: Extra"),
    (_spec(routines=5), "routines: "),
    (_spec(routines=[5]), "routines.0: "),
    (_spec(routines=[HOP, {"id": "b"}]), r"routines.1.type: Field required \(routine 'b'\)"),
    (_spec(routines=[{**HOP, "x": 1}]), r"routines.0.x: Extra.* \(routine 'a'\)"),
    (_slotted(y=1), r"routines.0.slots.0.y: Extra.* \(routine 'a'\)"),
    (_spec(routines=[{**HOP, "events": [{"name": "x", "y": 1}]}]), r"routines.0.events.0.y: Extra.* \(routine 'a'\)"),
    (_spec(connections=[{**LINK, "x": 1}]), "connections.0.x: Extra"),
    (_spec(connections=[{"source_id": "a"}]), "connections.0.source_event: Field required"),
    (_spec(routines=[HOP, HOP]), "routine id 'a' already exists"),
    (_spec(routines=[{**HOP, "id": ""}]), "id of a routine is ''"),
    (_typed("nowhere.at.all:X"), "class of routine 'a' is 'nowhere.at.all:X'.* No module"),
    (_typed(f"{MODULE}:Gone"), "class of routine 'a' .* no attribute 'Gone'. Import paths"),
    (_typed("__main__:Gone"), "class of routine 'a' .*another module in each process"),
    (_typed(f"{MODULE}:NotOne"), "class of routine 'a' .* is no routine"),
    (_typed(f"{MODULE}:quiet"), "class of routine 'a' .* is no routine"),
    (_typed("Hop"), "class of routine 'a' is 'Hop'"),
    (_typed(f"{MODULE}:Hop", step="many", x=1), "config of routine 'a' does not fit .*: step: "),
    (_typed(f"{MODULE}:Hop", x=1), "config of routine 'a' does not fit .*: x: Extra"),
    (_typed(f"{MODULE}:Handmade"), "routine 'a' cannot be made of its config .*TypeError"),
    (_typed(f"{MODULE}:Unmade"), "routine 'a' cannot be made of its config .*LookupError: nothing there"),
    (_slotted(handler="self:gone"), "handler of slot 'x' of routine 'a' is 'self:gone', wanted a method of Hop"),
    (_slotted(handler="self:computed"), "is 'self:computed', wanted a method"),
    (_slotted(handler="self:step"), "is 'self:step', wanted a method"),
    (_slotted(handler="self:job"), "is 'self:job', wanted a method"),
    (_slotted(handler="self:out"), "is 'self:out', wanted a method"),
    (_slotted(handler="self:__init__"), "is 'self:__init__', wanted a method"),
    (_slotted(handler="self:__class__"), "is 'self:__class__', wanted a method"),
    (_slotted(handler="self:static.__call__"), "wanted a method"),
    (_slotted(handler="self:"), "is 'self:', wanted a method"),
    (_slotted(handler="quiet"), "handler of slot 'x' of routine 'a' is 'quiet', which cannot be found"),
    (_slotted(handler=f"{MODULE}:__name__"), "which cannot be found: it is no path of plain names"),
    (_slotted(handler="sys:maxsize"), "is 'sys:maxsize', and what this spec names may come from"),
    (_slotted(handler=f"{MODULE}:Hop"), "handler 'a.x' cannot be called with messages"),
    (_slotted(merge_strategy="sum"), "merge strategy of slot 'x' of routine 'a' is 'sum'"),
    (_slotted(merge_strategy="self:gone"), "merge strategy of slot 'x' of routine 'a' is 'self:gone', wanted a method"),
    (_slotted(name=""), "name of a slot is ''"),
    (_slotted(name="trigger"), "slot 'trigger' of routine 'a' differs"),
    (_slotted(name="trigger", handler="self:other"), "slot 'trigger' of routine 'a' differs"),
    (
        _slotted(name="trigger", handler="self:trigger", merge_strategy="append"),
        "slot 'trigger' of routine 'a' differs",
    ),
    (_spec(routines=[{**HOP, "events": [{"name": "out"}]}]), "event 'out' of routine 'a' differs"),
    (_spec(connections=[{**LINK, "source_id": "b"}]), "connection 'b.out -> a.trigger' .*no routine 'b'"),
    (_spec(connections=[{**LINK, "target_id": "b"}]), "connection 'a.out -> b.trigger' .*no routine 'b'"),
    (_spec(connections=[{**LINK, "source_event": "gone"}]), "'a' has no event 'gone'; there is: 'out'"),
    (_spec(connections=[{**LINK, "target_slot": "gone"}]), "'a' has no slot 'gone'; there is: 'trigger'"),
    (_spec(connections=[{**LINK, "param_mapping": {"a": "x", "b": "x"}}]), "maps both 'a' and 'b' to 'x'"),
    (_spec(connections=[{**LINK, "param_mapping": {"a": 1}}]), "connections.0.param_mapping.a: "),
]


_NAMED = ["__main__", "builtins", "nowhere", "os", MODULE.rpartition(".")[0]]


@pytest.mark.parametrize(("spec", "said"), WRONG)
def test_what_is_wrong_in_a_spec_is_told(spec: Any, said: str) -> None:
    """By an error that names the routine, connection or field, whichever form the spec has."""
    forms: list[Any] = [spec]
    if type(spec) is dict:
        forms += [json.dumps(spec), MappingProxyType(spec)]
    for form in forms:
        with pytest.raises(GraphError, match=said) as raised:
            RoutineGraph.deserialize(form, modules=_NAMED)
        assert "pydantic.dev" not in str(raised.value)


def test_what_a_class_makes_itself_may_be_in_a_spec() -> None:
    """If it is the same; and a spec without a version is one of version 1."""
    spec = _slotted(name="trigger", handler="self:trigger")
    graph = RoutineGraph.deserialize(spec)
    assert list(graph.routine("a").slots) == ["trigger"]
    assert graph.serialize().version == 1


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("", "plain"), (":", "plain"), ("os:", "plain"), (":path", "plain"), ("os", "plain"), ("..os:path", "plain"),
        ("os..path:join", "plain"), ("os:path..join", "plain"), ("os:path:join", "plain"), ("os:path join", "plain"),
        ("os:__builtins__.eval", "plain"), ("builtins:__import__", "plain"), ("os.__init__:path", "plain"),
        ("builtins:eval('1')", "plain"), ("builtins:eval()", "plain"), ("os.path;os:join", "plain"),
        ("tests.graph.broken_module:X", "No module"), ("builtins:nothing", "no attribute"),
    ],
)  # fmt: skip
def test_references_are_paths_of_plain_names(reference: str, why: str) -> None:
    """Nothing in them is evaluated, and whatever else they are is an error."""
    with pytest.raises(GraphError, match=f"cannot be found: .*{why}"):
        RoutineGraph.deserialize(_typed(reference), modules=["os", "builtins", "tests"])


@pytest.mark.parametrize(
    "text", ["1 / 0", "raise SystemExit(3)", "this is no code", "import nowhere", "raise Exception"]
)
def test_a_module_that_cannot_be_imported_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """However it fails."""
    (tmp_path / "failing_module.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(GraphError, match="class of routine 'a' is 'failing_module:X', which cannot be found"):
        RoutineGraph.deserialize(_typed("failing_module:X"), modules=["failing_module"])


def test_nothing_of_a_failed_spec_is_left() -> None:
    """Neither a worker nor a mark on a class; the next one is made as if nothing had been."""
    for spec, _ in WRONG:
        with pytest.raises(GraphError):
            RoutineGraph.deserialize(spec)
    assert RoutineGraph.deserialize(_spec(connections=[LINK])).execute("a", {"hops": 2}).status == RunStatus.COMPLETED


def test_what_is_told_is_about_the_spec_alone() -> None:
    """Also while another error is being handled."""
    try:
        raise LookupError("quite another")
    except LookupError:
        for attempt in (lambda: RoutineGraph.deserialize("{"), lambda: _graph(Anything(thing=object())).serialize()):
            with pytest.raises(GraphError, match="EOF|no JSON form") as raised:
                attempt()
            assert "another" not in str(raised.value)


class _Special(RoutineGraph):
    """A graph class of one's own."""


class _Other(RoutineGraph):
    def __init__(self, one: int) -> None:
        super().__init__(str(one))


def test_graph_classes_of_ones_own_come_back_as_such() -> None:
    """If they can be made like a graph, and otherwise it is told."""
    assert type(_Special.deserialize(_spec())) is _Special
    with pytest.raises(GraphError, match="_Other cannot be made like RoutineGraph"):
        _Other.deserialize(_spec())


class Renamed(Routine):
    """Has lost its declared slots since its spec was written."""

    @slot(name="new")
    def old(self) -> None:
        """Renamed."""


def test_a_declared_slot_that_is_gone_is_told_by_the_connection() -> None:
    """With those that there are."""
    spec = _spec(
        routines=[HOP, {"id": "b", "type": f"{__name__}:Renamed"}],
        connections=[{**LINK, "target_id": "b", "target_slot": "old"}],
    )
    with pytest.raises(
        GraphError, match="connection 'a.out -> b.old' cannot be made: .*no slot 'old'; there is: 'new'"
    ):
        RoutineGraph.deserialize(spec)


class _Settled(Routine):
    """Makes itself optional."""

    def model_post_init(self, context: Any, /) -> None:
        """Do so."""
        self.set_as_optional()


def test_marks_win_over_those_of_the_class() -> None:
    """A routine that is no longer optional does not become so again."""
    graph = _graph(_Settled().set_as_critical(max_retries=1), _Settled())
    again = RoutineGraph.deserialize(graph.serialize())
    assert [one.is_optional for one in again.routines.values()] == [False, True]
    assert again.serialize() == graph.serialize()


def _objects(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [schema, *schema["$defs"].values()]


def test_a_spec_has_a_json_schema() -> None:
    """It knows all fields, allows no others, and names what is required."""
    schema = GraphSpec.model_json_schema()
    assert {"flow_id", "version", "routines", "connections", "flow_config"} <= set(schema["properties"])
    assert schema["required"] == ["flow_id"]
    assert schema["properties"]["version"]["const"] == 1
    for one in _objects(schema):
        assert "enum" in one or one["additionalProperties"] is False
    routine = schema["$defs"]["RoutineSpec"]
    assert routine["required"] == ["id", "type"]
    written = json.loads(_graph(Hop()).serialize().model_dump_json())
    assert set(written) <= set(schema["properties"])
    assert set(written["routines"][0]) <= set(routine["properties"])
