"""A flow that is cancelled or interrupted cancels what it has submitted, and waits for it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from flowscope import (
    EventType,
    Flow,
    FlowConfig,
    FlowEvent,
    RunStatus,
    TaskFuture,
    submit,
    task,
    use_executor,
)
from support.executors.gate import Gate
from support.executors.structures import statuses
from support.executors.task_forms import FORMS, PLACES, Tasks
from support.executors.tasks import add, add_async
from support.executors.waiting_tasks import hold, hold_async


def test_a_cancelled_child_does_not_fail_the_flow(gate: Gate) -> None:
    """A child that somebody has cancelled, and nobody asked for, is no failure."""

    def body() -> str:
        future = submit(hold, gate.address)
        gate.wait_for()
        assert future.cancel()
        return "went on"

    made = Flow[str]().setup(body).execute()
    assert made.return_value == "went on"
    assert statuses(made) == [RunStatus.CANCELLED]


@PLACES
@FORMS
async def test_a_cancelled_flow_cancels_its_children(place: Any, tasks: Tasks, gate: Gate) -> None:
    """Cancelling the asyncio task that awaits a flow cancels what it has submitted."""

    async def body() -> None:
        future = submit(tasks.hold, gate.address)
        submit(tasks.hold, gate.address)
        await future

    made = Flow[None]().setup(body)
    with use_executor(place):
        running = asyncio.ensure_future(made.execute_async())
    await asyncio.to_thread(gate.wait_for, 1)
    running.cancel("enough")
    with pytest.raises(asyncio.CancelledError):
        await running
    assert running.cancelled()
    assert made.status is RunStatus.CANCELLED
    assert statuses(made) == [RunStatus.CANCELLED] * 2


@PLACES
@FORMS
async def test_a_flow_that_waits_for_its_children_is_cancelled(place: Any, tasks: Tasks, gate: Gate) -> None:
    """Cancelling a flow whose function has returned, and that only waits, cancels the children."""
    returned = asyncio.Event()

    async def body() -> str:
        submit(tasks.hold, gate.address)
        returned.set()
        return "returned"

    made = Flow[str]().setup(body)
    with use_executor(place):
        running = asyncio.ensure_future(made.execute_async())
    await returned.wait()
    await asyncio.to_thread(gate.wait_for)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert made.status is RunStatus.CANCELLED
    assert statuses(made) == [RunStatus.CANCELLED]
    assert made.flow_run.return_value is None


@PLACES
@FORMS
async def test_an_async_block_that_is_cancelled_cancels_its_children(place: Any, tasks: Tasks, gate: Gate) -> None:
    """The same for an `async with` block, inside it and at its end."""
    made = Flow[None]()

    async def block(reached: asyncio.Event, *, waits: bool) -> None:
        async with made:
            future = submit(tasks.hold, gate.address)
            reached.set()
            if waits:
                await future

    for waits in (True, False):
        made = Flow[None]()
        reached = asyncio.Event()
        with use_executor(place):
            running = asyncio.ensure_future(block(reached, waits=waits))
        await reached.wait()
        await asyncio.to_thread(gate.wait_for)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert made.status is RunStatus.CANCELLED
        assert statuses(made) == [RunStatus.CANCELLED]


def test_a_timeout_around_a_flow_cancels_its_children(gate: Gate) -> None:
    """`asyncio.timeout` around a flow that waits for children ends all of it, and raises `TimeoutError`."""
    made = Flow[None]()

    async def body() -> None:
        submit(hold_async, gate.address)
        submit(hold, gate.address)

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await made.setup(body)

    asyncio.run(main())
    assert made.status is RunStatus.CANCELLED
    assert statuses(made) == [RunStatus.CANCELLED] * 2


@PLACES
@FORMS
def test_an_interrupt_while_waiting_cancels_the_children(place: Any, tasks: Tasks, gate: Gate) -> None:
    """A `KeyboardInterrupt` in a sync flow cancels the children, ends the record and comes out."""

    def body() -> None:
        submit(tasks.hold, gate.address)
        gate.wait_for()
        raise KeyboardInterrupt

    made = Flow[None](flow_config=FlowConfig(raise_flow_error=False)).setup(body)
    with use_executor(place), pytest.raises(KeyboardInterrupt):
        made.execute()
    assert made.status is RunStatus.CANCELLED
    assert statuses(made) == [RunStatus.CANCELLED]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@FORMS
def test_an_interrupt_raised_by_a_child_comes_out(kind: type[BaseException], tasks: Tasks) -> None:
    """What a child raises beside exceptions comes out of its future, or unread out of its flow."""

    @task
    def stop() -> None:
        raise kind("stop")

    def reads() -> str:
        with pytest.raises(kind):
            submit(stop).result()
        return "went on"

    def leaves() -> None:
        submit(stop)

    assert Flow[str]().setup(reads).execute().return_value == "went on"
    made = Flow[None](flow_config=FlowConfig(raise_flow_error=False)).setup(leaves)
    with pytest.raises(kind):
        made.execute()
    assert made.status is RunStatus.CANCELLED
    assert statuses(made) == [RunStatus.CANCELLED]


def test_a_child_that_suppresses_its_cancellation_is_waited_for() -> None:
    """A flow that fails waits for children that take their time to end, and those that refuse to."""
    order: list[str] = []
    started = asyncio.Event()

    @task
    async def stubborn() -> str:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            for _ in range(20):
                await asyncio.sleep(0)
            order.append("child")
        return "went on"

    async def body() -> None:
        submit(stubborn)
        await started.wait()
        raise LookupError("own")

    made = Flow[None](flow_config=FlowConfig(raise_flow_error=False)).setup(body).execute()
    order.append("flow")
    assert order == ["child", "flow"]
    assert isinstance(made.flow_error, LookupError)
    assert [(task.status, task.return_value) for task in made.flow_run.tasks] == [(RunStatus.COMPLETED, "went on")]


def test_a_child_submitted_while_the_flow_is_cancelled_ends() -> None:
    """A child that submits another one on its way out leaves nothing open."""
    started = asyncio.Event()

    @task
    async def breeds() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            submit(add_async, 1)
            submit(add, 2)

    async def body() -> None:
        submit(breeds)
        await started.wait()
        raise LookupError("own")

    made = Flow[None](flow_config=FlowConfig(raise_flow_error=False)).setup(body).execute()
    assert isinstance(made.flow_error, LookupError)
    assert len(made.flow_run.tasks) == 3
    assert all(status in {RunStatus.CANCELLED, RunStatus.COMPLETED} for status in statuses(made))
    assert all(task.end_time is not None for task in made.flow_run.tasks)


def test_a_generator_flow_s_end(gate: Gate) -> None:
    """A coroutine flow that is closed in the middle cancels its children, though it cannot wait for them."""

    class Pause:
        def __await__(self) -> Any:
            yield

    async def body() -> None:
        submit(hold, gate.address)
        gate.wait_for()
        await Pause()

    made = Flow[None]().setup(body)
    coroutine = made.execute_async()
    coroutine.send(None)
    seen = [made.status]
    coroutine.close()
    assert [*seen, made.status, *statuses(made)] == [RunStatus.RUNNING, RunStatus.CANCELLED, RunStatus.CANCELLED]


def test_a_listener_that_interrupts_a_start() -> None:
    """A `KeyboardInterrupt` of a listener, in the thread of a task, ends that task and comes out of its future."""

    def interrupt(event: FlowEvent) -> None:
        raise KeyboardInterrupt

    for place in ("thread", "asyncio"):
        with Flow[None]() as made, use_executor(place):
            subscription = made.add_listener(interrupt, EventType.TASK_START)
            for submitted in (add, add_async):
                anything: Callable[..., Any] = submitted
                with pytest.raises(KeyboardInterrupt):
                    submit(anything, 1).result(20)
            subscription.close()
            assert submit(add, 1).result(20) == 11
        assert statuses(made) == [RunStatus.CANCELLED, RunStatus.CANCELLED, RunStatus.COMPLETED]


def test_a_listener_that_cancels() -> None:
    """A listener may cancel the very task whose start it hears of."""
    futures: list[TaskFuture[int]] = []

    def cancel(event: FlowEvent) -> None:
        for future in futures:
            future.cancel()

    for place in ("thread", "asyncio"):
        futures.clear()
        with Flow[None]() as made, use_executor(place):
            made.add_listener(cancel, EventType.TASK_START)
            for number in range(30):
                futures.clear()
                future = submit(add, number)
                futures.append(future)
                try:
                    assert future.result(20) == number + 10
                except asyncio.CancelledError:
                    assert future.status is RunStatus.CANCELLED
        assert set(statuses(made)) <= {RunStatus.CANCELLED, RunStatus.COMPLETED}
        assert made.status is RunStatus.COMPLETED
