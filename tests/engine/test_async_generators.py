"""Async generator functions are tasks from their first step to their end."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from flowscope import (
    INJECTED,
    DefinitionError,
    Flow,
    Inject,
    NoActiveFlowError,
    RunStatus,
    Task,
    current_task_or_none,
    flow,
    task,
)


@task
async def step(n: int) -> int:
    await asyncio.sleep(0)
    return n


@task
async def numbers(limit: int) -> AsyncGenerator[int, None]:
    for n in range(limit):
        await step(n)
        yield n


def statuses(made: Flow[Any], name: str) -> list[RunStatus]:
    """The statuses of the tasks of one name."""
    return [t.status for t in made.flow_run.tasks if t.task_name == name]


async def test_it_lasts_from_the_first_step_to_its_exhaustion() -> None:
    """The task starts at the first step, is running while it is suspended, and completed at the end."""
    async with Flow[None]() as made:
        stepping = numbers(2)
        assert statuses(made, "numbers") == []
        assert await anext(stepping) == 0
        assert statuses(made, "numbers") == [RunStatus.RUNNING]
        assert [n async for n in stepping] == [1]
        assert statuses(made, "numbers") == [RunStatus.COMPLETED]
    assert made.flow_run.tasks[0].input_args == [2]


async def test_one_that_is_never_advanced_leaves_no_record() -> None:
    """An async generator that was never advanced records nothing, closed or not."""
    async with Flow[None]() as made:
        kept = numbers(1)
        closed = numbers(1)
        await closed.aclose()
    assert made.flow_run.tasks == []
    del kept


async def test_the_context_never_leaks_to_the_consumer() -> None:
    """Between steps no task is current, whatever the generator awaits; children belong to the right task."""
    async with Flow[None]() as made:
        async for _ in numbers(2):
            assert current_task_or_none() is None
            await step(50)
    tasks = made.flow_run.tasks
    parents = [(t.input_args, t.parent_task_id) for t in tasks[1:]]
    assert parents == [([0], tasks[0].task_id), ([50], None), ([1], tasks[0].task_id), ([50], None)]


async def test_concurrent_generators_do_not_mix() -> None:
    """Many async generators advanced concurrently each see their own task alone."""

    @task
    async def mine(this_task: Task = INJECTED) -> AsyncIterator[bool]:
        for _ in range(5):
            await asyncio.sleep(0)
            yield current_task_or_none() is this_task

    async def consume() -> list[bool]:
        return [ok and current_task_or_none() is None async for ok in mine()]

    async with Flow[None]() as made:
        results = await asyncio.gather(*(consume() for _ in range(20)))
    assert results == [[True] * 5] * 20
    assert statuses(made, "mine") == [RunStatus.COMPLETED] * 20


async def test_closing_early_completes_the_task() -> None:
    """A generator that is closed before its end runs its `finally` inside the task, which is completed."""
    seen: list[object] = []

    @task
    async def endless() -> AsyncGenerator[int, None]:
        try:
            while True:
                yield 1
        finally:
            await asyncio.sleep(0)
            seen.append(current_task_or_none())

    async with Flow[None]() as made:
        stepping = endless()
        async with aclosing(stepping):
            async for _ in stepping:
                break
        assert statuses(made, "endless") == [RunStatus.COMPLETED]
    assert seen == [made.executed_tasks[0]]


async def test_it_can_be_closed_from_another_asyncio_task() -> None:
    """`aclose` awaited by another asyncio task ends the call, in the right task, and leaks into neither."""
    seen: list[object] = []

    @task
    async def endless() -> AsyncGenerator[int, None]:
        try:
            while True:
                yield 1
        finally:
            await asyncio.sleep(0)
            seen.append(current_task_or_none())

    async def close(stepping: AsyncGenerator[int, None]) -> object:
        await stepping.aclose()
        return current_task_or_none()

    async with Flow[None]() as made:
        stepping = endless()
        assert await anext(stepping) == 1
        assert await asyncio.create_task(close(stepping)) is None
        assert current_task_or_none() is None
    assert statuses(made, "endless") == [RunStatus.COMPLETED]
    assert seen == [made.executed_tasks[0]]


async def test_each_step_may_be_taken_by_another_asyncio_task() -> None:
    """Steps taken in different asyncio tasks all run in the generator's task."""
    async with Flow[None]() as made:
        stepping = numbers(3)

        async def advance() -> tuple[int, object]:
            return await anext(stepping), current_task_or_none()

        taken = [await asyncio.create_task(advance()) for _ in range(3)]
        assert taken == [(0, None), (1, None), (2, None)]
        assert [n async for n in stepping] == []
    tasks = made.flow_run.tasks
    assert [t.parent_task_id for t in tasks[1:]] == [tasks[0].task_id] * 3


async def test_values_can_be_sent_and_exceptions_thrown() -> None:
    """`asend` and `athrow` reach the generator; what it handles goes on."""
    caught: list[BaseException] = []

    @task
    async def echo() -> AsyncGenerator[object, object]:
        received: object = "start"
        while True:
            try:
                received = yield received
            except KeyError as error:
                caught.append(error)
                received = "handled"

    async with Flow[None]() as made:
        talking = echo()
        assert await anext(talking) == "start"
        assert [await talking.asend(value) for value in (1, 0, None)] == [1, 0, None]
        mild, fatal = KeyError("mild"), ValueError("fatal")
        assert await talking.athrow(mild) == "handled"
        with pytest.raises(ValueError) as raised:
            await talking.athrow(fatal)
    assert caught == [mild]
    assert raised.value is fatal
    assert statuses(made, "echo") == [RunStatus.FAILED]
    assert len(fatal.__notes__) == 1


async def test_its_own_exception_propagates_or_ends_the_iteration() -> None:
    """What it raises comes out as the very object; with `raise_on_error=False` the iteration just ends."""
    boom = ValueError("boom")

    async def broken() -> AsyncIterator[int]:
        yield 1
        raise boom

    strict, tolerant = task(broken), task(task_name="tolerant", raise_on_error=False)(broken)
    async with Flow[None]() as made:
        with pytest.raises(ValueError) as caught:
            assert [n async for n in strict()] == [1]
        iterator = tolerant()
        assert iterator is not None
        assert [n async for n in iterator] == [1]
    assert caught.value is boom
    assert len(boom.__notes__) == 1
    assert made.succeeded
    assert statuses(made, "broken") == statuses(made, "tolerant") == [RunStatus.FAILED]


async def test_a_cancellation_during_a_step_cancels_the_task() -> None:
    """Cancelling the consumer in the middle of a step ends the record as cancelled."""
    inside = asyncio.Event()

    @task
    async def waiting() -> AsyncIterator[int]:
        yield 1
        inside.set()
        await asyncio.Event().wait()

    @flow
    async def consume() -> None:
        async for _ in waiting():
            pass

    made = consume()
    running = asyncio.create_task(made.execute_async())
    await inside.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert statuses(made, "waiting") == [RunStatus.CANCELLED]
    assert made.status is RunStatus.CANCELLED


async def test_one_that_is_dropped_is_closed_by_the_loop() -> None:
    """A generator that goes out of reach while the flow runs is closed by the event loop, and completed."""
    closed = asyncio.Event()

    @task
    async def endless() -> AsyncGenerator[int, None]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    async with Flow[None]() as made:
        async for _ in endless():
            break
        await closed.wait()
        await asyncio.sleep(0)
        assert current_task_or_none() is None
    assert statuses(made, "endless") == [RunStatus.COMPLETED]


async def test_retries_and_timeouts_are_refused() -> None:
    """Both options are refused where an async generator is decorated."""

    async def plain() -> AsyncIterator[int]:
        yield 1

    decorator: Any = task
    options: list[dict[str, Any]] = [{"retries": 1}, {"timeout": 1.0}]
    for option in options:
        with pytest.raises(DefinitionError, match="generator"):
            decorator(**option)(plain)


async def test_it_needs_a_flow_when_it_is_advanced() -> None:
    """Outside flows the first step raises `NoActiveFlowError`; a generator made outside may run inside."""
    with pytest.raises(NoActiveFlowError, match="numbers"):
        await anext(numbers(1))
    made_outside = numbers(1)
    async with Flow[None]() as made:
        assert [n async for n in made_outside] == [0]
    assert statuses(made, "numbers") == [RunStatus.COMPLETED]


async def test_async_providers_last_as_long_as_the_generator() -> None:
    """Providers of any kind are opened at the first step and closed in reverse order at the end."""
    log: list[str] = []

    async def connection() -> AsyncIterator[str]:
        log.append("open connection")
        yield "connection"
        log.append("close connection")

    async def cursor(used: str = Inject(connection)) -> AsyncIterator[str]:
        log.append("open cursor")
        yield f"cursor of {used}"
        log.append("close cursor")

    @task
    async def rows(used: str = Inject(cursor)) -> AsyncIterator[str]:
        yield used

    async with Flow[None]():
        assert [row async for row in rows()] == ["cursor of connection"]
    assert log == ["open connection", "open cursor", "close cursor", "close connection"]
