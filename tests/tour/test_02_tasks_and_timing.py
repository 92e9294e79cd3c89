"""Tasks: the steps of a flow, each with its own record and time."""

import inspect
from collections.abc import Iterator

import pytest

from flowscope import NoActiveFlowError, flow, task


def test_a_task_runs_when_it_is_called() -> None:
    """A task is called like the function it was, gives that function's value, and leaves a record."""

    @task
    def double(number: int) -> int:
        return number * 2

    @flow
    def quadruple(number: int) -> int:
        return double(double(number))

    run = quadruple(5).execute()
    assert run.return_value == 20

    first, second = run.flow_run.tasks
    assert first.task_name == second.task_name == "double"
    assert (first.input_args, first.return_value) == ([5], 10)
    assert (second.input_args, second.return_value) == ([10], 20)
    assert (first.execution_order, second.execution_order) == (1, 2)


def test_a_task_knows_which_task_called_it() -> None:
    """Tasks may call tasks; the record keeps the tree, numbered in the order of their start."""

    @task
    def inner(number: int) -> int:
        return number + 1

    @task
    def outer(number: int) -> int:
        return inner(number) * 10

    @flow
    def nested() -> int:
        return outer(1)

    outer_run, inner_run = nested().execute().flow_run.tasks
    assert outer_run.task_name == "outer"
    assert outer_run.parent_task_id is None
    assert inner_run.parent_task_id == outer_run.task_id


def test_durations_add_up_the_calls_of_each_task() -> None:
    """`durations()` has figures for each task name, in seconds."""

    @task
    def square(number: int) -> int:
        return number**2

    @flow
    def sum_of_squares(limit: int) -> int:
        return sum(square(number) for number in range(limit))

    durations = sum_of_squares(4).execute().durations()
    timing = durations.calls["square"]
    assert timing.count == 4
    assert timing.min <= timing.mean <= timing.max
    assert durations.flow_tasks == {"square": timing.total}
    assert timing.total <= durations.flow_duration


def test_every_single_call_has_a_duration() -> None:
    """`durations_with_tasks_status()` lists the calls by execution order."""

    @task
    def square(number: int) -> int:
        return number**2

    @flow
    def sum_of_squares(limit: int) -> int:
        return sum(square(number) for number in range(limit))

    durations = sum_of_squares(2).execute().durations_with_tasks_status()
    assert list(durations.flow_tasks) == [1, 2]
    assert durations.flow_tasks[2].task_name == "square"
    assert durations.flow_tasks[2].task_status == "completed"


def test_a_generator_is_a_task_too() -> None:
    """The task of a generator lasts from the first `next` to the end; the consumer's tasks are not inside it."""

    @task
    def read(lines: int) -> Iterator[str]:
        for number in range(lines):
            yield f"line {number}"

    @task
    def handle(line: str) -> int:
        return len(line)

    @flow
    def ingest() -> int:
        return sum(handle(line) for line in read(2))

    reading, *handling = ingest().execute().flow_run.tasks
    assert [reading.task_name, *(call.task_name for call in handling)] == ["read", "handle", "handle"]
    assert all(call.parent_task_id is None for call in handling)
    assert reading.end_time is not None
    assert handling[-1].end_time is not None
    assert reading.end_time > handling[-1].end_time


def test_a_task_needs_a_running_flow() -> None:
    """Outside a flow a task refuses to run; `inspect.unwrap` gives the undecorated function."""

    @task
    def double(number: int) -> int:
        return number * 2

    with pytest.raises(NoActiveFlowError, match="task 'double' needs a running flow"):
        double(1)

    assert inspect.unwrap(double)(1) == 2


def test_options_are_given_in_the_decorator() -> None:
    """A task may have a name and tags of its own in the record."""

    @task(task_name="fetch-page", tags=("network",))
    def fetch(url: str) -> int:
        return len(url)

    @flow(flow_name="crawl", tags=("nightly",))
    def crawl_all() -> int:
        return fetch("http://a") + fetch("http://b")

    record = crawl_all().execute().flow_run
    assert record.flow_name == "crawl"
    assert record.tags == ("nightly",)
    assert {(call.task_name, call.tags) for call in record.tasks} == {("fetch-page", ("network",))}
