"""Timeouts and retries of flows."""

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from flowscope import INJECTED, EventType, Flow, FlowEvent, RunStatus, flow, flow_events, task
from flowscope.coordination import DependencyType, FlowCoordinator, FlowType
from support.coordination.flows import Gate, Trace, forever, named, noop, outputs, register_all, returning


class Counter:
    """Flow functions that count their calls."""

    def __init__(self, failures: int) -> None:
        self.calls = 0
        self._failures = failures

    def sync(self, upstream: Mapping[str, Any] = INJECTED) -> int:
        """Fail the first times."""
        self.calls += 1
        if self.calls <= self._failures:
            raise ValueError(f"call {self.calls}")
        return self.calls + len(upstream)

    async def asynchronous(self, upstream: Mapping[str, Any] = INJECTED) -> int:
        """Fail the first times."""
        await asyncio.sleep(0)
        return self.sync(upstream)


async def test_an_async_flow_is_cancelled_at_its_deadline() -> None:
    """It settles as `timed_out`, with a reason, after its clean-up, and what requires it fails."""
    trace = Trace()

    async def slow() -> None:
        try:
            await forever()
        finally:
            trace.note("cleaned up")

    coordinator = FlowCoordinator()
    coordinator.register_flow(named("slow", slow), timeout=0.02)
    register_all(coordinator, named("child", noop), named("tolerant", outputs))
    coordinator.register_dependency("slow", "child")
    coordinator.register_dependency("slow", "tolerant", DependencyType.OPTIONAL)
    records = await coordinator.execute_all()
    record = records["slow"]
    assert record.status is RunStatus.TIMED_OUT
    assert record.error is not None
    assert (record.error.type, record.error.message) == ("TimeoutError", "flow 'slow' did not end within 0.02 s")
    assert record.duration >= 0.019
    assert trace.happened == ["cleaned up"]
    assert records["child"].error is not None
    assert records["child"].error.message == "required dependency 'slow' failed"
    assert records["tolerant"].return_value == {}
    assert coordinator.summary().timed_out == 1


@pytest.mark.parametrize("flow_type", [FlowType.INLINE, FlowType.THREAD])
async def test_a_sync_flow_is_left_behind_at_its_deadline(flow_type: FlowType) -> None:
    """The answer comes at the deadline, inline too, and the late end changes nothing; open tasks are abandoned."""
    gate = Gate()
    ended = threading.Event()

    @task
    def blocking() -> None:
        gate.wait()

    @flow
    def slow() -> str:
        blocking()
        ended.set()
        return "late"

    coordinator = FlowCoordinator()
    slow_id = coordinator.register_flow(slow(), flow_type=flow_type, timeout=0.05)
    record = await coordinator.execute_flow(slow_id)
    assert gate.reached.is_set()
    assert not ended.is_set()
    assert (record.status, record.return_value) == (RunStatus.TIMED_OUT, None)
    assert [one.status for one in record.tasks] == [RunStatus.ABANDONED]
    gate.opened.set()
    assert await asyncio.to_thread(ended.wait, 30)
    assert coordinator.get_result(slow_id) is record


@pytest.mark.parametrize("flow_type", list(FlowType))
async def test_a_timeout_of_zero_means_now(flow_type: FlowType) -> None:
    """A flow with no time does not run."""
    trace = Trace()
    coordinator = FlowCoordinator()
    coordinator.register_flow(named("a", trace.note, "ran"), flow_type=flow_type, timeout=0, retries=2)
    record = (await coordinator.execute_all())["a"]
    assert (record.status, record.start_time) == (RunStatus.TIMED_OUT, None)
    assert trace.happened == []


@pytest.mark.parametrize("timeout", [30, float("inf"), None])
@pytest.mark.parametrize("flow_type", [FlowType.INLINE, FlowType.THREAD])
async def test_a_flow_in_time_is_not_touched(flow_type: FlowType, timeout: float | None) -> None:
    """A flow that ends before its deadline completes, and its own `TimeoutError` is a failure."""

    def raises() -> None:
        raise TimeoutError("its own")

    async def raises_async() -> None:
        raise TimeoutError("its own")

    coordinator = FlowCoordinator()
    register_all(
        coordinator,
        named("a", noop),
        named("b", raises),
        named("c", raises_async),
        flow_type=flow_type,
        timeout=timeout,
    )
    records = await coordinator.execute_all()
    assert [record.status.value for record in records.values()] == ["completed", "failed", "failed"]
    assert records["c"].error is not None
    assert records["c"].error.message == "its own"


async def test_waiting_for_a_place_is_not_counted() -> None:
    """The time counts from the flow's own start, not while it waits for others."""
    coordinator = FlowCoordinator(max_concurrency=1)
    ending = asyncio.Event()
    register_all(coordinator, named("first", ending.wait))
    coordinator.register_flow(named("second", noop), timeout=0.05)
    asyncio.get_running_loop().call_later(0.2, ending.set)
    records = await coordinator.execute_all()
    assert [record.status.value for record in records.values()] == ["completed", "completed"]


@pytest.mark.parametrize("flow_type", [FlowType.INLINE, FlowType.THREAD])
@pytest.mark.parametrize("form", ["sync", "asynchronous"])
async def test_a_failing_flow_is_executed_again(flow_type: FlowType, form: str) -> None:
    """Each attempt is a run of its own with the same inputs; the result is the last one's, under the registered id."""
    counter = Counter(failures=2)
    stops: list[FlowEvent] = []
    coordinator = FlowCoordinator()
    register_all(coordinator, named("one", noop))
    coordinator.register_flow(named("a", getattr(counter, form)), flow_type=flow_type, retries=3)
    coordinator.register_dependency("one", "a")
    with flow_events.subscribe(stops.append, EventType.FLOW_STOP, flow_name="a"):
        records = await coordinator.execute_all()
    assert counter.calls == 3
    record = records["a"]
    assert (record.status, record.return_value) == (RunStatus.COMPLETED, 4)
    assert record.flow_id != "a"
    assert coordinator.get_result("a") is record
    assert [event.event_data.data["status"] for event in stops] == ["failed", "failed", "completed"]
    assert len({event.event_data.flow_run_id for event in stops}) == 3


@pytest.mark.parametrize("flow_type", [FlowType.INLINE, FlowType.THREAD])
async def test_retries_are_extra_attempts(flow_type: FlowType) -> None:
    """A flow that never succeeds is executed once and `retries` times more, and has failed with the last error."""
    counter = Counter(failures=100)
    coordinator = FlowCoordinator()
    coordinator.register_flow(named("a", counter.sync), flow_type=flow_type, retries=4)
    record = (await coordinator.execute_all())["a"]
    assert counter.calls == 5
    assert record.error is not None
    assert record.error.message == "call 5"


async def test_a_timed_out_async_attempt_is_retried() -> None:
    """Each attempt has the whole time."""
    calls: list[int] = []

    async def late_once() -> str:
        calls.append(len(calls))
        if len(calls) == 1:
            await forever()
        return "in time"

    coordinator = FlowCoordinator()
    coordinator.register_flow(named("a", late_once), timeout=0.1, retries=1)
    record = (await coordinator.execute_all())["a"]
    assert (record.status, record.return_value) == (RunStatus.COMPLETED, "in time")


@pytest.mark.parametrize("flow_type", [FlowType.INLINE, FlowType.THREAD])
async def test_a_thread_that_was_left_behind_is_retried_in_another(flow_type: FlowType) -> None:
    """While the first thread still runs, the flow is executed again with the same arguments, data and outputs."""
    gate = Gate()
    threads: list[int] = []
    ended = threading.Event()

    @flow
    def late_once(number: int, flow_data: dict[str, Any] = INJECTED, upstream: Mapping[str, int] = INJECTED) -> Any:
        threads.append(threading.get_ident())
        if len(threads) == 1:
            flow_data["left"] = True
            gate.wait()
            ended.set()
        return number, dict(flow_data), dict(upstream)

    coordinator = FlowCoordinator()
    register_all(coordinator, named("one", returning(1)))
    made = late_once(5)
    made.flow_data["given"] = "by the user"
    made_id = coordinator.register_flow(made, flow_type=flow_type, timeout=0.2, retries=1)
    coordinator.register_dependency("one", made_id)
    record = await coordinator.execute_flow(made_id)
    assert not ended.is_set()
    assert record.return_value == (5, {"given": "by the user"}, {"one": 1})
    assert record.flow_name == "late_once"
    assert len(set(threads)) == 2
    gate.opened.set()
    assert await asyncio.to_thread(ended.wait, 30)
    assert coordinator.get_result(made_id) is record


async def test_a_class_left_behind_is_retried() -> None:
    """A flow of a class is retried with its fields, by `run` or by the method that it was set up with."""
    gate = Gate()
    calls: list[str] = []

    class Late(Flow[str]):
        name: str

        def run(self, prefix: str = "run") -> str:
            calls.append(self.name)
            if calls.count(self.name) == 1:
                gate.wait()
            return f"{prefix} {self.name}"

    coordinator = FlowCoordinator()
    one, two = Late(name="one"), Late(name="two")
    two.setup(two.run, "given")
    ids = register_all(coordinator, one, two, flow_type=FlowType.THREAD, timeout=0.2, retries=1)
    records = await coordinator.execute_all()
    assert [records[name].return_value for name in ids] == ["run one", "given two"]
    gate.opened.set()


async def test_a_cancelled_flow_is_not_retried() -> None:
    """Cancelling and failing from outside end a flow whatever attempts it has left."""
    calls: list[int] = []
    started = asyncio.Event()

    async def child() -> None:
        calls.append(1)
        started.set()
        await forever()

    for settle in ("cancel_flow", "fail_flow"):
        coordinator = FlowCoordinator()
        coordinator.register_flow(named("a", child), retries=5)
        started.clear()
        execution = asyncio.create_task(coordinator.execute_all())
        await started.wait()
        await getattr(coordinator, settle)("a", "enough")
        assert (await execution)["a"].error is not None
    assert len(calls) == 2


async def test_a_flow_that_is_cancelled_between_attempts_ends() -> None:
    """A flow with endless retries gives others a turn between them, and can be cancelled there."""
    counter = Counter(failures=10**9)
    coordinator = FlowCoordinator()
    coordinator.register_flow(named("a", counter.sync), retries=10**9)
    execution = asyncio.create_task(coordinator.execute_all())
    while not counter.calls:
        await asyncio.sleep(0)
    await coordinator.cancel_flow("a", "enough")
    assert (await execution)["a"].status is RunStatus.CANCELLED


async def test_retries_hold_one_place() -> None:
    """A flow that is retried counts once against the bound, from its first attempt to its last."""
    trace = Trace()
    coordinator = FlowCoordinator(max_concurrency=1)
    failures = [1, 2]

    def flaky() -> None:
        trace.note("flaky")
        if failures:
            raise ValueError(failures.pop())

    coordinator.register_flow(named("flaky", flaky), retries=2)
    coordinator.register_flow(named("other", trace.note, "other"))
    await coordinator.execute_all()
    assert trace.happened == ["flaky"] * 3 + ["other"]
