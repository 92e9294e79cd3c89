"""`sys.exit` in one flow or call is the outcome of that one: nobody else's loop, flow or call ends by it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from flowscope import Flow, FlowRun, RunStatus
from flowscope.coordination import CoordinationError, FlowCoordinator, FlowType, WorkerPool
from support.coordination import flows
from support.coordination.flows import Gate, named, noop

TYPES = pytest.mark.parametrize("flow_type", list(FlowType))

pytestmark = pytest.mark.timeout(120)


def executed(flow_type: FlowType, make: Callable[[], Flow[Any]], **options: Any) -> list[FlowRun]:
    """The records of such a flow, one that requires it, and one that goes on beside it, in a loop of their own."""

    async def main() -> list[FlowRun]:
        async with FlowCoordinator(max_processes=1) as coordinator:
            left = coordinator.register_flow(make(), flow_type=flow_type, **options)
            child = coordinator.register_flow(named("child", noop))
            beside = coordinator.register_flow(flows.adding(1, 2), flow_type=flow_type)
            coordinator.register_dependency(left, child)
            records = await coordinator.execute_all()
            return [records[left], records[child], records[beside]]

    return asyncio.run(main())


@TYPES
@pytest.mark.parametrize("make", [flows.leaving, flows.leaving_async])
@pytest.mark.parametrize("timeout", [None, 60.0])
def test_a_flow_that_exits_is_cancelled(
    flow_type: FlowType, make: Callable[[], Flow[Any]], timeout: float | None
) -> None:
    """Its record has the `SystemExit`; its dependents are cancelled, other flows and the event loop go on."""
    left, child, beside = executed(flow_type, make, timeout=timeout)
    assert left.error is not None
    assert (left.status, left.error.type, left.error.message) == (RunStatus.CANCELLED, "SystemExit", "4")
    assert (child.status, beside.status, beside.return_value) == (RunStatus.CANCELLED, RunStatus.COMPLETED, 3)


@TYPES
def test_a_flow_that_exits_is_not_tried_again(flow_type: FlowType) -> None:
    """Retries are for failures: an exit is none."""
    left, _, _ = executed(flow_type, flows.leaving, retries=2)
    assert left.status is RunStatus.CANCELLED


def test_an_argument_that_exits_where_it_is_read_is_that_flows() -> None:
    """An exit while a worker process makes the flow again cancels that flow alone."""
    left, _, beside = executed(FlowType.PROCESS, lambda: flows.given(flows.Leaves()))
    assert left.error is not None
    assert (left.status, left.error.type) == (RunStatus.CANCELLED, "SystemExit")
    assert beside.status is RunStatus.COMPLETED


@TYPES
@pytest.mark.parametrize("function", [flows.leave, flows.leave_async])
@pytest.mark.parametrize("timeout", [None, 60.0])
def test_a_call_that_exits_is_its_awaiters(
    flow_type: FlowType, function: Callable[[int], Any], timeout: float | None
) -> None:
    """The awaiter of `submit_task` gets the `SystemExit`, with its code; the loop and other calls go on."""

    async def main() -> tuple[object, object]:
        pool = WorkerPool(max_processes=1)
        try:
            with pytest.raises(SystemExit) as caught:
                await pool.submit_task("leaves", flow_type, function, 5, timeout)
            return caught.value.code, await pool.submit_task("goes on", flow_type, flows.triple, 14)
        finally:
            await pool.shutdown()

    assert asyncio.run(main()) == (5, 42)


def test_an_exit_reaches_all_who_wait_for_the_call() -> None:
    """Those in `wait_for_task` get it as well."""

    async def main() -> list[object]:
        pool, gate = WorkerPool(), Gate()

        def leave(_: object) -> None:
            gate.wait(None)
            raise SystemExit(5)

        async def code_of(call: Any) -> object:
            try:
                await call
            except SystemExit as error:
                return error.code
            return None

        waits = [asyncio.create_task(code_of(pool.submit_task("a", FlowType.THREAD, leave, None)))]
        await gate.until_reached()
        waits.append(asyncio.create_task(code_of(pool.wait_for_task("a"))))
        await asyncio.sleep(0)
        gate.opened.set()
        codes = await asyncio.gather(*waits)
        await pool.shutdown()
        return codes

    assert asyncio.run(main()) == [5, 5]


async def test_a_call_that_is_cancelled_before_it_begins_leaves_no_trace() -> None:
    """Cancelling at once ends the call, without a warning about what was never awaited."""
    pool = WorkerPool()
    call = asyncio.create_task(pool.submit_task("a", FlowType.INLINE, flows.triple, 1))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await pool.shutdown()


@TYPES
@pytest.mark.parametrize("function", [flows.leave, flows.leave_async])
def test_a_gathered_call_that_exits_is_an_error_of_its_own(flow_type: FlowType, function: Callable[[int], Any]) -> None:
    """Where the call is itself an asyncio task, its error has the exit as its cause; the loop and other calls go on."""

    async def main() -> list[object]:
        pool = WorkerPool(max_processes=1)
        try:
            calls = (
                pool.submit_task("leaves", flow_type, function, 5),
                pool.submit_task("b", flow_type, flows.triple, 14),
            )
            return [*await asyncio.gather(*calls, return_exceptions=True)]
        finally:
            await pool.shutdown()

    error, value = asyncio.run(main())
    assert isinstance(error, CoordinationError)
    assert isinstance(error.__cause__, SystemExit)
    assert (error.what, error.__cause__.code, value) == ("task 'leaves'", 5, 42)


def test_an_exit_in_a_task_group_is_raised_by_the_group() -> None:
    """Both a call and a wait for it, each an asyncio task of a group, fail that group and not the event loop."""

    async def main() -> list[BaseException | None]:
        pool, gate = WorkerPool(), Gate()

        def leave(_: object) -> None:
            gate.wait(None)
            raise SystemExit(5)

        tasks: list[asyncio.Task[Any]] = []
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                tasks.append(group.create_task(pool.submit_task("a", FlowType.THREAD, leave, None)))
                await gate.until_reached()
                tasks.append(group.create_task(pool.wait_for_task("a")))
                await asyncio.sleep(0)
                gate.opened.set()
        assert {each.exception() for each in tasks} == set(caught.value.exceptions)
        await pool.shutdown()
        return [error.__cause__ for error in caught.value.exceptions]

    assert [type(cause) for cause in asyncio.run(main())] == [SystemExit, SystemExit]
