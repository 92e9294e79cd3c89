"""What a record has of inputs and return values, and what it leaves out when it is told to."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from flowscope import Flow, FlowConfig, FlowRun, current_flow, flow, task


def checked(record: FlowRun[Any]) -> FlowRun[Any]:
    """The record, which goes through JSON."""
    text = record.model_dump_json()
    assert FlowRun.model_validate_json(text).model_dump_json() == text
    return record


@task
def double(number: int) -> int:
    """Twice the number."""
    return number * 2


@pytest.mark.parametrize("value", [0, "", False, [], {}, 0.0, b"", (), frozenset[int](), 5], ids=repr)
def test_a_return_value_is_also_a_result(value: Any) -> None:
    """Whatever is returned, falsy or not, is the result `flow-return-value`, as the very object."""

    def give() -> Any:
        return value

    record = checked(Flow[Any]().setup(give).execute().flow_run)
    (found,) = record.results
    assert (found.key, found.task_id) == ("flow-return-value", None)
    assert found.value is record.return_value is value
    data = json.loads(record.model_dump_json())
    assert data["results"][0]["value"] == data["return_value"]


def test_what_json_has_no_form_for_fails_nothing() -> None:
    """A function that a task returns comes back as itself, and is described in the record."""

    @task
    def make() -> Callable[[], int]:
        return lambda: 3

    @flow
    def making() -> Callable[[], int]:
        return make()

    made = making().execute()
    assert made.succeeded
    assert made.return_value() == 3
    (called,) = json.loads(made.flow_run.model_dump_json())["tasks"]
    assert "<lambda>" in called["return_value"]["__repr__"]


def test_none_is_no_result() -> None:
    """A flow that returns None has no result entry."""
    record = checked(Flow[None]().setup(lambda: None).execute().flow_run)
    assert (record.return_value, record.results) == (None, [])


def test_the_result_comes_after_those_of_the_flow() -> None:
    """The result of the return value is the last one, and is not there while the flow runs."""
    seen: list[list[str]] = []

    @flow
    def giving() -> int:
        current_flow().add_flow_result("mine", value=1)
        seen.append([found.key for found in current_flow().flow_run.results])
        return 2

    made = giving().execute()
    assert seen == [["mine"]]
    assert [found.key for found in made.flow_run.results] == ["mine", "flow-return-value"]


def test_without_return_values_there_are_none_anywhere() -> None:
    """With `record_return_values=False` no record, event or log line has what flow and tasks return."""

    @flow(flow_config=FlowConfig(record_return_values=False, capture_events=True))
    def quiet(number: int) -> str:
        return f"unheard {double(number)}"

    made = quiet(21).execute()
    record = checked(made.flow_run)
    assert made.return_value == "unheard 42"
    assert (record.return_value, record.tasks[0].return_value, record.results) == (None, None, [])
    assert "unheard" not in record.model_dump_json()
    assert not any("unheard" in line for line in made.log_messages())
    assert record.tasks[0].input_args == [21]


def test_without_inputs_there_are_none_anywhere() -> None:
    """With `record_inputs=False` no record has the arguments of flow and tasks, before, during and after the run."""
    seen: list[FlowRun[Any]] = []

    @task
    def inner(text: str, *, named: str) -> None:
        seen.append(current_flow().flow_run)

    @flow(flow_config=FlowConfig(record_inputs=False, capture_events=True))
    def outer(text: str) -> None:
        inner(text, named=text)

    made = outer("unheard")
    for record in (made.flow_run, made.execute().flow_run, *seen):
        assert record.params == {}
        assert "unheard" not in checked(record).model_dump_json()
        assert all((call.input_args, call.input_kwargs) == ([], {}) for call in record.tasks)


def test_counted_tasks_are_dropped_ones() -> None:
    """With `add_task_to_self=False` the record has no tasks and tells how many there were, also while running."""
    seen: list[tuple[int, int]] = []

    @flow(flow_config=FlowConfig(add_task_to_self=False))
    def counted() -> None:
        for _ in range(3):
            double(1)
        record = checked(current_flow().flow_run)
        seen.append((len(record.tasks), record.dropped.tasks))
        double(1)

    made = counted().execute()
    assert seen == [(0, 3)]
    assert (made.flow_run.tasks, made.flow_run.dropped.tasks) == ([], 4)
