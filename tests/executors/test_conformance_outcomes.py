"""Every executor: values, order, errors and arguments of submitted calls."""

import asyncio
import pickle
import traceback
from typing import Any

import pytest

from flowscope import (
    DefinitionError,
    Executor,
    FlowRun,
    ParameterError,
    RunStatus,
    TaskFuture,
    current_flow,
    map_tasks,
    submit,
)
from support.executors.gate import Gate
from support.executors.scenarios import Here
from support.executors.task_forms import Tasks
from support.executors.tasks import VARIABLE, Account, Crash, Stubborn, async_generator, generator

from .conftest import Perform


def test_values_come_back(perform: Perform, tasks: Tasks, here: Here) -> None:
    """Every submitted call has the value of its own arguments, given by position, by name or by default."""

    async def scenario() -> list[Any]:
        futures: list[TaskFuture[int]] = [submit(tasks.add, number, times=number) for number in range(30)]
        futures.append(submit(tasks.add, right=2, left=1))
        futures.append(submit(tasks.add, 1, 2, times=0))
        return await here.values(futures)

    made = perform(scenario)
    assert made.return_value == [(number + 10) * number for number in range(30)] + [3, 0]
    assert [task.return_value for task in made.flow_run.tasks] == made.return_value
    assert {task.status for task in made.flow_run.tasks} == {RunStatus.COMPLETED}


def test_the_execution_order_is_that_of_submission(perform: Perform, tasks: Tasks, here: Here, gate: Gate) -> None:
    """Orders, ids and inputs are recorded in the order of submission, whatever ends first."""

    async def scenario() -> list[str]:
        futures = [submit(tasks.hold, gate.address, name) for name in ("a", "b")]
        for visitor in sorted(await here.visitors(gate, 2), key=lambda one: one.name, reverse=True):
            visitor.let_go()
        await here.values(futures)
        return [future.task_id for future in futures]

    made = perform(scenario)
    record = made.flow_run
    assert [task.execution_order for task in record.tasks] == [1, 2]
    assert [task.task_id for task in record.tasks] == made.return_value
    assert [task.input_args[1] for task in record.tasks] == ["a", "b"]
    assert [task.task_name for task in record.tasks] == [tasks.name("hold")] * 2


def test_every_kind_of_value_comes_back(perform: Perform, tasks: Tasks, here: Here) -> None:
    """Values arrive equal and of their type: None, falsy ones, nested ones, exceptions, classes, large ones."""
    values: list[Any] = [None, 0, "", (), b"\0" * 2_000_000, {"a": [1, (2, {3})]}, int, float("inf"), "ü\ud7ff\0", True]

    async def scenario() -> list[Any]:
        return await here.values([submit(tasks.echo, value) for value in values])

    found = perform(scenario).return_value
    assert found == values
    assert list(map(type, found)) == list(map(type, values))


def test_an_exception_is_a_value_like_any(perform: Perform, tasks: Tasks, here: Here) -> None:
    """A task that returns an exception has not failed."""

    async def scenario() -> Any:
        return await here.value(submit(tasks.echo, Crash("returned", 1)))

    made = perform(scenario)
    assert isinstance(made.return_value, Crash)
    assert made.flow_run.tasks[0].status is RunStatus.COMPLETED


def test_bound_methods_are_submitted_with_their_object(perform: Perform, tasks: Tasks, here: Here) -> None:
    """A method that is a task runs with the object that it was taken from."""

    async def scenario() -> Any:
        return await here.value(submit(getattr(Account(100), tasks.name("plus")), 11))

    made = perform(scenario)
    assert made.return_value == 111
    assert made.flow_run.tasks[0].input_args == [11]


def test_map_tasks_keeps_the_order(perform: Perform, tasks: Tasks, here: Here) -> None:
    """`map_tasks` gives the results in the order of the items."""

    async def scenario() -> tuple[list[Any], list[Any]]:
        ordered = await here.items(map_tasks(tasks.echo, range(30), limit=3))
        return ordered, await here.items(map_tasks(tasks.echo, range(30)).as_completed())

    ordered, completed = perform(scenario).return_value
    assert ordered == list(range(30))
    assert sorted(completed) == list(range(30))


def test_the_original_exception_arrives(perform: Perform, tasks: Tasks, here: Here) -> None:
    """What a task raises arrives with its type, attributes, cause and note, and a traceback that shows where."""

    async def scenario() -> BaseException:
        return await here.error(submit(tasks.crash, "boom"))

    made = perform(scenario)
    error = made.return_value
    assert type(error) is Crash
    assert (error.reason, error.code) == ("boom", 7)
    task = made.flow_run.tasks[0]
    note = f"in task {tasks.name('crash')!r} ({task.task_id}) of flow 'scenario' ({made.flow_id})"
    assert error.__notes__ == [note]
    text = "".join(traceback.format_exception(error))
    for told in ("in deep", f"in {tasks.name('crash')}", "LookupError: the root of it", "the direct cause", "tasks.py"):
        assert told in text
    assert made.status is RunStatus.COMPLETED


def test_the_error_is_recorded(perform: Perform, tasks: Tasks, here: Here) -> None:
    """The record of a failed task has the error with its traceback, cause and notes, and the flow's log has it once."""

    async def scenario() -> None:
        await here.error(submit(tasks.crash, "boom"))

    record = perform(scenario).flow_run
    (task,) = record.tasks
    assert (task.status, task.attempts) == (RunStatus.FAILED, 1)
    assert task.error is not None
    assert (task.error.type, task.error.module) == ("Crash", "support.executors.tasks")
    assert task.error.message == "('boom', 7)"
    assert "in deep" in task.error.traceback
    assert "tasks.py" in task.error.traceback
    assert "LookupError: the root of it" in task.error.traceback
    assert len(task.error.notes) == 1
    assert task.error.cause is not None
    assert (task.error.cause.type, task.error.cause.message) == ("LookupError", "the root of it")
    (entry,) = record.logs
    assert (entry.level, entry.task_id) == ("ERROR", task.task_id)
    assert entry.message == f"task {tasks.name('crash')!r} failed: Crash: ('boom', 7)"
    assert FlowRun.model_validate_json(record.model_dump_json()).tasks[0].error == task.error


def test_a_tolerant_task_returns_none(perform: Perform, tasks: Tasks, here: Here) -> None:
    """A failing task with `raise_on_error=False` gives None, is recorded as failed, and the flow is completed."""

    async def scenario() -> Any:
        future = submit(tasks.tolerated, "boom")
        return await here.value(future), future.exception(), future.status

    made = perform(scenario)
    assert made.return_value == (None, None, RunStatus.FAILED)
    assert made.status is RunStatus.COMPLETED
    (task,) = made.flow_run.tasks
    assert task.status is RunStatus.FAILED
    assert task.error is not None
    assert "in deep" in task.error.traceback


def test_a_failure_that_nobody_read_fails_the_flow(perform: Perform, tasks: Tasks) -> None:
    """A flow that returns without asking for a failed task fails with that task's exception."""

    async def scenario() -> str:
        submit(tasks.crash, "unread")
        return "returned"

    made = perform(scenario, raise_flow_error=False)
    assert made.status is RunStatus.FAILED
    assert isinstance(made.flow_error, Crash)
    assert made.flow_error.reason == "unread"


def test_an_exception_that_does_not_pickle_is_told(
    perform: Perform, tasks: Tasks, here: Here, executor: Executor
) -> None:
    """Within the process it arrives as itself, from another one as an error that tells all of it."""

    async def scenario() -> BaseException:
        return await here.error(submit(tasks.stubborn))

    made = perform(scenario)
    error = made.return_value
    if executor.remote:
        assert type(error).__name__ == "RemoteTaskError"
        assert pickle.loads(pickle.dumps(error)).args == error.args
    else:
        assert isinstance(error, Stubborn)
    told = "".join(traceback.format_exception(error))
    assert "first second" in told
    assert "Stubborn" in told
    recorded = made.flow_run.tasks[0].error
    assert recorded is not None
    assert (recorded.type, recorded.message) == ("Stubborn", "first second")


@pytest.mark.parametrize("kind", [ValueError, KeyError, OSError, RuntimeError, TimeoutError])
def test_builtin_exceptions_arrive_as_themselves(
    perform: Perform, tasks: Tasks, here: Here, kind: type[Exception]
) -> None:
    """An exception of any builtin kind is the task's failure and nothing else."""

    async def scenario() -> BaseException:
        return await here.error(submit(tasks.give_up, kind))

    made = perform(scenario)
    assert type(made.return_value) is kind
    assert made.return_value.args == ("enough",)
    assert made.flow_run.tasks[0].status is RunStatus.FAILED


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_no_exception_arrives_too(
    perform: Perform, tasks: Tasks, here: Here, kind: type[BaseException]
) -> None:
    """An interrupt or exit that a task raises is read from its future, counts as a cancellation, and stops no worker."""

    async def scenario() -> Any:
        error = await here.error(submit(tasks.give_up, kind))
        return error, await here.value(submit(tasks.echo, "went on"))

    made = perform(scenario)
    error, value = made.return_value
    assert (type(error), error.args, value) == (kind, ("enough",), "went on")
    assert made.flow_run.tasks[0].status is RunStatus.CANCELLED
    assert made.status is RunStatus.COMPLETED


def test_a_task_that_raises_a_cancellation_is_cancelled(perform: Perform, tasks: Tasks, here: Here) -> None:
    """A `CancelledError` that a task raises on its own ends it as cancelled, and fails nobody who does not ask."""

    async def scenario() -> Any:
        submit(tasks.give_up, asyncio.CancelledError)
        return await here.error(submit(tasks.give_up, asyncio.CancelledError))

    made = perform(scenario)
    assert isinstance(made.return_value, asyncio.CancelledError)
    assert [task.status for task in made.flow_run.tasks] == [RunStatus.CANCELLED] * 2
    assert made.status is RunStatus.COMPLETED


def test_arguments_are_validated_where_the_task_says_so(perform: Perform, tasks: Tasks, here: Here) -> None:
    """With `validate=True` a fitting argument is coerced, and a bad one fails the task with a `ParameterError`."""

    async def scenario() -> tuple[Any, BaseException]:
        half = await here.value(submit(tasks.halve, "5"))
        return half, await here.error(submit(tasks.halve, "five"))

    half, error = perform(scenario).return_value
    assert half == 2.5
    assert isinstance(error, ParameterError)
    assert "number" in str(error)


def test_wrong_arguments_fail_the_task(perform: Perform, tasks: Tasks, here: Here) -> None:
    """A call whose arguments do not fit the signature fails with Python's own `TypeError`."""

    async def scenario() -> list[BaseException]:
        return [await here.error(submit(tasks.add)), await here.error(submit(tasks.add, 1, wrong=2))]

    missing, unexpected = perform(scenario).return_value
    assert isinstance(missing, TypeError)
    assert "left" in str(missing)
    assert isinstance(unexpected, TypeError)
    assert "wrong" in str(unexpected)


def test_generators_are_refused(perform: Perform) -> None:
    """Submitting a generator task is an error that names it and says what to do, and leaves no record."""

    async def scenario() -> None:
        for task in (generator, async_generator):
            with pytest.raises(DefinitionError, match=rf"{task.__name__}.*generator.*cannot be submitted"):
                submit(task, 3)
            with pytest.raises(DefinitionError, match="cannot be submitted"):
                map_tasks(task, [3])

    assert perform(scenario).flow_run.tasks == []


def test_what_is_no_task_is_refused(perform: Perform) -> None:
    """A plain function, a builtin, a lambda and an object that is not callable are refused by name."""

    async def scenario() -> None:
        wrong: Any
        for wrong in (len, asyncio.sleep, lambda: None, Account, current_flow(), 3):
            with pytest.raises(DefinitionError, match="@task"):
                submit(wrong)

    assert perform(scenario).flow_run.tasks == []


def test_context_variables_of_the_submitter_are_seen(
    perform: Perform, tasks: Tasks, here: Here, executor: Executor
) -> None:
    """A task in this process sees the context variables of its submitter, and what it sets stays its own."""

    async def scenario() -> tuple[Any, str]:
        token = VARIABLE.set("of the flow")
        try:
            return await here.value(submit(tasks.read_variable)), VARIABLE.get()
        finally:
            VARIABLE.reset(token)

    seen, after = perform(scenario).return_value
    assert seen == ("default" if executor.remote else "of the flow")
    assert after == "of the flow"
