"""The reference names everything there is to know: no public name, field or kind of event is left out."""

import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import BaseModel

import flowscope
import flowscope.coordination
import flowscope.graph
from flowscope import (
    Artifact,
    Dropped,
    ErrorInfo,
    EventData,
    EventType,
    Flow,
    FlowConfig,
    FlowEvent,
    FlowRun,
    FlowscopeError,
    LogEntry,
    Result,
    RunStatus,
    Task,
    TaskRun,
    flow,
    task,
)
from flowscope.coordination import CoordinatorSummary, FlowCoordinator, WorkerPool
from flowscope.graph import (
    ErrorHandler,
    ErrorStrategy,
    ExecutionRecord,
    GraphProblem,
    GraphSpec,
    JobState,
    PausePoint,
    PendingActivation,
    Performance,
    Routine,
    RoutineGraph,
    RoutineState,
    TaskPriority,
)

REFERENCE: Final = Path(__file__).resolve().parents[1] / "docs" / "reference"
ERRORS: Final = {
    name: found
    for package in (flowscope, flowscope.coordination, flowscope.graph)
    for name in package.__all__
    if inspect.isclass(found := getattr(package, name)) and issubclass(found, FlowscopeError)
}
STOCK: Final = [
    found
    for name in flowscope.graph.__all__
    if inspect.isclass(found := getattr(flowscope.graph, name)) and issubclass(found, Routine) and found is not Routine
]
INNER: Final[dict[type[Any], set[str]]] = {
    Flow: {"setup_planned"},
    Task: {
        "args",
        "data",
        "deadline",
        "ended",
        "handle",
        "inputs",
        "kwargs",
        "order",
        "parent",
        "extras",
        "definition",
        "started",
        "value",
    },
    RoutineGraph: {"bound_slot", "check_work", "receiver", "routes_from", "sources"},
}
"""What is in live objects without an underscore, and users have no business with."""
FENCED: Final = re.compile(r"^```.*?^```$", re.M | re.S)
SPAN: Final = re.compile(r"`([^`\n]+)`")


def prose_of(page: str) -> str:
    """A page of the reference without its blocks of code."""
    return FENCED.sub("", (REFERENCE / page).read_text(encoding="utf-8"))


def words_of(text: str) -> set[str]:
    """Every name in a code span of the text."""
    return {word for span in SPAN.findall(text) for word in re.findall(r"[\w-]+", span)}


def section_of(page: str, heading: str) -> str:
    """What stands under a heading of a page."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", prose_of(page), re.M | re.S)
    assert found is not None, f"{page} has no section {heading!r}"
    return found[1]


def cells_of(text: str) -> set[str]:
    """The code spans in the first column of the tables of the text."""
    return {span for line in text.splitlines() if line.startswith("|") for span in SPAN.findall(line.split("|")[1])}


def missing(wanted: Iterable[str], found: set[str]) -> list[str]:
    """What is wanted and not found."""
    return sorted(set(wanted) - found)


def public(kind: type[Any]) -> set[str]:
    """The public attributes that a class adds to those of a Pydantic model, and its fields."""
    fields: dict[str, object] = getattr(kind, "model_fields", {})
    names = {name for name in dir(kind) if not name.startswith("_")} - set(dir(BaseModel))
    return names | fields.keys()


def test_api_names_every_public_name() -> None:
    """Each name of the façade has a code span in `api.md`."""
    assert missing(flowscope.__all__, words_of(prose_of("api.md"))) == []


@pytest.mark.parametrize("decorator", [flow, task], ids=["flow", "task"])
def test_api_names_every_option(decorator: Any) -> None:
    """Each option of a decorator has a row in the table of its section."""
    parameters = inspect.signature(decorator).parameters.values()
    options = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]
    assert cells_of(section_of("api.md", f"The decorator `{decorator.__name__}`")) == set(options)


@pytest.mark.parametrize("kind", [Flow, Task])
def test_api_names_every_attribute(kind: type[Any]) -> None:
    """Each public attribute and method of a live class has a code span in its section."""
    words = words_of(section_of("api.md", f"The class `{kind.__name__}`"))
    assert missing(public(kind) - INNER[kind], words) == []


def test_errors_describes_every_error() -> None:
    """Each error has a section in `errors.md`, and each of its attributes a code span there."""
    for name, error in ERRORS.items():
        parameters = list(inspect.signature(error.__init__).parameters)[1:]
        attributes = [parameter for parameter in parameters if parameter not in {"args", "kwargs"}]
        assert missing(attributes, words_of(section_of("errors.md", f"`{name}`"))) == [], name


def test_events_describes_every_kind_of_event() -> None:
    """Each value of `EventType` has a heading in `events.md`, and each field of an event a row."""
    text = prose_of("events.md")
    assert missing(EventType, set(re.findall(r"^### `(\w+)`$", text, re.M))) == []
    assert missing([f"EventType.{kind.name}" for kind in EventType], set(SPAN.findall(text))) == []


def test_config_describes_every_field() -> None:
    """The table of `config.md` has exactly the fields of `FlowConfig`."""
    assert cells_of(section_of("config.md", "Fields")) == FlowConfig.model_fields.keys()


@pytest.mark.parametrize("model", [FlowRun, TaskRun, LogEntry, Artifact, Result, ErrorInfo, Dropped])
def test_run_json_describes_every_field(model: type[BaseModel]) -> None:
    """The table of each record in `run-json.md` has exactly its fields."""
    section = section_of("run-json.md", f"`{model.__name__}`").partition("\n### ")[0]
    assert cells_of(section) == model.model_fields.keys()


@pytest.mark.parametrize("model", [FlowEvent, EventData])
def test_events_describes_every_field(model: type[BaseModel]) -> None:
    """The table of each part of an event in `events.md` has exactly its fields."""
    assert cells_of(section_of("events.md", f"`{model.__name__}`")) == model.model_fields.keys()


def test_every_status_is_described() -> None:
    """Each value of `RunStatus` has a row in `run-json.md`, and each member a code span in `api.md`."""
    assert missing(RunStatus, cells_of(section_of("run-json.md", "`FlowRun`"))) == []
    assert missing([f"RunStatus.{status.name}" for status in RunStatus], set(SPAN.findall(prose_of("api.md")))) == []


def parts_of(model: type[BaseModel]) -> dict[str, set[str]]:
    """The models of the same package that a model is made of, and itself: the fields of each, by name."""
    schema = model.model_json_schema()
    found = {name: set(part.get("properties", {})) for name, part in schema["$defs"].items()}
    elsewhere = {name for name in found if name.startswith("FlowRun") or hasattr(flowscope, name)}
    return {model.__name__: set(schema["properties"]), **{name: found[name] for name in found.keys() - elsewhere}}


def part_of(page: str, heading: str) -> str:
    """What stands under a heading of the second or third level, up to the next heading."""
    found = re.search(rf"^###? `{re.escape(heading)}`\n(.*?)(?=^##|\Z)", prose_of(page), re.M | re.S)
    assert found is not None, f"{page} has no section {heading!r}"
    return found[1]


def test_coordination_names_everything() -> None:
    """Each name of `flowscope.coordination`, and what its classes have, has a code span in `coordination.md`."""
    words = words_of(prose_of("coordination.md"))
    kinds = (FlowCoordinator, WorkerPool, CoordinatorSummary)
    wanted = set(flowscope.coordination.__all__).union(*map(public, kinds))
    assert missing(wanted, words) == []


def test_graph_names_every_public_name() -> None:
    """Each name of `flowscope.graph` has a code span in `graph.md`."""
    assert missing(flowscope.graph.__all__, words_of(prose_of("graph.md"))) == []


@pytest.mark.parametrize("kind", [Routine, RoutineGraph, JobState])
def test_graph_names_every_attribute(kind: type[Any]) -> None:
    """Each public attribute and method of a class has a code span in its section."""
    live: set[str] = set(vars(RoutineGraph())) if kind is RoutineGraph else set()
    wanted = public(kind) | {name for name in live if not name.startswith("_")}
    assert missing(wanted - INNER.get(kind, set()), words_of(section_of("graph.md", f"`{kind.__name__}`"))) == []


@pytest.mark.parametrize("method", ["execute", "execute_async", "start", "resume", "resume_async"])
def test_graph_names_every_option(method: str) -> None:
    """Each parameter of what runs a job has a code span in the section of `RoutineGraph`."""
    words = words_of(section_of("graph.md", "`RoutineGraph`"))
    assert missing(inspect.signature(getattr(RoutineGraph, method)).parameters.keys() - {"self"}, words) == []


@pytest.mark.parametrize("model", [JobState, GraphSpec])
def test_graph_describes_every_field_of_its_files(model: type[BaseModel]) -> None:
    """The tables of a job and of a graph, and of each of their parts, have exactly the fields that are in their JSON."""
    parts = parts_of(model)
    assert len(parts) > 4
    described = {"ErrorHandler", "ErrorStrategy", "TaskPriority"}  # in one section, below
    for name in parts.keys() - described:
        first_table = part_of("graph.md", name).partition("\n| field")[2].partition("\n\n")[0]
        assert cells_of(first_table) == parts[name], name


@pytest.mark.parametrize("model", [RoutineState, ExecutionRecord, PausePoint, PendingActivation, Performance])
def test_graph_describes_every_field_of_the_parts_of_a_job(model: type[BaseModel]) -> None:
    """The same for what is read from a job."""
    assert cells_of(part_of("graph.md", model.__name__)) == model.model_fields.keys()


def test_graph_describes_error_handlers_problems_and_stock_routines() -> None:
    """Their fields, kinds and events have code spans in their sections."""
    handlers = words_of(section_of("graph.md", "`ErrorHandler` and `ErrorStrategy`"))
    assert missing([*public(ErrorHandler), *(strategy.name for strategy in ErrorStrategy)], handlers) == []
    assert missing([priority.name for priority in TaskPriority], words_of(prose_of("graph.md"))) == []
    problems = section_of("graph.md", "`GraphProblem`")
    kinds = GraphProblem.model_json_schema()["properties"]["kind"]["enum"]
    assert cells_of(problems) == {*GraphProblem.model_fields, *kinds}
    stock = section_of("graph.md", "Stock routines")
    assert cells_of(stock) == {routine.__name__ for routine in STOCK}
    wanted = {name for routine in STOCK for name in [*routine.model_fields, *routine.declared_events]}
    assert missing(wanted, words_of(stock)) == []
