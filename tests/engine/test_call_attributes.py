"""`this_task.task_name` and `this_task.raise_on_error`, set inside a call: they are those of that call alone."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from flowscope import (
    INJECTED,
    AlreadyRunningError,
    DefinitionError,
    EventType,
    Flow,
    FlowConfig,
    FlowEvent,
    RunStatus,
    Task,
    submit,
    task,
)


@task
def work(x: int, this_task: Task = INJECTED) -> str:
    if x == 1:
        this_task.task_name = "work-1"
    return this_task.task_name


@task
async def work_later(x: int, this_task: Task = INJECTED) -> str:
    if x == 1:
        this_task.task_name = "work-1"
    await asyncio.sleep(0)
    return this_task.task_name


@task
def work_in_steps(x: int, this_task: Task = INJECTED) -> Iterator[str]:
    if x == 1:
        this_task.task_name = "work-1"
    yield this_task.task_name


@task
async def work_in_later_steps(x: int, this_task: Task = INJECTED) -> AsyncIterator[str]:
    if x == 1:
        this_task.task_name = "work-1"
    yield this_task.task_name


class Worker:
    """Its method is a task."""

    @task
    def work(self, x: int, this_task: Task = INJECTED) -> str:
        """Take another name for one argument."""
        if x == 1:
            this_task.task_name = "work-1"
        return this_task.task_name


def names_of(made: Flow[Any]) -> list[str]:
    """The names of the calls, in order, without what tells kinds apart."""
    return [
        call.task_name.removesuffix("_in_later_steps").removesuffix("_later").removesuffix("_in_steps")
        for call in made.flow_run.tasks
    ]


WANTED = ["work", "work-1", "work"]


async def test_a_call_that_renames_itself_renames_no_other() -> None:
    """The new name is in the record of that call, in its durations and return value; other calls keep theirs."""
    for _ in range(2):
        async with Flow[None]() as made:
            assert [work(x) for x in range(3)] == WANTED
            assert [(await work_later(x)).removesuffix("_later") for x in range(3)] == WANTED
            assert [next(work_in_steps(x)).removesuffix("_in_steps") for x in range(3)] == WANTED
            assert [Worker().work(x) for x in range(3)] == WANTED
            for x, name in enumerate(["work_in_later_steps", "work-1", "work_in_later_steps"]):
                assert [found async for found in work_in_later_steps(x)] == [name]
            assert [await submit(work, x) for x in range(3)] == WANTED
        assert names_of(made) == WANTED * 6
        assert made.durations().calls["work-1"].count == 6
        timed = made.durations_with_tasks_status().flow_tasks
        assert [each.task_name for each in timed.values()].count("work-1") == 6


async def test_calls_at_the_same_time_have_their_own_names() -> None:
    """Of many calls that overlap, each has the name that it gave itself."""

    @task
    async def named(number: int, this_task: Task = INJECTED) -> None:
        this_task.task_name = f"number {number}"
        await asyncio.sleep(0)
        assert this_task.task_name == f"number {number}"

    async with Flow[None]() as made:
        await asyncio.gather(*(named(number) for number in range(50)))
    assert names_of(made) == [f"number {number}" for number in range(50)]


def test_counted_tasks_have_their_own_names() -> None:
    """Where calls are only counted, they are counted under the name that each had in the end."""
    with Flow[None](flow_config=FlowConfig(add_task_to_self=False)) as made:
        for x in range(3):
            work(x)
    assert {name: timing.count for name, timing in made.durations().calls.items()} == {"work": 2, "work-1": 1}


def test_events_and_notes_have_the_name_of_their_time() -> None:
    """Events after the change, the log and the note of the error have the new name."""
    events: list[FlowEvent] = []

    @task
    def fails(this_task: Task = INJECTED) -> None:
        this_task.task_name = "unlucky"
        raise ValueError("boom")

    made = Flow[None]().setup(lambda: fails())
    made.add_listener(events.append, EventType.TASK_START, EventType.TASK_STOP)
    with pytest.raises(ValueError) as caught:
        made.execute()
    assert [event.event_data.task_name for event in events] == ["fails", "unlucky"]
    assert "in task 'unlucky'" in caught.value.__notes__[0]
    assert any("task 'unlucky' failed" in entry.message for entry in made.flow_run.logs)


async def test_a_call_that_tolerates_its_own_failure_hides_no_other() -> None:
    """`raise_on_error=False` set by one call makes that one return None; the next call raises, of each kind."""

    @task
    def fragile(tolerant: bool, this_task: Task = INJECTED) -> None:
        if tolerant:
            this_task.raise_on_error = False
        raise ValueError(tolerant)

    @task
    async def fragile_later(tolerant: bool, this_task: Task = INJECTED) -> None:
        if tolerant:
            this_task.raise_on_error = False
        raise ValueError(tolerant)

    @task
    def fragile_in_steps(tolerant: bool, this_task: Task = INJECTED) -> Iterator[int]:
        if tolerant:
            this_task.raise_on_error = False
        yield 1
        raise ValueError(tolerant)

    async with Flow[None]() as made:
        fragile(True)
        await fragile_later(True)
        assert list(fragile_in_steps(True)) == [1]
        assert await submit(fragile, True) is None  # type: ignore[func-returns-value] # its error was tolerated
        with pytest.raises(ValueError):
            fragile(False)
        with pytest.raises(ValueError):
            await fragile_later(False)
        with pytest.raises(ValueError):
            list(fragile_in_steps(False))
        with pytest.raises(ValueError):
            await submit(fragile, False)
    assert {call.status for call in made.flow_run.tasks} == {RunStatus.FAILED}


def test_a_call_that_insists_on_its_failure_changes_no_other() -> None:
    """`raise_on_error=True` set by a call of a tolerant task raises from that call alone."""

    @task(raise_on_error=False)
    def fragile(strict: bool, this_task: Task = INJECTED) -> None:
        if strict:
            this_task.raise_on_error = True
        raise ValueError(strict)

    with Flow[None]():
        with pytest.raises(ValueError):
            fragile(True)
        fragile(False)


def test_what_one_attempt_sets_holds_for_the_next_ones() -> None:
    """A call keeps its name and its error policy over its retries; the next call begins with those of the task."""
    seen: list[tuple[str, bool]] = []

    @task(retries=1)
    def shaky(first: bool, this_task: Task = INJECTED) -> None:
        seen.append((this_task.task_name, this_task.raise_on_error))
        if first:
            this_task.task_name, this_task.raise_on_error = "first", False
        raise ValueError

    with Flow[None]() as made:
        shaky(True)
        with pytest.raises(ValueError):
            shaky(False)
    assert seen == [("shaky", True), ("first", False), ("shaky", True), ("shaky", True)]
    assert [(call.task_name, call.attempts) for call in made.flow_run.tasks] == [("first", 2), ("shaky", 2)]


def test_a_call_that_has_ended_is_not_changed() -> None:
    """Setting an attribute of a call that has ended raises `AlreadyRunningError`: its record stays as it is."""
    with Flow[None]() as made:
        work(0)
    call = made.executed_tasks[0]
    with pytest.raises(AlreadyRunningError, match="task_name of task 'work' cannot be set, it is completed already"):
        call.task_name = "other"
    with pytest.raises(AlreadyRunningError, match="raise_on_error"):
        call.raise_on_error = False
    assert call.task_name == names_of(made)[0] == "work"


@pytest.mark.parametrize("name", ["", 5, None])
def test_a_name_is_a_text(name: Any) -> None:
    """What is no text, or empty, is refused as a name."""
    with pytest.raises(DefinitionError, match="task_name is"):
        Task(len, "a").task_name = name
