"""`WorkerPool`: plain callables in threads and processes, by id."""

import asyncio
import contextvars
import os
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from flowscope import (
    DefinitionError,
    FlowEvent,
    SerializationError,
    TaskTimeoutError,
    WorkerDiedError,
    current_flow_or_none,
    flow,
    flow_events,
)
from flowscope.coordination import CoordinationError, FlowType, WorkerPool
from support.coordination import flows
from support.coordination.flows import Gate, Spy

THREAD, PROCESS, INLINE = FlowType.THREAD, FlowType.PROCESS, FlowType.INLINE

pytestmark = pytest.mark.timeout(120)


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    """A pool of two threads and two processes."""
    made = WorkerPool(max_threads=2, max_processes=2)
    yield made
    await made.shutdown(wait=False)


@pytest.mark.parametrize("flow_type", list(FlowType))
@pytest.mark.parametrize("func", [flows.triple, flows.triple_async])
async def test_a_function_is_called_with_the_data(pool: WorkerPool, flow_type: FlowType, func: Any) -> None:
    """`submit_task` returns the value of a sync or async function, wherever it runs, and forgets the id."""
    assert await pool.submit_task("a", flow_type, func, 14) == 42
    assert pool.active_tasks == set()
    assert await pool.submit_task("a", flow_type, func, 1) == 3


@pytest.mark.parametrize("flow_type", list(FlowType))
async def test_errors_reach_the_awaiter(pool: WorkerPool, flow_type: FlowType) -> None:
    """What the function raises is raised, and the id is forgotten."""
    with pytest.raises(LookupError, match="over there"):
        await pool.submit_task("a", flow_type, flows.raising, "over there")
    assert pool.active_tasks == set()


async def test_each_type_runs_in_its_place(pool: WorkerPool) -> None:
    """Inline calls run here, threads in this process, processes in others."""
    assert await pool.submit_task("a", INLINE, lambda _: threading.get_ident(), None) == threading.get_ident()
    assert await pool.submit_task("a", THREAD, lambda _: threading.get_ident(), None) != threading.get_ident()
    assert await pool.submit_task("a", THREAD, flows.pid, None) == os.getpid()
    assert await pool.submit_task("a", PROCESS, flows.pid, None) != os.getpid()
    wrong: Any = "sequential"
    with pytest.raises(CoordinationError, match="'sequential'"):
        await pool.submit_task("a", wrong, flows.pid, None)


async def test_an_active_id_is_taken(pool: WorkerPool) -> None:
    """A second call under an active id is refused, and the first goes on."""
    gate = Gate()
    first = asyncio.create_task(pool.submit_task("a", THREAD, gate.wait, "first"))
    await gate.until_reached()
    assert pool.active_tasks == {"a"}
    pool.active_tasks.clear()
    with pytest.raises(CoordinationError, match=r"'a' is running already\. Wait"):
        await pool.submit_task("a", THREAD, flows.triple, 1)
    assert pool.active_tasks == {"a"}
    gate.opened.set()
    assert await first == "first"


async def test_threads_are_bounded(pool: WorkerPool) -> None:
    """A third call waits for one of two threads."""
    gates = [Gate() for _ in range(3)]
    calls = [
        asyncio.create_task(pool.submit_task(str(n), THREAD, lambda gate: gate.wait(), gate))
        for n, gate in enumerate(gates)
    ]
    await gates[0].until_reached()
    await gates[1].until_reached()
    assert not gates[2].reached.is_set()
    gates[0].opened.set()
    await gates[2].until_reached()
    for gate in gates:
        gate.opened.set()
    await asyncio.gather(*calls)


async def test_a_cancelled_thread_is_left_behind(pool: WorkerPool) -> None:
    """The awaiter gets a cancellation at once, the id is free, and the thread holds no place."""
    gates = [Gate(), Gate()]
    calls = [
        asyncio.create_task(pool.submit_task(str(n), THREAD, lambda gate: gate.wait(), gate))
        for n, gate in enumerate(gates)
    ]
    for gate in gates:
        await gate.until_reached()
    for number in range(2):
        await pool.cancel_task(str(number))
    assert pool.active_tasks == set()
    for call in calls:
        with pytest.raises(asyncio.CancelledError):
            await call
    assert await pool.submit_task("0", THREAD, flows.triple, 1) == 3
    for gate in gates:
        gate.opened.set()


async def test_a_cancelled_process_is_stopped(pool: WorkerPool, tmp_path: Path) -> None:
    """The awaiter gets a cancellation, and the process is gone."""
    spy = Spy(tmp_path)
    call = asyncio.create_task(pool.submit_task("a", PROCESS, flows.hanging_in, spy.path))
    await spy.started()
    await pool.cancel_task("a")
    with pytest.raises(asyncio.CancelledError):
        await call
    await spy.ended()
    assert await pool.submit_task("a", PROCESS, flows.triple, 1) == 3


async def test_a_cancelled_awaiter_ends_the_call(pool: WorkerPool, tmp_path: Path) -> None:
    """Cancelling the one who awaits cancels the call."""
    spy = Spy(tmp_path)
    call = asyncio.create_task(pool.submit_task("a", PROCESS, flows.hanging_in, spy.path))
    await spy.started()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert pool.active_tasks == set()
    await spy.ended()


async def test_an_inline_call_is_cancelled(pool: WorkerPool) -> None:
    """An async function in this loop is cancelled where it awaits."""

    async def wait(data: None) -> None:
        await asyncio.Event().wait()

    call = asyncio.create_task(pool.submit_task("a", INLINE, wait, None))
    await asyncio.sleep(0)
    await pool.cancel_task("a")
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_a_timeout_ends_a_thread_call(pool: WorkerPool) -> None:
    """The awaiter gets a `TimeoutError` that names the task, and the place is free though the thread goes on."""
    gates = [Gate(), Gate()]
    for gate in gates:
        with pytest.raises(TaskTimeoutError, match=r"'a' did not end within 0\.02 s"):
            await pool.submit_task("a", THREAD, lambda gate: gate.wait(), gate, timeout=0.02)
        assert pool.active_tasks == set()
    assert await pool.submit_task("a", THREAD, flows.triple, 1, timeout=30) == 3
    for gate in gates:
        gate.opened.set()


async def test_a_timeout_kills_a_process(pool: WorkerPool, tmp_path: Path) -> None:
    """At the deadline the process is gone, and another one takes its place."""
    spy = Spy(tmp_path)
    started = asyncio.create_task(spy.started())
    with pytest.raises(TimeoutError, match="'a'"):
        await pool.submit_task("a", PROCESS, flows.hanging_in, spy.path, timeout=0.3)
    await started
    await spy.ended()
    assert await pool.submit_task("a", PROCESS, flows.triple, 1) == 3


@pytest.mark.parametrize("blocking", [False, True])
async def test_a_timeout_ends_an_inline_call(pool: WorkerPool, blocking: bool) -> None:
    """An async function is cancelled; a sync one runs in a thread, so that the deadline holds; others' are their own."""
    gate = Gate()

    async def wait(data: None) -> None:
        await asyncio.Event().wait()

    with pytest.raises(TaskTimeoutError):
        await pool.submit_task("a", INLINE, gate.wait if blocking else wait, None, timeout=0.02)
    gate.opened.set()

    async def raises(data: None) -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own") as caught:
        await pool.submit_task("a", INLINE, raises, None, timeout=30)
    assert type(caught.value) is TimeoutError


@pytest.mark.parametrize("flow_type", list(FlowType))
async def test_a_timeout_of_zero_means_now(pool: WorkerPool, flow_type: FlowType) -> None:
    """A call with no time is over before it begins."""
    calls: list[int] = []
    with pytest.raises(TimeoutError):
        await pool.submit_task("a", flow_type, calls.append, 1, timeout=0)
    assert calls == []
    assert pool.active_tasks == set()


async def test_a_process_that_dies_fails_its_call_alone(pool: WorkerPool) -> None:
    """The next calls run in other processes."""
    for _ in range(3):
        with pytest.raises(WorkerDiedError):
            await pool.submit_task("a", PROCESS, flows.dying_now, 5)
        assert await pool.submit_task("a", PROCESS, flows.triple, 2) == 6


async def test_what_cannot_travel_is_refused(pool: WorkerPool) -> None:
    """A closure, a lock as data and a lock as value raise a `SerializationError`, and the pool goes on."""
    with pytest.raises(SerializationError):
        await pool.submit_task("a", PROCESS, lambda _: 1, None)
    with pytest.raises(SerializationError):
        await pool.submit_task("a", PROCESS, flows.given, threading.Lock())
    with pytest.raises(SerializationError):
        await pool.submit_task("a", PROCESS, _make_lock, None)
    assert await pool.submit_task("a", PROCESS, flows.triple, 2) == 6


def _make_lock(data: None) -> object:
    return threading.Lock()


async def test_waiting_for_a_call(pool: WorkerPool) -> None:
    """Waiters get the value; too early a `TimeoutError`; and the call goes on."""
    gate = Gate()
    call = asyncio.create_task(pool.submit_task("a", THREAD, gate.wait, "value"))
    await gate.until_reached()
    for timeout in (0, 0.01):
        with pytest.raises(TimeoutError, match=f"'a' has not ended after {timeout} s"):
            await pool.wait_for_task("a", timeout)
    waiting = [asyncio.create_task(pool.wait_for_task("a", 30)) for _ in range(3)]
    given_up = asyncio.create_task(pool.wait_for_task("a"))
    await asyncio.sleep(0)
    given_up.cancel()
    gate.opened.set()
    assert await asyncio.gather(call, *waiting) == ["value"] * 4


async def test_waiting_for_a_call_that_fails_or_is_cancelled(pool: WorkerPool) -> None:
    """Waiters get the error, or the cancellation."""
    gate = Gate()

    def fail(data: None) -> None:
        gate.wait()
        raise LookupError("it failed")

    call = asyncio.create_task(pool.submit_task("a", THREAD, fail, None))
    await gate.until_reached()
    waiting = asyncio.create_task(pool.wait_for_task("a"))
    await asyncio.sleep(0)
    gate.opened.set()
    for one in (call, waiting):
        with pytest.raises(LookupError, match="it failed"):
            await one
    other = Gate()
    call = asyncio.create_task(pool.submit_task("a", THREAD, other.wait, None))
    await other.until_reached()
    waiting = asyncio.create_task(pool.wait_for_task("a"))
    await asyncio.sleep(0)
    await pool.cancel_task("a")
    for one in (call, waiting):
        with pytest.raises(asyncio.CancelledError):
            await one
    other.opened.set()


async def test_unknown_ids_are_no_calls(pool: WorkerPool) -> None:
    """What has ended, or never was, is nothing to wait for and nothing to cancel."""
    assert await pool.wait_for_task("nobody") is None
    await pool.cancel_task("nobody")
    assert await pool.submit_task("a", THREAD, flows.triple, 1) == 3
    assert await pool.wait_for_task("a", 0) is None
    await pool.cancel_task("a")


async def test_shutdown_waits_for_what_is_active(pool: WorkerPool) -> None:
    """`shutdown()` lets calls end, keeps the event loop free meanwhile, and then refuses new ones."""
    gate = Gate()
    call = asyncio.create_task(pool.submit_task("a", THREAD, gate.wait, "value"))
    await gate.until_reached()
    ending = asyncio.create_task(pool.shutdown())
    await asyncio.sleep(0)
    with pytest.raises(CoordinationError, match="shut down"):
        await pool.submit_task("b", THREAD, flows.triple, 1)
    assert not ending.done()
    gate.opened.set()
    await ending
    assert await call == "value"
    await pool.shutdown()


async def test_shutdown_without_waiting_cancels(pool: WorkerPool, tmp_path: Path) -> None:
    """`shutdown(wait=False)` cancels threads and processes at once; their awaiters get a cancellation."""
    gate = Gate()
    spy = Spy(tmp_path)
    calls = [
        asyncio.create_task(pool.submit_task("thread", THREAD, gate.wait, None)),
        asyncio.create_task(pool.submit_task("process", PROCESS, flows.hanging_in, spy.path)),
    ]
    await gate.until_reached()
    await spy.started()
    await pool.shutdown(wait=False)
    assert pool.active_tasks == set()
    for call in calls:
        with pytest.raises(asyncio.CancelledError):
            await call
    await spy.ended()
    gate.opened.set()


def test_a_pool_needs_no_event_loop_and_outlives_them() -> None:
    """It is made without a loop, after one has ended, and works in one after the other and in several at once."""
    asyncio.run(asyncio.sleep(0))
    pool = WorkerPool(2, 1)
    for number in range(3):
        assert asyncio.run(pool.submit_task("a", THREAD, flows.triple, number)) == number * 3
        assert asyncio.run(pool.submit_task("a", PROCESS, flows.triple, number)) == number * 3

    def run(number: int) -> object:
        return asyncio.run(pool.submit_task(str(number), THREAD, flows.triple, number))

    with ThreadPoolExecutor(6) as threads:
        calls = [threads.submit(run, number) for number in range(30)]
        assert [call.result(30) for call in calls] == [number * 3 for number in range(30)]
    asyncio.run(pool.shutdown())


def test_cancelling_and_waiting_from_another_loop() -> None:
    """A call that one thread's loop awaits is waited for and cancelled from another's."""
    pool = WorkerPool()
    gate = Gate()
    with ThreadPoolExecutor(2) as threads:
        call = threads.submit(lambda: asyncio.run(pool.submit_task("a", THREAD, gate.wait, None)))
        assert gate.reached.wait(30)
        with pytest.raises(TimeoutError):
            asyncio.run(pool.wait_for_task("a", 0.01))
        asyncio.run(pool.cancel_task("a"))
        with pytest.raises(asyncio.CancelledError):
            call.result(30)
    gate.opened.set()
    asyncio.run(pool.shutdown())


async def test_many_ids_race_for_one_name(pool: WorkerPool) -> None:
    """Of many submissions of one id at once, one at a time is active, and the others are refused."""

    async def submit() -> object:
        try:
            return await pool.submit_task("a", THREAD, flows.triple, 1)
        except CoordinationError:
            return None

    found = await asyncio.gather(*(submit() for _ in range(20)))
    assert sorted(map(str, found)) == ["3", *["None"] * 19]


async def test_calls_are_in_no_flow_and_see_the_context(pool: WorkerPool) -> None:
    """A call inside a flow is no task of it; the caller's context variables are seen in threads."""
    variable = contextvars.ContextVar("variable", default="default")

    def look(data: None) -> tuple[object, str]:
        return current_flow_or_none(), variable.get()

    @flow
    async def outer() -> Any:
        variable.set("caller")
        return await pool.submit_task("a", THREAD, look, None)

    run = await outer()
    assert run.return_value == (None, "caller")
    assert list(run.executed_tasks) == []


@pytest.mark.parametrize("flow_type", [THREAD, PROCESS])
async def test_calls_are_told_to_nobody(pool: WorkerPool, flow_type: FlowType) -> None:
    """A plain call is no task: listeners hear nothing, and its exception has no notes of tasks and flows."""
    heard: list[FlowEvent] = []
    with flow_events.subscribe(heard.append):
        assert await pool.submit_task("a", flow_type, flows.triple, 1) == 3
        with pytest.raises(LookupError) as caught:
            await pool.submit_task("a", flow_type, flows.raising, "over there")
    assert heard == []
    assert [note for note in getattr(caught.value, "__notes__", []) if "flow" in note] == []


async def test_stop_iteration_ends_the_call(pool: WorkerPool) -> None:
    """A function that raises what futures refuse does not leave its awaiter waiting."""

    def stop(data: None) -> None:
        raise StopIteration("no more")

    for flow_type in (THREAD, INLINE):
        with pytest.raises(RuntimeError, match="StopIteration"):
            await pool.submit_task("a", flow_type, stop, None)
    assert pool.active_tasks == set()


def test_a_pool_has_at_least_one_worker() -> None:
    """A pool that could run nothing is not made."""
    for options in ({"max_threads": 0}, {"max_processes": 0}):
        with pytest.raises(DefinitionError):
            WorkerPool(**options)
