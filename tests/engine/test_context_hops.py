"""The context survives every hop that asyncio makes, and every one the user binds."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from flowscope import (
    Flow,
    NoActiveFlowError,
    current_flow,
    current_flow_or_none,
    current_task_or_none,
    flow,
    task,
)


@task
def note(value: int = 0) -> int:
    print(f"note {value}")
    return value


@task
async def anote(value: int = 0) -> int:
    await asyncio.sleep(0)
    print(f"note {value}")
    await asyncio.sleep(0)
    return value


def prints_by_task(run: Flow[Any]) -> dict[str | None, str]:
    return {entry.task_id: entry.message for entry in run.captured_logs() if entry.source == "stdout"}


async def test_gather_create_task_and_task_group_stay_in_the_flow() -> None:
    """Tasks started by gather, create_task, ensure_future and TaskGroup are recorded with their own prints."""

    @flow
    async def fan_out() -> list[int]:
        gathered = await asyncio.gather(*(anote(i) for i in range(10)))
        created = await asyncio.create_task(anote(10))
        ensured = await asyncio.ensure_future(anote(11))
        async with asyncio.TaskGroup() as group:
            grouped = [group.create_task(anote(i)) for i in (12, 13)]
        return [*gathered, created, ensured, *(g.result() for g in grouped)]

    run = await fan_out()
    assert run.return_value == list(range(14))
    expected = {t.task_id: f"note {t.return_value}" for t in run.flow_run.tasks}
    assert len(expected) == 14
    assert prints_by_task(run) == expected


async def test_children_of_a_task_group_name_the_task_that_started_them() -> None:
    """What a task starts concurrently is its child, however many siblings run at the same time."""

    @task
    async def parent(base: int) -> None:
        await asyncio.gather(*(anote(base + i) for i in range(3)))

    @flow
    async def family() -> None:
        await asyncio.gather(parent(10), parent(20), parent(30))

    tasks = (await family()).flow_run.tasks
    by_id = {t.task_id: t for t in tasks}
    children = [t for t in tasks if t.task_name == "anote"]
    assert len(children) == 9
    for child in children:
        assert child.parent_task_id is not None
        base = by_id[child.parent_task_id].input_args[0]
        assert child.return_value // 10 * 10 == base


async def test_loop_callbacks_stay_in_the_flow() -> None:
    """call_soon, call_later and add_done_callback run where they were scheduled."""

    @flow
    async def callbacks() -> None:
        loop = asyncio.get_running_loop()
        done = [loop.create_future() for _ in range(3)]

        def call(future: asyncio.Future[int], value: int) -> None:
            future.set_result(note(value))

        loop.call_soon(call, done[0], 0)
        loop.call_later(0, call, done[1], 1)
        done[1].add_done_callback(lambda _: call(done[2], 2))
        await asyncio.gather(*done)

    run = await callbacks()
    assert sorted(t.return_value for t in run.flow_run.tasks) == [0, 1, 2]


@pytest.mark.filterwarnings("ignore::flowscope.BlockedLoopWarning")
async def test_execute_inside_a_running_loop_sees_the_callers_context() -> None:
    """`execute()` of an async flow in a running loop runs in another thread, with the caller's context copied."""
    request: ContextVar[str] = ContextVar("request", default="unset")
    request.set("r-1")
    here = threading.get_ident()

    @flow
    async def inner() -> tuple[str, bool]:
        seen = request.get()
        request.set("changed")
        await anote(1)
        return seen, threading.get_ident() == here

    @flow
    async def outer() -> Flow[tuple[str, bool]]:
        nested = inner().execute()
        assert nested.flow_run.parent_flow_id == current_flow().flow_id
        await anote(2)
        return nested

    alone = inner().execute()
    assert alone.return_value == ("r-1", False)
    assert alone.flow_run.parent_flow_id is None
    run = await outer()
    assert run.return_value.return_value == ("r-1", False)
    assert [t.return_value for t in run.flow_run.tasks] == [2]
    assert [t.return_value for t in run.return_value.flow_run.tasks] == [1]
    assert request.get() == "r-1"


async def test_a_block_left_in_another_asyncio_task_ends_the_run() -> None:
    """A `with` block entered in one asyncio task and left in another ends, and leaks into neither."""
    block = Flow[None](flow_name="wandering")

    async def begin() -> None:
        block.__enter__()
        note(1)

    async def finish() -> None:
        assert current_flow_or_none() is None
        block.__exit__(None, None, None)
        assert current_flow_or_none() is None

    await asyncio.create_task(begin())
    await asyncio.create_task(finish())
    assert block.succeeded
    assert len(block.executed_tasks) == 1
    assert current_flow_or_none() is None


async def test_code_still_in_the_block_of_an_ended_run_is_outside() -> None:
    """Where another asyncio task has ended the block's run, the task that entered it is in no flow."""
    block = Flow[None](flow_name="ended elsewhere")
    open_now, ended = asyncio.Event(), asyncio.Event()

    async def begin() -> None:
        await block.__aenter__()
        open_now.set()
        await ended.wait()
        assert current_flow_or_none() is None
        with pytest.raises(NoActiveFlowError, match="ended elsewhere"):
            note(1)

    entered = asyncio.create_task(begin())
    await open_now.wait()
    await block.__aexit__(None, None, None)
    ended.set()
    await entered


async def test_generator_tasks_do_not_leak_into_their_consumer() -> None:
    """Between the steps of a generator task its consumer is where it was, in threads and across interleaving."""

    @task
    def numbers(n: int) -> Iterator[int]:
        for i in range(n):
            print(f"in {n}")
            yield i

    @task
    async def letters(n: int) -> AsyncIterator[int]:
        for i in range(n):
            await asyncio.sleep(0)
            yield i

    @flow
    async def consume() -> list[object]:
        outside: list[object] = []
        for _ in zip(numbers(2), numbers(3), strict=False):
            outside.append(current_task_or_none())
        async for _ in letters(2):
            outside.append(current_task_or_none())
            note(1)
        return outside

    run = await consume()
    assert run.return_value == [None] * 4
    assert [t.parent_task_id for t in run.flow_run.tasks] == [None] * 5


async def test_a_thousand_flows_at_once_keep_their_tasks() -> None:
    """Flows gathered in one loop do not wait for one another, and each records its own tasks alone."""

    @flow
    async def ten(base: int) -> int:
        return sum([await anote(base + i) for i in range(10)])

    runs = await asyncio.gather(*(ten(10 * i).execute_async() for i in range(1_000)))
    for i, run in enumerate(runs):
        expected = list(range(10 * i, 10 * i + 10))
        assert run.return_value == sum(expected)
        assert [t.return_value for t in run.flow_run.tasks] == expected


async def test_nested_flows_side_by_side_keep_their_tasks() -> None:
    """Flows gathered inside a flow name it as parent, and each records its own tasks and prints alone."""

    @flow
    async def inner(base: int) -> None:
        await asyncio.gather(*(anote(base + i) for i in range(3)))

    @flow
    async def outer() -> list[Flow[None]]:
        made = [inner(10 * i) for i in range(10)]
        await asyncio.gather(anote(1_000), *(each.execute_async() for each in made))
        return made

    run = await outer()
    assert [t.return_value for t in run.flow_run.tasks] == [1_000]
    for i, nested in enumerate(run.return_value):
        record = nested.flow_run
        assert record.parent_flow_id == run.flow_id
        assert sorted(t.return_value for t in record.tasks) == [10 * i, 10 * i + 1, 10 * i + 2]
        assert prints_by_task(nested) == {t.task_id: f"note {t.return_value}" for t in record.tasks}


async def test_a_failing_sibling_leaves_the_context_of_the_others_alone() -> None:
    """Tasks that a TaskGroup cancels end in their own flow, and the flow goes on in its context."""
    waiting = asyncio.Event()

    @task
    async def wait() -> None:
        waiting.set()
        await asyncio.Event().wait()

    @task
    async def fail() -> None:
        await waiting.wait()
        raise LookupError

    @flow
    async def group() -> object:
        try:
            async with asyncio.TaskGroup() as children:
                children.create_task(wait())
                children.create_task(fail())
        except* LookupError:
            await anote(1)
        return current_task_or_none()

    run = await group()
    assert run.return_value is None
    assert {t.task_name: t.status.value for t in run.flow_run.tasks} == {
        "wait": "cancelled",
        "fail": "failed",
        "anote": "completed",
    }


async def test_an_awaited_sync_flow_runs_here() -> None:
    """`await` of a sync flow runs it in this thread and this context, nested in the flow that awaits it."""
    request: ContextVar[str] = ContextVar("request", default="unset")
    request.set("r-2")

    @flow
    def inner() -> tuple[int, str, str]:
        return threading.get_ident(), request.get(), current_flow().flow_name

    @flow
    async def outer() -> Flow[tuple[int, str, str]]:
        return await inner()

    run = await outer()
    assert run.return_value.return_value == (threading.get_ident(), "r-2", "inner")
    assert run.return_value.flow_run.parent_flow_id == run.flow_id
