"""The records: which fields they have, that they are frozen, and that they go through JSON whole."""

import contextlib
import itertools
import json
import logging
from collections.abc import Callable
from datetime import UTC
from typing import Any, Final

import pytest
from pydantic import BaseModel, ValidationError

from flowscope import (
    Artifact,
    Dropped,
    ErrorInfo,
    EventData,
    Flow,
    FlowConfig,
    FlowEvent,
    FlowRun,
    LogEntry,
    Result,
    TaskRun,
    current_flow,
    flow,
    task,
)

FIELDS: Final[dict[type[BaseModel], str]] = {
    FlowRun: "schema_version flow_id flow_name run_name description parent_flow_id parent_task_id status start_time end_time duration config params run_params"
    " return_value error tasks logs events artifacts results tags dropped",
    TaskRun: "task_id task_name run_name parent_task_id execution_order status start_time end_time duration attempts input_args"
    " input_kwargs return_value error executor abandoned_thread tags failed_attempts yield_count progress",
    LogEntry: "timestamp level level_number message logger source task_id fields path line error",
    Artifact: "key description artifact_type data timestamp task_id",
    Result: "key description value timestamp task_id",
    ErrorInfo: "type module message traceback notes cause",
    Dropped: "tasks logs events",
    FlowEvent: "event_id sequence event_type timestamp event_data",
    EventData: "data event_source flow_name flow_run_id log_level task_name task_run_id",
}


class Audited(FlowConfig):
    """A config with fields of its own."""

    capture_events: bool = True
    team: str = "data"
    limits: dict[str, int] = {"rows": 5}


@task(tags=("inner",))
def half(number: int, *, exact: bool = False) -> float:
    """A task that is called by another one."""
    print("halving", number)
    current_flow().add_flow_artifact("what was halved", "number", number, "int")
    return number / 2


@task(raise_on_error=False)
def quarter(number: int) -> float:
    """A task that calls another one, and fails."""
    value = half(half(number, exact=True))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] # a half is a number too
    raise ValueError(f"a quarter of {number} is {value}") from KeyError("cause")


@flow(tags=("a", "b"), flow_config=Audited(team="ops"))
def work(number: int, label: str = "x") -> dict[str, Any]:
    """A flow that fills every field of its record."""
    running = current_flow()
    running.log_warning("starting")
    running.add_flow_result("label", "the label", label)
    return {"quarter": quarter(number), "number": number}


@flow
def around() -> FlowRun[dict[str, Any]]:
    """A flow around it, so that it has a parent."""
    return work(8).execute_flow({"run": 1}).flow_run


@pytest.fixture
def record() -> FlowRun[dict[str, Any]]:
    """The record of a nested flow with tasks, logs, events, artifacts, results and an error."""
    return around().execute().return_value


@pytest.mark.parametrize("model", FIELDS, ids=lambda model: model.__name__)
def test_the_fields_are_those_of_the_contract(model: type[BaseModel]) -> None:
    """Each record has the promised fields, in their order, and no others."""
    assert " ".join(model.model_fields) == FIELDS[model]


def test_every_field_of_a_rich_record(record: FlowRun[dict[str, Any]]) -> None:
    """What ran is in the record: flow, tasks, errors, logs, events, artifacts, results, tags."""
    assert record.schema_version == 1
    assert record.flow_name == "work"
    assert record.flow_id.startswith("flow-")
    assert (record.parent_flow_id or "").startswith("flow-")
    assert record.parent_flow_id != record.flow_id
    assert record.status == "completed"
    assert record.params == {"number": 8, "label": "x"}
    assert record.run_params == {"run": 1}
    assert record.return_value == {"quarter": None, "number": 8}
    assert record.error is None
    assert record.tags == ("a", "b")
    assert record.dropped == Dropped(tasks=0, logs=0, events=0)
    assert [event.sequence for event in record.events] == list(range(1, len(record.events) + 1))
    assert [(found.key, found.data, found.artifact_type) for found in record.artifacts] == [
        ("number", 8, "int"),
        ("number", 4.0, "int"),
    ]
    assert [(found.key, found.description, found.value) for found in record.results] == [
        ("label", "the label", "x"),
        ("flow-return-value", record.results[1].description, record.return_value),
    ]


def test_every_field_of_the_tasks(record: FlowRun[dict[str, Any]]) -> None:
    """A task's record has its ids, order, parent, inputs, value, error and tags."""
    outer, first, second = record.tasks
    assert [call.task_name for call in record.tasks] == ["quarter", "half", "half"]
    assert [call.execution_order for call in record.tasks] == [1, 2, 3]
    assert len({call.task_id for call in record.tasks}) == 3
    assert all(call.task_id.startswith("task-") for call in record.tasks)
    assert (outer.parent_task_id, first.parent_task_id, second.parent_task_id) == (None, outer.task_id, outer.task_id)
    assert [call.status for call in record.tasks] == ["failed", "completed", "completed"]
    assert (first.input_args, first.input_kwargs, first.return_value) == ([8], {"exact": True}, 4.0)
    assert (second.input_args, second.input_kwargs, second.return_value) == ([4.0], {}, 2.0)
    assert (outer.return_value, first.error, first.tags, outer.tags) == (None, None, ("inner",), ())
    assert {(call.attempts, call.executor, call.abandoned_thread) for call in record.tasks} == {(1, "inline", None)}
    assert outer.error is not None
    assert outer.error.message == "a quarter of 8 is 2.0"
    assert outer.error.cause is not None
    assert outer.error.cause.type == "KeyError"


def test_every_field_of_the_log(record: FlowRun[dict[str, Any]]) -> None:
    """A log entry has its time, level, source, logger and task, artifacts and results have their task."""
    outer, first, second = record.tasks
    told = [(entry.message, entry.level, entry.level_number, entry.source, entry.task_id) for entry in record.logs]
    assert ("starting", "WARNING", 30, "log", None) in told
    assert ("halving 8", "INFO", 20, "stdout", first.task_id) in told
    assert ("halving 4.0", "INFO", 20, "stdout", second.task_id) in told
    (failure,) = [entry for entry in record.logs if entry.level == "ERROR"]
    assert (failure.task_id, failure.source) == (outer.task_id, "log")
    assert "a quarter of 8 is 2.0" in failure.message
    assert [found.task_id for found in record.artifacts] == [first.task_id, second.task_id]
    assert [found.task_id for found in record.results] == [None, None]


def test_times_are_aware_utc_and_in_order(record: FlowRun[dict[str, Any]]) -> None:
    """All times are aware, in UTC, and nested as the calls were; durations are seconds of the same length."""
    assert record.start_time is not None
    assert record.end_time is not None
    listed = (
        [entry.timestamp for entry in record.logs],
        [entry.timestamp for entry in record.events],
        [entry.timestamp for entry in record.artifacts],
        [entry.timestamp for entry in record.results],
        [call.start_time for call in record.tasks],
    )
    moments = [record.start_time, record.end_time, *itertools.chain.from_iterable(listed)]
    for call in record.tasks:
        assert call.end_time is not None
        moments.append(call.end_time)
        assert abs(call.duration - (call.end_time - call.start_time).total_seconds()) < 1e-4
        assert call.duration > 0
    assert {moment.tzinfo for moment in moments} == {UTC}
    assert min(moments) >= record.start_time
    assert max(moment for moment in moments if moment is not record.events[-1].timestamp) == record.end_time
    assert abs(record.duration - (record.end_time - record.start_time).total_seconds()) < 1e-4
    assert record.duration >= record.tasks[0].duration >= record.tasks[1].duration + record.tasks[2].duration
    assert all(times == sorted(times) for times in listed)


def test_a_rich_record_round_trips(record: FlowRun[dict[str, Any]]) -> None:
    """The JSON loads back, as text, as data and as bytes, to a record that writes the same JSON."""
    text = record.model_dump_json()
    for loaded in (
        FlowRun.model_validate_json(text),
        FlowRun.model_validate_json(text.encode()),
        FlowRun.model_validate(json.loads(text)),
        FlowRun.model_validate(record.model_dump()),
        FlowRun[dict[str, Any]].model_validate_json(text),
        FlowRun[Any].model_validate(record.model_dump(mode="json")),
    ):
        assert loaded.model_dump_json() == text
    assert record.model_dump(mode="json") == json.loads(text)
    assert FlowRun.model_validate_json(text).tasks == record.tasks


def test_the_python_dump_has_the_python_types(record: FlowRun[dict[str, Any]]) -> None:
    """`model_dump()` keeps times and enums as they are, and values in their JSON form."""
    dumped = record.model_dump()
    assert dumped["start_time"] == record.start_time
    assert dumped["status"] is record.status
    assert dumped["tasks"][1]["input_args"] == [8]
    assert dumped["error"] is None
    assert dumped["tasks"][0]["error"]["type"] == "ValueError"


def test_parts_of_a_record_can_be_left_out(record: FlowRun[dict[str, Any]]) -> None:
    """Pydantic's ways of choosing fields work on records."""
    assert record.model_dump(include={"flow_name", "return_value"}) == {
        "flow_name": "work",
        "return_value": {"quarter": None, "number": 8},
    }
    assert "logs" not in record.model_dump(exclude={"logs"})
    assert (
        "traceback"
        not in record.model_dump(exclude={"tasks": {"__all__": {"error": {"traceback"}}}})["tasks"][0]["error"]
    )


PARTS: Final[dict[str, Callable[[FlowRun[Any]], BaseModel | None]]] = {
    "run": lambda record: record,
    "task": lambda record: record.tasks[0],
    "error": lambda record: record.tasks[0].error,
    "log": lambda record: record.logs[0],
    "event": lambda record: record.events[0],
    "event data": lambda record: record.events[0].event_data,
    "artifact": lambda record: record.artifacts[0],
    "result": lambda record: record.results[0],
    "dropped": lambda record: record.dropped,
    "config": lambda record: record.config,
}


@pytest.mark.parametrize("name", PARTS)
def test_records_are_frozen_and_round_trip_alone(record: FlowRun[dict[str, Any]], name: str) -> None:
    """No field of any record can be assigned; each record by itself goes through JSON."""
    part = PARTS[name](record)
    assert part is not None
    for field in type(part).model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(part, field, getattr(part, field))
    assert type(part).model_validate_json(part.model_dump_json()).model_dump_json() == part.model_dump_json()


def test_the_fields_of_a_config_subclass_are_kept(record: FlowRun[dict[str, Any]]) -> None:
    """The record's JSON has the fields that a config subclass adds, and they are there after loading."""
    data = json.loads(record.model_dump_json())
    assert (data["config"]["team"], data["config"]["limits"]) == ("ops", {"rows": 5})
    loaded = FlowRun.model_validate_json(record.model_dump_json())
    assert isinstance(loaded.config, FlowConfig)
    assert loaded.config.capture_events is True
    assert (getattr(loaded.config, "team", None), getattr(loaded.config, "limits", None)) == ("ops", {"rows": 5})
    assert Audited.model_validate(loaded.config.model_dump()) == record.config


class Wired(FlowConfig):
    """A config that holds what JSON cannot say."""

    engine: Any = None


@pytest.mark.parametrize("engine", [object(), {"raw": b"\xff"}, {1, ("a", object)}], ids=["object", "bytes", "set"])
def test_a_config_of_any_values_is_written(engine: Any) -> None:
    """A field of a config subclass may hold anything: the record is written, loaded and written the same again."""

    @flow(flow_config=Wired(engine=engine, max_logs=5))
    def give() -> int:
        return 1

    record = give().execute().flow_run
    text = record.model_dump_json()
    data = json.loads(text)
    assert (data["config"]["max_logs"], data["return_value"]) == (5, 1)
    assert FlowRun.model_validate_json(text).model_dump_json() == text
    assert FlowRun.model_validate(record.model_dump()).model_dump_json() == text


def test_a_config_that_is_wrong_is_still_refused(record: FlowRun[dict[str, Any]]) -> None:
    """Unknown config fields are taken from a record, bad values of known ones are not."""
    data = json.loads(record.model_dump_json())
    data["config"]["log_level"] = "LOUD"
    with pytest.raises(ValidationError, match="log_level"):
        FlowRun.model_validate(data)


@pytest.mark.parametrize(
    ("field", "bad"),
    [("schema_version", 2), ("status", "done"), ("start_time", "yesterday"), ("tasks", ["x"]), ("flow_id", None)],
)
def test_a_record_of_another_shape_is_refused(record: FlowRun[dict[str, Any]], field: str, bad: object) -> None:
    """A record with a field that does not fit, or of another schema version, does not load."""
    data = json.loads(record.model_dump_json())
    data[field] = bad
    with pytest.raises(ValidationError, match=field):
        FlowRun.model_validate(data)


def number_of(value: Any) -> FlowRun[Any]:
    """The record of a flow that returned a value."""

    @flow
    def give() -> Any:
        return value

    return give().execute().flow_run


def test_the_parameter_checks_the_return_value() -> None:
    """`FlowRun[int]` takes the record of a flow that returned an integer or nothing, and no other."""
    good = number_of(42)
    assert FlowRun[int].model_validate_json(good.model_dump_json()).return_value == 42
    assert FlowRun[int].model_validate(good).return_value == 42
    assert FlowRun[int].model_validate(number_of(None)).return_value is None
    for wrong in ("no number", [1], 1.5):
        with pytest.raises(ValidationError, match="return_value"):
            FlowRun[int].model_validate_json(number_of(wrong).model_dump_json())
        with pytest.raises(ValidationError, match="return_value"):
            FlowRun[int].model_validate(number_of(wrong))


def test_the_record_of_a_failed_flow_fits_every_parameter() -> None:
    """A flow that failed has no return value, so its record loads as `FlowRun` of anything."""

    @flow(flow_config=FlowConfig(raise_flow_error=False))
    def fail() -> int:
        raise ValueError("no")

    text = fail().execute().flow_run.model_dump_json()
    loaded = FlowRun[int].model_validate_json(text)
    assert loaded.return_value is None
    assert loaded.error is not None
    assert FlowRun[list[str]].model_validate_json(text).model_dump_json() == text


def test_a_checked_record_writes_the_same_json(record: FlowRun[dict[str, Any]]) -> None:
    """Passing a live record through a parametrised model, as web frameworks do, loses nothing."""
    assert FlowRun[dict[str, Any]].model_validate(record).model_dump_json() == record.model_dump_json()


TEXTS: Final = {"surrogate": "\ud800", "controls": "\x00\x1b\u2028", "override": "\u202eabc", "long": "x" * 10_000}


def in_flow_name(text: str) -> Flow[None]:
    """A flow of that name."""
    return Flow[None](flow_name=text).setup(lambda: None).execute()


def in_flow_tag(text: str) -> Flow[None]:
    """A flow with that tag."""
    return Flow[None](tags=(text,)).setup(lambda: None).execute()


def in_task(text: str) -> Flow[None]:
    """A flow of a task of that name, with that tag."""
    return Flow[None]().setup(task(task_name=text, tags=(text,))(lambda: None)).execute()


def in_what_is_said(text: str) -> Flow[None]:
    """A flow that says, keeps and raises the text."""

    def talk() -> None:
        print(text)
        running = current_flow()
        running.log_info(text)
        running.add_flow_artifact(text, text, text, text)
        running.add_flow_result(text, text, text)
        raise ValueError(text)

    return Flow[None](flow_config=FlowConfig(raise_flow_error=False)).setup(talk).execute()


def in_logging(text: str) -> Flow[None]:
    """A flow that logs the text to a standard logger of that name."""

    def talk() -> None:
        logger = logging.Logger(text)
        logger.addHandler(logging.NullHandler())
        logger.warning(text)

    return Flow[None]().setup(talk).execute()


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("place", [in_flow_name, in_flow_tag, in_task, in_what_is_said, in_logging])
def test_any_text_anywhere(place: Callable[[str], Flow[None]], text: str) -> None:
    """Names, tags, messages, keys and descriptions may be any text: the record goes through JSON."""
    written = place(text).flow_run.model_dump_json()
    assert FlowRun.model_validate_json(written).model_dump_json() == written


@pytest.mark.parametrize("said", ["artifact", "result", "message"])
def test_what_is_no_text_does_not_spoil_the_record(said: str) -> None:
    """Something else where text is wanted may be refused on the spot; the record can be taken all the same."""
    odd: Any = 5

    def talk() -> None:
        running = current_flow()
        with contextlib.suppress(TypeError, ValueError):
            if said == "artifact":
                running.add_flow_artifact(odd, odd, odd, odd)
            elif said == "result":
                running.add_flow_result(odd, odd, odd)
            else:
                running.log_info(odd)

    written = Flow[None]().setup(talk).execute().flow_run.model_dump_json()
    assert FlowRun.model_validate_json(written).model_dump_json() == written
