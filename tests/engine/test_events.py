"""What events say: order, correlation and payloads."""

import logging
import sys
from pathlib import Path
from typing import Any

from flowscope import (
    ErrorInfo,
    EventType,
    Flow,
    FlowConfig,
    FlowEvent,
    current_flow,
    current_task,
    flow,
    flow_events,
    task,
)

library = logging.getLogger("tests.events")
library.setLevel(logging.DEBUG)
library.propagate = False
library.addHandler(logging.NullHandler())


def events_of(run: Flow[Any]) -> list[FlowEvent]:
    """All events of one execution."""
    events: list[FlowEvent] = []
    with run.add_listener(events.append):
        run.execute()
    return events


def kinds(events: list[FlowEvent]) -> list[str]:
    return [event.event_type.value for event in events]


def test_the_event_types_are_strings() -> None:
    """Every kind of the contract is there, equal to its value."""
    names = {"FLOW_START", "FLOW_STOP", "TASK_START", "TASK_STOP", "FLOW_MESSAGE", "NEW_ARTIFACT", "NEW_RESULT"}
    assert names <= EventType.__members__.keys()
    assert all(member == member.name.lower() for member in EventType)


def test_every_event_names_its_flow_task_source_and_level() -> None:
    """Flow and task names and ids, the source and an int level are on each event, whoever caused it."""

    @task(task_name="worker")
    def work() -> None:
        print("out")
        print("err", file=sys.stderr)
        library.error("lib")
        current_task().log_warning("own")
        current_flow().add_flow_artifact(key="a")
        current_task().add_result("r")

    @flow(flow_name="owner")
    def owning() -> None:
        print("flow")
        current_flow().add_flow_result("f")
        work()

    run = owning()
    events = events_of(run)
    task_id = run.flow_run.tasks[0].task_id
    found = [
        (e.event_type.value, e.event_data.event_source, e.event_data.log_level, e.event_data.task_name) for e in events
    ]
    assert found == [
        ("flow_start", "flow", 20, None),
        ("flow_message", "stdout", 20, None),
        ("new_result", "flow", 20, None),
        ("task_start", "task", 20, "worker"),
        ("flow_message", "stdout", 20, "worker"),
        ("flow_message", "stderr", 20, "worker"),
        ("flow_message", "logging", 40, "worker"),
        ("flow_message", "log", 30, "worker"),
        ("new_artifact", "task", 20, "worker"),
        ("new_result", "task", 20, "worker"),
        ("task_stop", "task", 20, "worker"),
        ("flow_stop", "flow", 20, None),
    ]
    for event in events:
        assert (event.event_data.flow_name, event.event_data.flow_run_id) == ("owner", run.flow_id)
        assert event.event_data.task_run_id == (task_id if event.event_data.task_name else None)
        assert type(event.event_data.log_level) is int


def test_message_payload() -> None:
    """A message says its level, the text as written and the plain text."""

    @flow
    def speaking() -> None:
        current_flow().log_warning("\x1b[31mred\x1b[0m")
        print("\x1b[1mbold\x1b[0m")

    first, second = [e.event_data.data for e in events_of(speaking()) if e.event_type == "flow_message"]
    assert first["path"] == __file__
    assert {**first, "path": None, "line": None} == {
        "message_data": {"log_level": 30, "message": "\x1b[31mred\x1b[0m", "message_text": "red"},
        "logger": "flowscope",
        "fields": {},
        "path": None,
        "line": None,
        "error": None,
    }
    assert second == {
        "message_data": {"log_level": 20, "message": "\x1b[1mbold\x1b[0m", "message_text": "bold"},
        "logger": "stdout",
        "fields": {},
        "path": None,
        "line": None,
        "error": None,
    }


def test_artifact_and_result_payloads() -> None:
    """Artifacts and results carry the values given, as JSON has them; the record has the very objects."""
    value: list[object] = [Path("a"), {1: (2,)}]

    @flow
    def making() -> list[object]:
        current_flow().add_flow_artifact(description="d", key="k", data=value, artifact_type="t")
        current_flow().add_flow_artifact()
        current_flow().add_flow_result("r", "rd", value)
        return value

    made = making()
    events = [e for e in events_of(made) if e.event_type in {"new_artifact", "new_result"}]
    full, empty, result, returned = (e.event_data.data for e in events)
    written = ["a", {"1": [2]}]
    assert full == {"artifact_data": {"description": "d", "key": "k", "data": written, "type": "t"}}
    assert empty == {"artifact_data": {"description": None, "key": None, "data": None, "type": None}}
    assert result == {"result_data": {"key": "r", "description": "rd", "value": written}}
    assert returned["result_data"] == result["result_data"] | {
        "key": "flow-return-value",
        "description": "the return value of the flow",
    }
    assert made.flow_run.artifacts[0].data is value


def test_start_and_stop_payloads_of_a_good_run() -> None:
    """Stops say status, duration, attempt or tasks, and that there is no error."""

    @task
    def work() -> None: ...

    @flow
    def good() -> None:
        work()
        work()

    events = events_of(good())
    by_kind = {e.event_type.value: e.event_data.data for e in events}
    stop, flow_stop = by_kind["task_stop"], by_kind["flow_stop"]
    assert stop.keys() == {
        *("status", "duration", "attempt", "attempt_start_time", "return_value", "error", "yield_count"),
        "abandoned_thread",
    }
    assert (stop["status"], stop["attempt"], stop["error"]) == ("completed", 1, None)
    assert isinstance(stop["duration"], float)
    assert stop["duration"] >= 0
    assert flow_stop.keys() == {"status", "duration", "return_value", "error", "tasks", "dropped"}
    assert (flow_stop["status"], flow_stop["error"]) == ("completed", None)
    assert flow_stop["tasks"] == {"total": 2, "failed": 0}
    assert flow_stop["duration"] >= stop["duration"]


def test_starts_name_the_parent() -> None:
    """The start of a nested flow or task says inside which one it was started; at the top there is none."""
    starts: list[tuple[str, object]] = []

    def listen(event: FlowEvent) -> None:
        data = event.event_data.data
        parent = data["parent_flow_id" if event.event_type is EventType.FLOW_START else "parent_task_id"]
        starts.append((event.event_data.flow_name, parent))

    @task
    def inner_task() -> None: ...

    @task
    def outer_task() -> None:
        inner_task()

    @flow
    def inner() -> None:
        outer_task()

    @flow
    def outer() -> Flow[None]:
        return inner().execute()

    with flow_events.subscribe(listen, EventType.FLOW_START, EventType.TASK_START):
        run = outer().execute()
    first = run.return_value.flow_run.tasks[0].task_id
    assert starts == [("outer", None), ("inner", run.flow_id), ("inner", None), ("inner", first)]


def test_stop_payloads_of_a_bad_run() -> None:
    """Failures come with an ErrorInfo at level ERROR; a retry is announced between the one start and the one stop."""

    @task(retries=2, raise_on_error=False)
    def flaky() -> None:
        raise ValueError("boom")

    @flow(flow_config=FlowConfig(raise_flow_error=False))
    def bad() -> None:
        flaky()
        raise LookupError("lost")

    events = [e for e in events_of(bad()) if e.event_type != "flow_message"]
    assert kinds(events) == ["flow_start", "task_start", "task_retry", "task_retry", "task_stop", "flow_stop"]
    stop, flow_stop = (e.event_data for e in events[-2:])
    assert (stop.data["status"], stop.data["attempt"], stop.log_level) == ("failed", 3, 40)
    assert isinstance(stop.data["error"], ErrorInfo)
    assert (stop.data["error"].type, stop.data["error"].message) == ("ValueError", "boom")
    assert (flow_stop.data["status"], flow_stop.log_level) == ("failed", 40)
    assert flow_stop.data["error"].type == "LookupError"
    assert flow_stop.data["tasks"] == {"total": 1, "failed": 1}
    assert events[2].event_data.log_level == 30


def test_events_survive_json() -> None:
    """An event with any payload is written as JSON and read back."""

    @flow(flow_config=FlowConfig(raise_flow_error=False))
    def odd() -> None:
        print("half \ud83d")
        current_flow().add_flow_artifact(key="o", data={1: object(), "nan": float("nan")})
        raise ValueError("boom \udfff")

    for event in events_of(odd()):
        again = FlowEvent.model_validate_json(event.model_dump_json())
        assert (again.event_id, again.event_type, again.sequence) == (event.event_id, event.event_type, event.sequence)


def test_a_hostile_artifact_leaves_the_payload_in_form() -> None:
    """A value that raises when it is looked at spoils neither the run nor the form of the payload."""

    class Hostile(list[int]):
        def __iter__(self) -> Any:
            raise RuntimeError("do not look")

        def __repr__(self) -> str:
            raise RuntimeError("do not look")

    @flow
    def making() -> None:
        current_flow().add_flow_artifact(key="k", data=Hostile([1]))
        current_flow().add_flow_result("r", value=Hostile([1]))

    run = making()
    events = [e for e in events_of(run) if e.event_type in {"new_artifact", "new_result"}]
    assert events[0].event_data.data["artifact_data"]["key"] == "k"
    assert events[1].event_data.data["result_data"]["key"] == "r"
    assert run.flow_run.model_dump_json()
