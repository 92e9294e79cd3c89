"""`Task(function, ...)`: a call made by hand, and run inside a flow."""

import asyncio
from typing import Any

import pytest

from flowscope import (
    INJECTED,
    AlreadyRunningError,
    DefinitionError,
    Flow,
    NoActiveFlowError,
    RunStatus,
    Task,
    current_task,
)


def divide(x: int, y: int = 1) -> float:
    return x / y


async def divide_later(x: int, y: int = 1) -> float:
    await asyncio.sleep(0)
    return x / y


def test_a_task_by_hand_runs_in_the_flow() -> None:
    """`execute_sync` returns the value, and the very object is among the flow's tasks."""
    made = Task(divide, 6, y=3)
    assert (made.task_name, made.status, made.task_id) == ("divide", RunStatus.PENDING, "")
    assert (made.task_return_value, made.task_error, made.raise_on_error, made.remaining) == (None, None, True, None)
    with Flow[None]() as owner:
        assert made.execute_sync() == 2
        assert made.flow is owner
    assert owner.executed_tasks[0] is made
    assert (made.status, made.task_return_value, made.attempt) == (RunStatus.COMPLETED, 2, 1)
    record = owner.flow_run.tasks[0]
    assert (record.task_id, record.task_name) == (made.task_id, "divide")
    assert (record.input_args, record.input_kwargs) == ([6], {"y": 3})


async def test_async_execution_takes_sync_and_async_functions() -> None:
    """`await execute_async()` returns the value of either kind of function."""
    async with Flow[None]() as owner:
        assert await Task(divide_later, 6, 2).execute_async() == 3
        assert await Task(divide, 8, 2).execute_async() == 4
    assert [t.task_name for t in owner.flow_run.tasks] == ["divide_later", "divide"]


def test_sync_execution_runs_an_async_function_to_its_end() -> None:
    """`execute_sync` of an async function gives its value, in a flow without a running loop."""
    with Flow[None]() as owner:
        assert Task(divide_later, 6, 2).execute_sync() == 3
    assert [t.status for t in owner.flow_run.tasks] == [RunStatus.COMPLETED]


async def test_sync_execution_of_an_async_function_inside_a_loop() -> None:
    """Where a loop is running, `execute_sync` of an async function still ends, and belongs to the flow."""
    async with Flow[None]() as owner:
        assert Task(divide_later, 6, 2).execute_sync() == 3
    assert len(owner.executed_tasks) == 1


@pytest.mark.parametrize("name", ["target", "self", "task_name", "raise_on_error", "args", "kwargs", "spec", "call"])
def test_all_keyword_arguments_go_to_the_function(name: str) -> None:
    """Every keyword argument is the function's, whatever its name."""

    def named(**values: int) -> dict[str, int]:
        return values

    with Flow[None]() as owner:
        assert Task(named, **{name: 5}).execute_sync() == {name: 5}
    assert owner.flow_run.tasks[0].task_name == "named"


def test_name_and_error_policy_are_attributes() -> None:
    """`task_name` and `raise_on_error` are set on the task, for this one alone."""
    named, other = Task(divide, 1, 0), Task(divide, 1, 0)
    named.task_name = "division"
    named.raise_on_error = False
    with Flow[None]() as owner:
        assert named.execute_sync() is None
        with pytest.raises(ZeroDivisionError) as caught:
            other.execute_sync()
    assert [t.task_name for t in owner.flow_run.tasks] == ["division", "divide"]
    assert isinstance(named.task_error, ZeroDivisionError)
    assert named.status is RunStatus.FAILED
    assert other.task_error is caught.value
    assert (named.raise_on_error, other.raise_on_error) == (False, True)


def test_outside_a_flow_it_does_not_run() -> None:
    """Without a running flow it raises `NoActiveFlowError`, stays pending, and may run in a flow later."""
    made = Task(divide, 4, 2)
    with pytest.raises(NoActiveFlowError, match="divide"):
        made.execute_sync()
    with pytest.raises(NoActiveFlowError):
        _ = made.flow
    assert made.status is RunStatus.PENDING
    with Flow[None]():
        assert made.execute_sync() == 2


async def test_it_runs_once() -> None:
    """A task that has run, or is running, cannot be executed again, also not at the same time."""
    resume = asyncio.Event()
    runs: list[int] = []

    async def waits() -> None:
        runs.append(1)
        await resume.wait()

    made = Task(waits)
    async with Flow[None]() as owner:
        first = asyncio.create_task(made.execute_async())
        await asyncio.sleep(0)
        with pytest.raises(AlreadyRunningError, match="waits"):
            await made.execute_async()
        resume.set()
        await first
        with pytest.raises(AlreadyRunningError):
            await made.execute_async()
    assert runs == [1]
    assert len(owner.executed_tasks) == 1


async def test_it_is_the_current_task_and_is_injected() -> None:
    """Inside the function the task made by hand is `current_task()` and `this_task`; its data may be filled before."""

    def look(this_task: Task = INJECTED, task_data: dict[str, Any] = INJECTED) -> tuple[object, object, object]:
        return this_task, current_task(), task_data["given"]

    made = Task(look)
    made.task_data["given"] = 7
    async with Flow[None]():
        assert made.execute_sync() == (made, made, 7)


def test_a_nested_one_names_its_parent() -> None:
    """A task by hand run inside another is its child."""

    def outer() -> float:
        value: float = Task(divide, 9, 3).execute_sync()
        return value

    with Flow[None]() as owner:
        assert Task(outer).execute_sync() == 3
    parent, child = owner.flow_run.tasks
    assert child.parent_task_id == parent.task_id


async def test_many_run_at_once() -> None:
    """Tasks made by hand run concurrently, each with its own name, value and error."""
    made = [Task(divide_later, 6, n) for n in range(4)]
    for n, each in enumerate(made):
        each.task_name = f"by {n}"
        each.raise_on_error = False
    async with Flow[None]() as owner:
        values = await asyncio.gather(*(each.execute_async() for each in made))
    assert values == [None, 6, 3, 2]
    assert {t.task_name: t.status for t in owner.flow_run.tasks} == {
        "by 0": RunStatus.FAILED,
        "by 1": RunStatus.COMPLETED,
        "by 2": RunStatus.COMPLETED,
        "by 3": RunStatus.COMPLETED,
    }


def test_what_is_no_function_is_refused() -> None:
    """A class, or what cannot be called, is refused when the task is made."""
    wrong: Any = 5
    for target in (wrong, dict):
        with pytest.raises(DefinitionError):
            Task(target)


def test_any_callable_will_do() -> None:
    """Methods, builtins and lambdas can be tasks made by hand."""
    with Flow[None]() as owner:
        assert Task("a b".split).execute_sync() == ["a", "b"]
        assert Task(len, [1, 2]).execute_sync() == 2
        assert Task(max, 3, 5).execute_sync() == 5
        assert Task(lambda: 1).execute_sync() == 1
    assert [t.task_name for t in owner.flow_run.tasks] == ["split", "len", "max", "<lambda>"]
