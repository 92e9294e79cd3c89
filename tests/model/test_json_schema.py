"""The JSON schema of the run JSON: whole, described, and true of what is written."""

import json
from typing import Any, Final, Literal

import pytest
from pydantic import BaseModel

from flowscope import (
    Durations,
    EventType,
    FlowConfig,
    FlowEvent,
    FlowRun,
    RunStatus,
    TaskDurations,
    TaskRun,
    current_flow,
    flow,
    task,
)

Mode = Literal["validation", "serialization"]


class Place(BaseModel):
    """A model as a return value."""

    town: str


@task
def step(number: int) -> int:
    """A task that fails on zero."""
    return 10 // number


@flow(flow_config=FlowConfig(capture_events=True, raise_flow_error=False))
def work(*numbers: int) -> int:
    """A flow that fills its record."""
    current_flow().add_flow_artifact("numbers", "numbers", list(numbers))
    return sum(step(number) for number in numbers)


KINDS: Final[dict[type, set[str]]] = {
    dict: {"object"},
    list: {"array"},
    str: {"string"},
    int: {"integer", "number"},
    float: {"number"},
    bool: {"boolean"},
    type(None): {"null"},
}


def fits(value: Any, schema: Any, root: Any, path: str = "$") -> list[str]:
    """Where a value does not fit a schema, for the few keywords that these schemas use."""
    if "$ref" in schema:
        return fits(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root, path)
    if "anyOf" in schema:
        found = [fits(value, option, root, path) for option in schema["anyOf"]]
        return [] if any(not misfits for misfits in found) else found[0]
    if "const" in schema and value != schema["const"]:
        return [f"{path}: {value!r} is not {schema['const']!r}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{path}: {value!r} is none of {schema['enum']!r}"]
    kind: Any = schema.get("type")
    if kind is not None and kind not in KINDS[type(value)]:
        return [f"{path}: {value!r} is no {kind}"]
    if kind == "array" and "items" in schema:
        return [text for n, item in enumerate(value) for text in fits(item, schema["items"], root, f"{path}[{n}]")]
    if kind == "object":
        named: dict[str, Any] = schema.get("properties", {})
        misfits = [f"{path}: no {name}" for name in schema.get("required", []) if name not in value]
        more: Any = schema.get("additionalProperties", True)
        for name, item in value.items():
            if name in named:
                misfits += fits(item, named[name], root, f"{path}.{name}")
            elif more is False:
                misfits.append(f"{path}: {name} is unknown")
            elif more is not True:
                misfits += fits(item, more, root, f"{path}.{name}")
        return misfits
    return []


@pytest.mark.parametrize("mode", ["validation", "serialization"])
@pytest.mark.parametrize("model", [FlowRun, FlowRun[int], FlowRun[Place], FlowRun[list[Place | None]]])
def test_the_schema_has_every_record(model: type[FlowRun[Any]], mode: Mode) -> None:
    """The schema names every field of the run and defines every record inside it, for reading and for writing."""
    schema = model.model_json_schema(mode=mode)
    assert set(schema["properties"]) == set(FlowRun.model_fields)
    assert {"TaskRun", "LogEntry", "ErrorInfo", "Artifact", "Result", "FlowEvent", "EventData", "FlowConfig"} <= set(
        schema["$defs"]
    )
    assert set(schema["$defs"]["TaskRun"]["properties"]) == set(TaskRun.model_fields)
    assert set(schema["$defs"]["FlowConfig"]["properties"]) == set(FlowConfig.model_fields)
    assert schema["$defs"]["RunStatus"]["enum"] == [status.value for status in RunStatus]
    assert schema["$defs"]["EventType"]["enum"] == [kind.value for kind in EventType]
    assert schema["properties"]["schema_version"]["const"] == 1
    json.dumps(schema)


def test_the_return_value_has_the_type_of_the_parameter() -> None:
    """`FlowRun[int]` says integer or null, `FlowRun[Model]` the model or null, `FlowRun` anything."""
    number = FlowRun[int].model_json_schema()["properties"]["return_value"]
    assert {option["type"] for option in number["anyOf"]} == {"integer", "null"}
    place = FlowRun[Place].model_json_schema()
    assert {"$ref": "#/$defs/Place"} in place["properties"]["return_value"]["anyOf"]
    assert place["$defs"]["Place"]["properties"]["town"]["type"] == "string"
    anything = FlowRun.model_json_schema()["properties"]["return_value"]
    assert "type" not in anything


def test_times_are_date_times() -> None:
    """Every moment is a string of the format date-time."""
    schema = FlowRun[int].model_json_schema(mode="serialization")
    assert schema["$defs"]["TaskRun"]["properties"]["start_time"]["format"] == "date-time"
    assert schema["$defs"]["LogEntry"]["properties"]["timestamp"]["format"] == "date-time"
    assert {"format": "date-time", "type": "string"} in schema["properties"]["start_time"]["anyOf"]


@pytest.mark.parametrize("mode", ["validation", "serialization"])
@pytest.mark.parametrize("numbers", [(), (1, 2), (1, 0)], ids=["empty", "completed", "failed"])
def test_what_is_written_fits_the_schema(numbers: tuple[int, ...], mode: Mode) -> None:
    """The JSON of runs, before, and after they completed or failed, fits the schema."""
    schema = FlowRun[int].model_json_schema(mode=mode)
    made = work(*numbers)
    assert fits(made.flow_run.model_dump(mode="json"), schema, schema) == []
    written = made.execute().flow_run.model_dump(mode="json")
    assert fits(written, schema, schema) == []
    assert len(written["tasks"]) == len(numbers)
    broken: dict[str, Any] = {**written, "status": "done", "logs": [{}], "tasks": [5]}
    assert len(fits(broken, schema, schema)) > 3


@pytest.mark.parametrize("model", [FlowRun, FlowConfig, FlowEvent, Durations, TaskDurations])
def test_the_schema_explains_itself(model: type[BaseModel]) -> None:
    """Every definition has a description."""
    schema = model.model_json_schema()
    definitions = {model.__name__: schema, **schema.get("$defs", {})}
    assert [name for name, found in definitions.items() if not found.get("description")] == []


def test_descriptions_do_not_leak_generics() -> None:
    """Titles are names that other languages can use."""
    schema = FlowRun[int].model_json_schema()
    assert all(name.isidentifier() for name in schema["$defs"])
    assert schema["$defs"]["FlowConfig"]["title"] == "FlowConfig"
