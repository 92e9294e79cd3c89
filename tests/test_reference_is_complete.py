"""The reference names everything there is to know: no public name, field or kind of event is left out."""

import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import BaseModel

import flowscope
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

REFERENCE: Final = Path(__file__).resolve().parents[1] / "docs" / "reference"
ERRORS: Final = [
    name
    for name in flowscope.__all__
    if inspect.isclass(found := getattr(flowscope, name)) and issubclass(found, FlowscopeError)
]
INNER: Final[dict[type[Any], set[str]]] = {
    Flow: {"setup_planned"},
    Task: {"args", "data", "deadline", "ended", "handle", "kwargs", "order", "parent", "spec", "started", "value"},
}
"""What the engine keeps in live objects without an underscore, and users have no business with."""
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
    options = [name for name in inspect.signature(decorator).parameters if name != "target"]
    assert cells_of(section_of("api.md", f"The decorator `{decorator.__name__}`")) == set(options)


@pytest.mark.parametrize("kind", [Flow, Task])
def test_api_names_every_attribute(kind: type[Any]) -> None:
    """Each public attribute and method of a live class has a code span in its section."""
    words = words_of(section_of("api.md", f"The class `{kind.__name__}`"))
    assert missing(public(kind) - INNER[kind], words) == []


def test_errors_describes_every_error() -> None:
    """Each error has a section in `errors.md`, and each of its attributes a code span there."""
    for name in ERRORS:
        parameters = list(inspect.signature(getattr(flowscope, name).__init__).parameters)[1:]
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
