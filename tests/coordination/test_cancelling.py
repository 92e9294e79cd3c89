"""Cancelling flows from outside, and the caller of an execution."""

import asyncio
import threading

import pytest

from flowscope import INJECTED, FlowRun, RunStatus, flow
from flowscope.coordination import DependencyType, FlowCoordinator, FlowType
from support.coordination.flows import Gate, Trace, double, forever, named, noop, outputs, register_all, tracing


def status_of(coordinator: FlowCoordinator, flow_id: str) -> str | None:
    """How a flow has settled."""
    record = coordinator.get_result(flow_id)
    return None if record is None else record.status.value


async def test_a_pending_flow_is_cancelled() -> None:
    """It never runs; what requires it is cancelled with the reason, what has it as an option goes on."""
    trace = Trace()
    coordinator = FlowCoordinator()
    register_all(coordinator, *tracing(trace, "a", "b", "c", "d"))
    coordinator.register_dependency("a", "b")
    coordinator.register_dependency("b", "c")
    coordinator.register_dependency("a", "d", DependencyType.OPTIONAL)
    await coordinator.cancel_flow("a", "not needed")
    records = await coordinator.execute_all()
    assert trace.happened == ["d"]
    assert [(record.status.value, record.error and record.error.message) for record in records.values()] == [
        ("cancelled", "not needed"),
        ("cancelled", "required dependency 'a' was cancelled"),
        ("cancelled", "required dependency 'b' was cancelled"),
        ("completed", None),
    ]


async def test_a_running_async_flow_is_cancelled() -> None:
    """It is cancelled where it awaits, cleans up, and has settled when `cancel_flow` returns."""
    started = asyncio.Event()
    trace = Trace()

    async def child() -> None:
        started.set()
        try:
            await forever()
        finally:
            await asyncio.sleep(0)
            trace.note("cleaned up")

    coordinator = FlowCoordinator()
    coordinator.register_flow(named("a", child))
    execution = asyncio.create_task(coordinator.execute_all())
    await started.wait()
    await coordinator.cancel_flow("a")
    assert trace.happened == ["cleaned up"]
    assert status_of(coordinator, "a") == "cancelled"
    record = (await execution)["a"]
    assert record.error is not None
    assert (record.error.type, record.error.message) == ("CancelledError", "cancelled")


async def test_a_flow_in_a_thread_is_left_behind() -> None:
    """The answer comes at once, with the open task recorded as abandoned; the thread's end changes nothing."""
    gate = Gate()
    ended = threading.Event()

    @flow
    def child() -> None:
        double(1)
        gate.wait()
        ended.set()

    coordinator = FlowCoordinator()
    child_id = coordinator.register_flow(child(), flow_type=FlowType.THREAD)
    execution = asyncio.create_task(coordinator.execute_all())
    await gate.until_reached()
    await coordinator.cancel_flow(child_id, "late")
    record = (await execution)[child_id]
    assert record.status is RunStatus.CANCELLED
    assert record.end_time is not None
    gate.opened.set()
    await asyncio.to_thread(ended.wait, 30)
    assert coordinator.get_result(child_id) is record


async def test_an_async_flow_in_a_thread_is_cancelled_there() -> None:
    """The answer comes at once, and the flow's own loop hears of it too."""
    started, ended = threading.Event(), threading.Event()

    async def child() -> None:
        started.set()
        try:
            await forever()
        finally:
            ended.set()

    coordinator = FlowCoordinator()
    coordinator.register_flow(named("a", child), flow_type=FlowType.THREAD)
    execution = asyncio.create_task(coordinator.execute_all())
    await asyncio.to_thread(started.wait, 30)
    await coordinator.cancel_flow("a")
    assert (await execution)["a"].status is RunStatus.CANCELLED
    assert await asyncio.to_thread(ended.wait, 30)


async def test_a_blocking_inline_flow_is_left_behind() -> None:
    """A sync flow that blocks the loop of its caller is cancelled from another thread at once."""
    gate = Gate()
    coordinator = FlowCoordinator()
    register_all(coordinator, named("a", gate.wait), named("b", outputs))
    coordinator.register_dependency("a", "b", DependencyType.OPTIONAL)
    execution = asyncio.create_task(asyncio.to_thread(asyncio.run, coordinator.execute_all()))
    await gate.until_reached()
    await coordinator.cancel_flow("a", "from elsewhere")
    first = coordinator.get_result("a")
    assert first is not None
    assert first.status is RunStatus.CANCELLED
    gate.opened.set()
    records = await execution
    assert records["a"] is first
    assert records["b"].return_value == {}


async def test_a_flow_cancelled_before_its_first_step_settles() -> None:
    """A flow that was started and cancelled before it could do anything is cancelled, and nobody waits for it."""
    trace = Trace()
    coordinator = FlowCoordinator()

    async def child() -> None:
        trace.note("ran")

    register_all(coordinator, named("a", child))
    execution = asyncio.create_task(coordinator.execute_all())
    await asyncio.sleep(0)
    await coordinator.cancel_flow("a", "at once")
    assert (await execution)["a"].status is RunStatus.CANCELLED
    assert trace.happened == []


async def test_cancelling_the_caller_cancels_what_runs() -> None:
    """What runs is cancelled and has ended when the caller's cancellation arrives; what waits stays pending."""
    started = asyncio.Event()
    trace = Trace()

    async def child() -> None:
        started.set()
        try:
            await forever()
        finally:
            await asyncio.sleep(0)
            trace.note("ended")

    coordinator = FlowCoordinator(max_concurrency=1)
    register_all(coordinator, named("a", child), named("b", noop), *tracing(trace, "c"))
    coordinator.register_dependency("a", "b")
    execution = asyncio.create_task(coordinator.execute_all())
    await started.wait()
    execution.cancel()
    with pytest.raises(asyncio.CancelledError):
        await execution
    assert trace.happened == ["ended"]
    assert (status_of(coordinator, "a"), status_of(coordinator, "b")) == ("cancelled", "cancelled")
    assert status_of(coordinator, "c") is None
    await coordinator.execute_all()
    assert trace.happened == ["ended", "c"]


async def test_an_impatient_caller_still_leaves_nothing_running() -> None:
    """A caller that is cancelled twice still ends after what it had started."""
    started, may_end = asyncio.Event(), asyncio.Event()
    trace = Trace()

    async def child() -> None:
        started.set()
        try:
            await forever()
        finally:
            await may_end.wait()
            trace.note("ended")

    coordinator = FlowCoordinator()
    coordinator.register_flow(named("a", child))
    execution = asyncio.create_task(coordinator.execute_all())
    await started.wait()
    execution.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    execution.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not execution.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await execution
    assert trace.happened == ["ended"]


async def test_a_timeout_around_an_execution() -> None:
    """`asyncio.timeout` around an execution cancels it like any caller."""
    coordinator = FlowCoordinator()
    register_all(coordinator, named("a", forever))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await coordinator.execute_all()
    assert status_of(coordinator, "a") == "cancelled"


async def test_threads_of_a_cancelled_caller_are_left_behind() -> None:
    """The caller does not wait for threads."""
    gate = Gate()
    coordinator = FlowCoordinator()
    coordinator.register_flow(named("a", gate.wait), flow_type=FlowType.THREAD)
    execution = asyncio.create_task(coordinator.execute_all())
    await gate.until_reached()
    execution.cancel()
    with pytest.raises(asyncio.CancelledError):
        await execution
    assert status_of(coordinator, "a") == "cancelled"
    gate.opened.set()


async def test_what_another_caller_wants_goes_on() -> None:
    """A flow that two executions wait for runs on when one of them is cancelled."""
    started, ending = asyncio.Event(), asyncio.Event()

    async def shared() -> str:
        started.set()
        await ending.wait()
        return "shared"

    coordinator = FlowCoordinator()
    register_all(coordinator, named("shared", shared), named("a", outputs), named("b", outputs))
    coordinator.register_dependency("shared", "a")
    coordinator.register_dependency("shared", "b")
    first = asyncio.create_task(coordinator.execute_flow("a"))
    await started.wait()
    second = asyncio.create_task(coordinator.execute_flow("b"))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    ending.set()
    assert (await second).return_value == {"shared": "shared"}
    assert status_of(coordinator, "a") is None
    assert (await coordinator.execute_flow("a")).return_value == {"shared": "shared"}


async def test_two_cancelled_callers_cancel_what_they_shared() -> None:
    """When the last one who wants a flow is cancelled, the flow is."""
    coordinator = FlowCoordinator()
    register_all(coordinator, named("shared", forever), named("a", noop), named("b", noop))
    coordinator.register_dependency("shared", "a")
    coordinator.register_dependency("shared", "b")
    callers = [asyncio.create_task(coordinator.execute_flow(name)) for name in "ab"]
    await asyncio.sleep(0)
    for caller in callers:
        caller.cancel()
    assert [type(one) for one in await asyncio.gather(*callers, return_exceptions=True)] == [asyncio.CancelledError] * 2
    assert status_of(coordinator, "shared") == "cancelled"


async def test_a_cancelled_waiter_cancels_nothing() -> None:
    """Waiting is not wanting: a cancelled `wait_for_flows` leaves the flow and the other waiters alone."""
    ending = asyncio.Event()
    coordinator = FlowCoordinator()
    coordinator.register_flow(named("a", ending.wait))
    execution = asyncio.create_task(coordinator.execute_all())
    waiting = [asyncio.create_task(coordinator.wait_for_flows({"a"})) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    ending.set()
    assert (await execution)["a"].status is RunStatus.COMPLETED
    assert [list(await one) for one in waiting[1:]] == [["a"], ["a"]]


async def test_a_flow_cancels_itself_and_others() -> None:
    """A running flow may cancel another one, and itself."""
    coordinator = FlowCoordinator()
    trace = Trace()

    async def child(upstream: object = INJECTED) -> None:
        await coordinator.cancel_flow("other")
        trace.note("other cancelled")
        await coordinator.cancel_flow("a", "enough")
        trace.note("went on")

    register_all(coordinator, named("other", forever), named("a", child))
    records = await coordinator.execute_all()
    assert [record.status.value for record in records.values()] == ["cancelled", "cancelled"]
    assert trace.happened == ["other cancelled"]


async def test_a_flow_whose_inner_task_is_cancelled_is_cancelled() -> None:
    """A `CancelledError` that comes from inside the flow cancels the flow, not the caller."""

    async def child() -> None:
        inner = asyncio.create_task(forever())
        await asyncio.sleep(0)
        inner.cancel()
        await inner

    coordinator = FlowCoordinator()
    register_all(coordinator, named("a", child), named("b", noop))
    records = await coordinator.execute_all()
    assert [record.status.value for record in records.values()] == ["cancelled", "completed"]


async def test_open_tasks_of_a_thread_are_abandoned() -> None:
    """The record of a flow that was left behind has an end for every task."""
    gate = Gate()

    @flow
    def child() -> None:
        blocking()

    from flowscope import task

    @task
    def blocking() -> None:
        gate.wait()

    coordinator = FlowCoordinator()
    child_id = coordinator.register_flow(child(), flow_type=FlowType.THREAD)
    execution = asyncio.create_task(coordinator.execute_all())
    await gate.until_reached()
    await coordinator.cancel_flow(child_id)
    record = (await execution)[child_id]
    assert [(one.status, one.end_time) for one in record.tasks] == [(RunStatus.ABANDONED, record.end_time)]
    gate.opened.set()


def test_a_loop_that_ends_cancels_what_it_ran() -> None:
    """What still runs when its event loop is shut down is cancelled, and others who wait for it hear that."""
    coordinator = FlowCoordinator()
    coordinator.register_flow(named("a", forever))
    kept: list[object] = []

    async def leave_running() -> None:
        kept.append(asyncio.create_task(coordinator.execute_all()))
        await asyncio.sleep(0)

    asyncio.run(leave_running())
    assert status_of(coordinator, "a") == "cancelled"
    assert asyncio.run(coordinator.wait_for_flows({"a"}))["a"].status is RunStatus.CANCELLED


def test_a_flow_of_a_loop_that_stands_still() -> None:
    """A flow whose loop is not running is cancelled from another one at once, and hears of it when its loop goes on."""
    coordinator = FlowCoordinator()
    trace = Trace()

    async def child() -> None:
        try:
            await forever()
        finally:
            trace.note("ended")

    coordinator.register_flow(named("a", child))
    with asyncio.Runner() as runner:
        execution = runner.get_loop().create_task(coordinator.execute_all())
        runner.run(asyncio.sleep(0))
        runner.run(asyncio.sleep(0))
        asyncio.run(coordinator.cancel_flow("a", "from elsewhere"))
        assert (status_of(coordinator, "a"), trace.happened) == ("cancelled", [])
        assert runner.run(_ended(execution))["a"].status is RunStatus.CANCELLED
        assert trace.happened == ["ended"]


def _ignore(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """Say nothing."""


async def _ended(execution: asyncio.Task[dict[str, FlowRun]]) -> dict[str, FlowRun]:
    return await execution


def test_a_flow_of_a_loop_that_was_closed_under_it() -> None:
    """Where a loop is closed without ending its tasks, its flows can be cancelled from another one."""
    coordinator = FlowCoordinator()
    coordinator.register_flow(named("a", forever))
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(_ignore)  # it complains about the tasks that are left
    execution = loop.create_task(coordinator.execute_all())
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    asyncio.run(coordinator.cancel_flow("a", "its loop is closed"))
    assert status_of(coordinator, "a") == "cancelled"
    assert not execution.done()
