"""The run JSON: one frozen Pydantic record for storing, sending and looking at."""

import json
from pathlib import PurePosixPath
from typing import Any

import pytest
from pydantic import ValidationError

from flowscope import FlowConfig, FlowRun, current_flow, flow, task


def test_a_record_survives_the_trip_through_json() -> None:
    """`FlowRun` writes itself as JSON and reads itself back; the type parameter is that of the return value."""

    @task
    def double(number: int) -> int:
        return number * 2

    @flow
    def work(number: int) -> int:
        return double(number)

    record = work(21).execute().flow_run
    text = record.model_dump_json()
    loaded = FlowRun[int].model_validate_json(text)
    assert loaded.return_value == 42
    assert loaded.tasks[0].task_name == "double"
    assert loaded.model_dump_json() == text


def test_a_record_does_not_change() -> None:
    """Records are frozen, and describe the run as of the moment they were taken."""

    @flow
    def work() -> str:
        return current_flow().flow_run.status

    run = work().execute()
    assert run.return_value == "running"
    with pytest.raises(ValidationError, match="frozen"):
        run.flow_run.status = "failed"  # type: ignore[misc,assignment]  # pyright: ignore[reportAttributeAccessIssue] # the mistake under test


def test_any_value_is_serialisable() -> None:
    """What Pydantic writes natively is written so; anything else is described by its repr and type."""

    class Engine:
        def __repr__(self) -> str:
            return "<Engine of 6>"

    @flow
    def build() -> dict[str, Any]:
        return {"path": PurePosixPath("/srv"), "ratio": float("nan"), "raw": b"\x00\x01", "engine": Engine()}

    written = json.loads(build().execute().flow_run.model_dump_json())["return_value"]
    assert written["path"] == "/srv"
    assert written["ratio"] == "NaN"
    assert written["raw"] == "AAE="
    assert written["engine"]["__repr__"] == "<Engine of 6>"
    assert written["engine"]["__type__"].endswith("Engine")


def test_secrets_are_masked_in_records_alone() -> None:
    """Arguments, keys and fields with a telling name are masked in the record; the code gets the real value."""
    seen: list[str] = []

    @flow
    def login(user: str, password: str) -> dict[str, str]:
        seen.append(password)
        print(f"{user} logs in with {password}")
        return {"user": user, "token": "t0k3n"}

    run = login("ada", "lovelace").execute()
    assert seen == ["lovelace"]
    assert run.return_value["token"] == "t0k3n"
    assert run.flow_run.params == {"user": "ada", "password": "**********"}
    assert run.flow_run.return_value == {"user": "ada", "token": "**********"}
    assert run.flow_run.logs[0].message == "ada logs in with **********"


def test_a_record_can_be_kept_small() -> None:
    """Tasks may be counted instead of kept, and the log cut to its newest entries; the record says what is missing."""

    @task
    def step(number: int) -> None:
        print(number)

    @flow(flow_config=FlowConfig(add_task_to_self=False, max_logs=2))
    def work() -> None:
        for number in range(100):
            step(number)

    run = work().execute()
    assert run.flow_run.tasks == []
    assert run.durations().calls["step"].count == 100
    assert [entry.message for entry in run.flow_run.logs] == ["98", "99"]
    assert (run.flow_run.dropped.tasks, run.flow_run.dropped.logs) == (100, 98)


def test_a_record_describes_itself() -> None:
    """The JSON schema of `FlowRun[int]` names every part, for OpenAPI and for other languages."""
    schema = FlowRun[int].model_json_schema()
    assert {"flow_id", "status", "tasks", "logs", "error", "return_value"} <= schema["properties"].keys()
    assert {"TaskRun", "LogEntry", "ErrorInfo"} <= schema["$defs"].keys()
