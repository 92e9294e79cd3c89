"""What happens to the exceptions of users: the very object comes back, noted, recorded, never replaced."""

import asyncio
import gc
import weakref
from typing import Any

import pytest

from flowscope import (
    EventType,
    Flow,
    FlowConfig,
    FlowEvent,
    RunStatus,
    TaskTimeoutError,
    flow,
    task,
)


class AppError(Exception):
    """An error of an application, with state."""

    def __init__(self, code: int, *, hint: str) -> None:
        super().__init__(code)
        self.code = code
        self.hint = hint


@task
def fails(error: BaseException) -> None:
    raise error


@task
async def fails_later(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error


def test_the_original_object_propagates_with_one_note_per_task() -> None:
    """Through nested tasks and the flow comes the very object, with a note for each task it passed, innermost first."""
    boom = AppError(7, hint="look")

    @task
    def outer() -> None:
        fails(boom)

    @flow(flow_name="nightly")
    def run() -> None:
        outer()

    made = run()
    with pytest.raises(AppError) as caught:
        made.execute()
    assert caught.value is boom
    assert (boom.code, boom.hint, boom.args) == (7, "look", (7,))
    tasks = {t.task_name: t.task_id for t in made.flow_run.tasks}
    place = f"of flow 'nightly' ({made.flow_id})"
    assert boom.__notes__ == [
        f"in task 'fails' ({tasks['fails']}) {place}",
        f"in task 'outer' ({tasks['outer']}) {place}",
    ]


async def test_async_tasks_note_alike() -> None:
    """An async task's exception is the very object, with one note."""
    boom = AppError(1, hint="")
    made = Flow[None]().setup(fails_later, boom)
    with pytest.raises(AppError) as caught:
        await made
    assert caught.value is boom
    assert made.flow_error is boom
    assert boom.__notes__ == [
        f"in task 'fails_later' ({made.executed_tasks[0].task_id}) of flow 'fails_later' ({made.flow_id})"
    ]


def test_notes_of_the_users_own_stay() -> None:
    """Notes that the exception had come first, and stay as they were."""
    boom = ValueError("boom")
    boom.add_note("mine")
    with pytest.raises(ValueError), Flow[None]() as made:
        fails(boom)
    assert boom.__notes__[0] == "mine"
    assert len(boom.__notes__) == 2
    record = made.flow_run.tasks[0].error
    assert record is not None
    assert record.notes == boom.__notes__


def test_one_object_that_fails_two_tasks_is_noted_by_both() -> None:
    """An exception object raised in two tasks, one after the other, has a note of each."""
    boom = ValueError("boom")
    with Flow[None]() as made:
        for _ in range(2):
            with pytest.raises(ValueError):
                fails(boom)
    first, second = (t.task_id for t in made.flow_run.tasks)
    assert [first in boom.__notes__[0], second in boom.__notes__[1]] == [True, True]
    assert len(boom.__notes__) == 2


def test_a_tolerant_task_gives_none_and_is_logged() -> None:
    """With `raise_on_error=False` the call gives None, an ERROR entry says why, and the flow goes on to its end."""

    @task(task_name="fragile", raise_on_error=False)
    def fragile() -> int:
        raise ValueError("too bad")

    @flow
    def run() -> tuple[int | None, str]:
        return fragile(), "went on"

    made = run().execute()
    assert made.return_value == (None, "went on")
    assert made.status is RunStatus.COMPLETED
    assert made.flow_run.error is None
    record = made.flow_run.tasks[0]
    assert (record.status, record.return_value) == (RunStatus.FAILED, None)
    assert record.error is not None
    assert (record.error.type, record.error.module, record.error.message) == ("ValueError", "builtins", "too bad")
    errors = [e for e in made.flow_run.logs if e.level == "ERROR"]
    assert [e.task_id for e in errors] == [record.task_id]
    assert "fragile" in errors[0].message
    assert "too bad" in errors[0].message


async def test_a_tolerant_async_task_gives_none() -> None:
    """Concurrent tolerant tasks give None where they fail, and their values where they do not."""

    @task(raise_on_error=False)
    async def maybe(n: int) -> int:
        await asyncio.sleep(0)
        return 6 // n

    async with Flow[None]() as made:
        assert await asyncio.gather(*(maybe(n) for n in (1, 0, 2))) == [6, None, 3]
    assert made.succeeded
    assert [t.status for t in made.flow_run.tasks] == [RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.COMPLETED]


def test_a_recovered_failure_leaves_the_flow_completed() -> None:
    """A failure that the flow's function catches is visible on its task, and no failure of the flow."""

    @flow
    def run() -> str:
        try:
            fails(ValueError("caught"))
        except ValueError:
            return "recovered"
        return "not reached"

    made = run().execute()
    assert (made.status, made.flow_error, made.return_value) == (RunStatus.COMPLETED, None, "recovered")
    assert made.flow_run.tasks[0].status is RunStatus.FAILED
    assert isinstance(made.executed_tasks[0].task_error, ValueError)


def test_a_failing_flow_raises_its_error_and_keeps_it() -> None:
    """`execute` re-raises the flow's error, as the very object, and so does `return_value` ever after."""
    boom = ValueError("boom")

    @flow
    def run() -> None:
        raise boom

    made = run()
    with pytest.raises(ValueError) as caught:
        made.execute()
    assert caught.value is made.flow_error is boom
    assert made.status is RunStatus.FAILED
    assert not made.succeeded
    for _ in range(2):
        with pytest.raises(ValueError) as again:
            _ = made.return_value
        assert again.value is boom
    record = made.flow_run
    assert record.return_value is None
    assert record.error is not None
    assert "in run" in record.error.traceback
    assert record.results == []
    assert any(e.level == "ERROR" and "boom" in e.message for e in record.logs)
    assert not hasattr(boom, "__notes__")


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.filterwarnings("ignore::flowscope.BlockedLoopWarning")
async def test_a_flow_may_keep_its_error_to_itself(kind: str) -> None:
    """With `raise_flow_error=False` the flow is returned, failed; only `return_value` raises the error."""
    boom = ValueError("boom")
    config = FlowConfig(raise_flow_error=False)

    def sync_run() -> None:
        raise boom

    async def async_run() -> None:
        await asyncio.sleep(0)
        raise boom

    made = Flow[None](flow_config=config).setup(sync_run if kind == "sync" else async_run)
    for execution in (made.execute, made.execute_flow):
        assert execution() is made
    assert await made is made
    assert made.flow_error is boom
    assert made.flow_output()["output"] is None
    with pytest.raises(ValueError) as caught:
        _ = made.return_value
    assert caught.value is boom


def test_causes_are_recorded_in_full() -> None:
    """The record's error has its cause, explicit or implicit, and not the one that was suppressed."""

    def explicit() -> None:
        try:
            raise KeyError("low")
        except KeyError as low:
            raise ValueError("high") from low

    def implicit() -> None:
        try:
            raise KeyError("low")
        except KeyError:
            raise ValueError("high")

    def suppressed() -> None:
        try:
            raise KeyError("low")
        except KeyError:
            raise ValueError("high") from None

    causes: list[str | None] = []
    for function in (explicit, implicit, suppressed):
        made = Flow[None](flow_config=FlowConfig(raise_flow_error=False)).setup(function).execute()
        error = made.flow_run.error
        assert error is not None
        assert "high" in error.traceback
        causes.append(None if error.cause is None else error.cause.type)
    assert causes == ["KeyError", "KeyError", None]


def test_failures_are_told_by_events() -> None:
    """The stop events of a failed task and of its flow carry status, error and the number of failed tasks."""
    events: list[FlowEvent] = []
    made = Flow[None](flow_config=FlowConfig(raise_flow_error=False)).setup(fails, ValueError("boom"))
    made.add_listener(events.append, EventType.TASK_STOP, EventType.FLOW_STOP)
    made.execute()
    task_stop, flow_stop = (e.event_data.data for e in events)
    assert (task_stop["status"], task_stop["error"].message) == (RunStatus.FAILED, "boom")
    assert (flow_stop["status"], flow_stop["error"].message) == (RunStatus.FAILED, "boom")
    assert flow_stop["tasks"] == {"total": 1, "failed": 1}


def test_exception_groups_pass_as_they_are() -> None:
    """An exception group, also of a task group, is the very object, noted like any other."""

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails_later(ValueError("one")))

    made = Flow[None](flow_config=FlowConfig(raise_flow_error=False)).setup(run).execute()
    assert isinstance(made.flow_error, ExceptionGroup)
    assert made.flow_run.tasks[0].status is RunStatus.FAILED
    group = ExceptionGroup("many", [ValueError("a"), KeyError("b")])
    with pytest.raises(ExceptionGroup) as caught, Flow[None]():
        fails(group)
    assert caught.value is group


def test_an_error_of_the_library_is_an_error_like_any_other() -> None:
    """A library error raised by the user's function is the very object, and no timeout of the task."""
    raised = TaskTimeoutError("other", 1.0)
    with pytest.raises(TaskTimeoutError) as caught, Flow[None]() as made:
        fails(raised)
    assert caught.value is raised
    assert made.flow_run.tasks[0].status is RunStatus.FAILED


def test_a_recovered_exception_is_not_kept_alive_by_the_library() -> None:
    """Once a finished flow is dropped, the exceptions of its tasks are gone too."""

    class Traced(Exception):
        """Can be referred to weakly."""

    @task(raise_on_error=False)
    def fragile() -> None:
        raise Traced

    made: list[Flow[Any]] = [Flow[None]().setup(fragile).execute()]
    error = made[0].executed_tasks[0].task_error
    assert error is not None
    reference = weakref.ref(error)
    del error
    made.clear()
    gc.collect()
    assert reference() is None
