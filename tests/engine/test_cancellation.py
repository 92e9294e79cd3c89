"""Interrupts, exits and cancellations pass through, and the records end first."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from flowscope import (
    EventType,
    Flow,
    FlowConfig,
    FlowEvent,
    Inject,
    RunStatus,
    current_flow_or_none,
    flow,
    task,
)


@task
async def forever(started: asyncio.Event) -> None:
    started.set()
    await asyncio.Event().wait()


INTERRUPTS: list[BaseException] = [
    KeyboardInterrupt("k"),
    SystemExit(3),
    asyncio.CancelledError("c"),
    GeneratorExit("g"),
]


@pytest.mark.parametrize("error", INTERRUPTS, ids=repr)
@pytest.mark.parametrize("config", [FlowConfig(), FlowConfig(raise_flow_error=False)], ids=["raising", "quiet"])
def test_interrupts_pass_through_a_sync_flow(error: BaseException, config: FlowConfig) -> None:
    """An interrupt is never kept back, by no config and no tolerance, and both records are cancelled, with it."""

    @task(raise_on_error=False, retries=2)
    def stops() -> None:
        raise error

    @flow(flow_config=config)
    def run() -> None:
        stops()

    events: list[FlowEvent] = []
    made = run()
    made.add_listener(events.append, EventType.TASK_STOP, EventType.FLOW_STOP)
    with pytest.raises(type(error)) as caught:
        made.execute()
    assert caught.value is error
    assert made.flow_error is error
    assert made.status is RunStatus.CANCELLED
    assert not made.succeeded
    record = made.flow_run
    assert record.end_time is not None
    assert record.error is not None
    assert record.error.type == type(error).__name__
    assert [(t.status, t.attempts) for t in record.tasks] == [(RunStatus.CANCELLED, 1)]
    assert record.tasks[0].error is not None
    assert [e.event_data.data["status"] for e in events] == [RunStatus.CANCELLED] * 2
    assert current_flow_or_none() is None
    with pytest.raises(type(error)):
        _ = made.return_value
    error.__traceback__ = None


@pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError("c")], ids=repr)
async def test_interrupts_pass_through_an_async_flow(error: BaseException) -> None:
    """What an async flow raises on its own, be it an exit or a cancellation, passes through its `await`."""

    async def stops() -> None:
        raise error

    made = Flow[None](flow_config=FlowConfig(raise_flow_error=False)).setup(stops)
    with pytest.raises(type(error)) as caught:
        await made
    assert caught.value is error
    assert made.status is RunStatus.CANCELLED


def test_interrupts_pass_through_the_loop_of_execute() -> None:
    """A `KeyboardInterrupt` in an async flow comes out of `execute`, and the records are cancelled."""

    @task
    async def stops() -> None:
        raise KeyboardInterrupt

    made = Flow[None]().setup(stops)
    with pytest.raises(KeyboardInterrupt):
        made.execute()
    assert made.status is RunStatus.CANCELLED
    assert [t.status for t in made.flow_run.tasks] == [RunStatus.CANCELLED]


async def test_cancelling_the_awaiting_task_cancels_flow_and_tasks() -> None:
    """When the asyncio task that awaits a flow is cancelled, the flow and its open tasks end as cancelled."""
    started = asyncio.Event()

    @task
    async def outer() -> None:
        await forever(started)

    made = Flow[None]().setup(outer)
    awaiting = asyncio.create_task(made.execute_async())
    await started.wait()
    awaiting.cancel("enough")
    with pytest.raises(asyncio.CancelledError):
        await awaiting
    assert made.status is RunStatus.CANCELLED
    assert [t.status for t in made.flow_run.tasks] == [RunStatus.CANCELLED] * 2
    assert all(t.end_time is not None for t in made.flow_run.tasks)
    assert current_flow_or_none() is None


async def test_a_cancelled_task_does_not_cancel_its_flow() -> None:
    """A task whose asyncio task is cancelled is recorded as cancelled; a flow that copes is completed."""
    started = asyncio.Event()

    @flow
    async def run() -> str:
        running = asyncio.create_task(forever(started))
        await started.wait()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        return "went on"

    made = await run()
    assert made.return_value == "went on"
    assert [t.status for t in made.flow_run.tasks] == [RunStatus.CANCELLED]
    assert "task 'forever' cancelled: CancelledError" in [entry.message for entry in made.captured_logs()]


async def test_a_failing_sibling_cancels_the_others_of_a_group() -> None:
    """In a task group the failing task is failed, its siblings are cancelled, and the flow is failed."""
    started = asyncio.Event()

    @task
    async def fails() -> None:
        await started.wait()
        raise ValueError("boom")

    @flow(flow_config=FlowConfig(raise_flow_error=False))
    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(forever(started))
            group.create_task(fails())

    made = await run()
    assert made.status is RunStatus.FAILED
    assert {t.task_name: t.status for t in made.flow_run.tasks} == {
        "forever": RunStatus.CANCELLED,
        "fails": RunStatus.FAILED,
    }


async def test_a_task_that_swallows_its_cancellation_is_completed() -> None:
    """A task that handles its cancellation and returns is completed, with its value."""
    started = asyncio.Event()

    @task
    async def stubborn() -> str:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "cleaned up"
        return "not reached"

    async with Flow[None]() as made:
        running = asyncio.create_task(stubborn())
        await started.wait()
        running.cancel()
        assert await running == "cleaned up"
    assert [t.status for t in made.flow_run.tasks] == [RunStatus.COMPLETED]


async def test_a_cancelled_task_with_a_timeout_is_cancelled_not_timed_out() -> None:
    """A cancellation from outside, before the deadline, is a cancellation."""
    started = asyncio.Event()

    @task(timeout=30, retries=3, raise_on_error=False)
    async def slow() -> None:
        started.set()
        await asyncio.Event().wait()

    async with Flow[None]() as made:
        running = asyncio.create_task(slow())
        await started.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert [(t.status, t.attempts) for t in made.flow_run.tasks] == [(RunStatus.CANCELLED, 1)]


async def test_a_timeout_around_a_flow_works() -> None:
    """`asyncio.timeout` around `await flow` cancels it and raises `TimeoutError`, as around any awaitable."""
    made = Flow[None]().setup(forever, asyncio.Event())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await made
    assert made.status is RunStatus.CANCELLED
    again = asyncio.current_task()
    assert again is not None
    assert again.cancelling() == 0


async def test_providers_are_closed_by_a_cancellation() -> None:
    """A cancelled call's providers are closed, with the cancellation raised at their `yield`."""
    log: list[str] = []
    started = asyncio.Event()

    async def connection() -> AsyncIterator[str]:
        try:
            yield "connection"
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        finally:
            await asyncio.sleep(0)
            log.append("closed")

    @task
    async def using(used: str = Inject(connection)) -> None:
        await forever(started)

    made = Flow[None]().setup(using)
    awaiting = asyncio.create_task(made.execute_async())
    await started.wait()
    awaiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await awaiting
    assert log == ["cancelled", "closed"]


async def test_cancellation_reaches_nested_flows() -> None:
    """Cancelling the outer flow cancels the nested one that it awaits; each record says so."""
    started = asyncio.Event()
    inner = Flow[None](flow_name="inner").setup(forever, started)

    async def outer() -> None:
        await inner

    made = Flow[None]().setup(outer)
    awaiting = asyncio.create_task(made.execute_async())
    await started.wait()
    awaiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await awaiting
    assert inner.status is made.status is RunStatus.CANCELLED
    assert inner.flow_run.parent_flow_id == made.flow_id


async def test_hundreds_of_tasks_cancelled_at_once_all_end() -> None:
    """Every task that had started has an end record when its flow is cancelled in the middle."""
    started = [asyncio.Event() for _ in range(300)]

    @flow
    async def run() -> None:
        await asyncio.gather(*(forever(event) for event in started))

    made = run()
    awaiting = asyncio.create_task(made.execute_async())
    for event in started:
        await event.wait()
    awaiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await awaiting
    tasks = made.flow_run.tasks
    assert len(tasks) == 300
    assert all(t.end_time is not None for t in tasks)
    assert {t.status for t in tasks} == {RunStatus.CANCELLED}


def test_a_closed_coroutine_of_a_flow_ends_its_record() -> None:
    """A flow whose awaiting is given up in the middle, by closing the coroutine, ends as cancelled."""

    class Pause:
        def __await__(self) -> Any:
            yield

    async def waits() -> None:
        await Pause()

    made = Flow[None]().setup(waits)
    coroutine = made.execute_async()
    coroutine.send(None)
    statuses = [made.status]
    coroutine.close()
    statuses.append(made.status)
    assert statuses == [RunStatus.RUNNING, RunStatus.CANCELLED]
    assert current_flow_or_none() is None
