"""Flows run once, in the order of their dependencies, each as soon as it can, with what the others have made."""

import asyncio
import contextvars
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from flowscope import INJECTED, Flow, FlowConfig, RunStatus, current_flow, current_flow_or_none, flow
from flowscope.coordination import DependencyType, FlowCoordinator, FlowType
from support.coordination.flows import (
    Gate,
    Summing,
    Trace,
    boom,
    named,
    noop,
    outputs,
    register_all,
    returning,
    tracing,
)


async def test_execute_all_runs_everything() -> None:
    """All flows run without any further call, and their records come in the order of registration."""
    trace = Trace()
    async with FlowCoordinator() as coordinator:
        ids = register_all(coordinator, *tracing(trace, "a", "b", "c"))
        records = await coordinator.execute_all()
        assert list(records) == ids
        assert {record.status for record in records.values()} == {RunStatus.COMPLETED}
        assert sorted(trace.happened) == ids
        assert coordinator.get_result("a") is records["a"]


async def test_nothing_to_run() -> None:
    """A coordinator without flows has nothing to run."""
    assert await FlowCoordinator().execute_all() == {}


async def test_a_flow_alone_brings_what_it_depends_on() -> None:
    """`execute_flow` runs the flow with everything it depends on, however far, and nothing else."""
    trace = Trace()
    coordinator = FlowCoordinator()
    register_all(coordinator, *tracing(trace, "child", "unrelated", "parent", "grandparent", "dependent"))
    coordinator.register_dependency("parent", "child")
    coordinator.register_dependency("grandparent", "parent", DependencyType.OPTIONAL)
    coordinator.register_dependency("child", "dependent")
    record = await coordinator.execute_flow("child")
    assert record.flow_id == "child"
    assert record.status is RunStatus.COMPLETED
    assert trace.happened == ["grandparent", "parent", "child"]
    assert coordinator.get_result("unrelated") is None
    assert coordinator.get_result("dependent") is None


async def test_what_has_run_does_not_run_again() -> None:
    """Further executions run only what has not run, and give the same records."""
    trace = Trace()
    coordinator = FlowCoordinator()
    register_all(coordinator, *tracing(trace, "a", "b"))
    coordinator.register_dependency("a", "b")
    first = await coordinator.execute_flow("a")
    assert await coordinator.execute_flow("a") is first
    assert (await coordinator.execute_all())["a"] is first
    register_all(coordinator, *tracing(trace, "c"))
    coordinator.register_dependency("b", "c")
    await coordinator.execute_all()
    assert trace.happened == ["a", "b", "c"]


@pytest.mark.parametrize("flow_type", [FlowType.INLINE, FlowType.THREAD])
async def test_the_join_of_a_diamond_runs_once(flow_type: FlowType) -> None:
    """Where two ways meet, the flow runs once, after both, with the outputs of both."""
    trace = Trace()
    coordinator = FlowCoordinator()

    def join(upstream: Mapping[str, Any] = INJECTED) -> dict[str, Any]:
        trace.note("join")
        return dict(upstream)

    register_all(coordinator, *tracing(trace, "top", "left", "right"), named("join", join), flow_type=flow_type)
    for parent, child in (("top", "left"), ("top", "right"), ("left", "join"), ("right", "join")):
        coordinator.register_dependency(parent, child)
    records = await coordinator.execute_all()
    assert trace.happened[0] == "top"
    assert sorted(trace.happened[1:3]) == ["left", "right"]
    assert trace.happened[3:] == ["join"]
    assert records["join"].return_value == {"left": None, "right": None}


async def test_a_flow_starts_the_moment_its_dependencies_settle() -> None:
    """A flow does not wait for others of its level: one chain goes on while another one's first flow still runs."""
    ended = asyncio.Event()
    coordinator = FlowCoordinator()

    async def slow() -> None:
        await ended.wait()

    async def last() -> None:
        ended.set()

    register_all(coordinator, named("slow", slow), named("a", noop), named("b", noop), named("c", last))
    coordinator.register_dependency("a", "b")
    coordinator.register_dependency("b", "c")
    records = await coordinator.execute_all()
    assert {record.status for record in records.values()} == {RunStatus.COMPLETED}


async def test_inline_async_flows_run_at_the_same_time() -> None:
    """Flows that do not depend on each other meet at a barrier."""
    coordinator = FlowCoordinator()
    barrier = asyncio.Barrier(5)
    for _ in range(5):
        coordinator.register_flow(Flow[Any]().setup(barrier.wait))
    assert len(await coordinator.execute_all()) == 5


async def test_flows_in_threads_run_at_the_same_time() -> None:
    """Sync flows in threads meet at a barrier, and the event loop stays free."""
    coordinator = FlowCoordinator(max_threads=3)
    barrier = threading.Barrier(3, timeout=30)
    alive = asyncio.Event()
    register_all(coordinator, *(Flow[int]().setup(barrier.wait) for _ in range(2)), flow_type=FlowType.THREAD)

    def last(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.run_coroutine_threadsafe(alive.wait(), loop).result(30)
        barrier.wait()

    coordinator.register_flow(Flow[None]().setup(last, asyncio.get_running_loop()), flow_type=FlowType.THREAD)
    execution = asyncio.create_task(coordinator.execute_all())
    await asyncio.sleep(0)
    alive.set()
    assert {record.status for record in (await execution).values()} == {RunStatus.COMPLETED}


async def test_class_flows_run_and_add_up() -> None:
    """Flows of a class set themselves up, and find `upstream` in `run`."""
    coordinator = FlowCoordinator()
    first, second = register_all(coordinator, Summing(start=1), Summing(start=10))
    coordinator.register_dependency(first, second)
    records = await coordinator.execute_all()
    assert records[second].return_value == 11
    assert records[second].params == {"start": 10}
    assert [entry.message for entry in records[first].logs if entry.source == "log"][0] == "summing"


async def test_a_sync_inline_flow_runs_in_the_callers_thread() -> None:
    """Inline flows run where `await flow` would run them; thread flows in threads of their own."""
    coordinator = FlowCoordinator()
    inline = coordinator.register_flow(Flow[int]().setup(threading.get_ident))
    threads = register_all(
        coordinator, *(Flow[int]().setup(threading.get_ident) for _ in range(2)), flow_type=FlowType.THREAD
    )
    records = await coordinator.execute_all()
    assert records[inline].return_value == threading.get_ident()
    assert threading.get_ident() not in {records[one].return_value for one in threads}


@pytest.mark.parametrize("flow_type", [FlowType.INLINE, FlowType.THREAD])
async def test_flows_run_in_the_context_of_the_caller(flow_type: FlowType) -> None:
    """A flow sees the caller's context variables, not what another flow has set; nothing comes back to the caller."""
    variable = contextvars.ContextVar("variable", default="default")
    variable.set("caller")

    def read_and_set(value: str) -> str:
        found = variable.get()
        variable.set(value)
        return found

    coordinator = FlowCoordinator()
    ids = register_all(coordinator, *(named(name, read_and_set, name) for name in "ab"), flow_type=flow_type)
    coordinator.register_dependency("a", "b")
    records = await coordinator.execute_all()
    assert [records[one].return_value for one in ids] == ["caller", "caller"]
    assert variable.get() == "caller"


@pytest.mark.parametrize("flow_type", [FlowType.INLINE, FlowType.THREAD])
async def test_flows_of_a_coordinator_inside_a_flow_are_nested(flow_type: FlowType) -> None:
    """Coordinated inside a flow, flows are its children, also those that start after another one's end."""
    coordinator = FlowCoordinator()
    register_all(coordinator, named("a", noop), named("b", noop), flow_type=flow_type)
    coordinator.register_dependency("a", "b")

    @flow
    async def outer() -> str:
        await coordinator.execute_all()
        return current_flow().flow_id

    run = await outer()
    for name in "ab":
        record = coordinator.get_result(name)
        assert record is not None
        assert record.parent_flow_id == run.return_value
    assert current_flow_or_none() is None


async def test_async_flows_in_threads_have_their_own_loop() -> None:
    """An async flow in a thread runs in an event loop there."""
    loops: list[object] = []

    async def child() -> None:
        await asyncio.sleep(0)
        loops.append(asyncio.get_running_loop())

    coordinator = FlowCoordinator()
    coordinator.register_flow(Flow[None]().setup(child), flow_type=FlowType.THREAD)
    await coordinator.execute_all()
    assert loops != [asyncio.get_running_loop()]


@pytest.mark.parametrize("flow_type", [FlowType.INLINE, FlowType.THREAD])
async def test_any_kind_of_value_is_a_result(flow_type: FlowType) -> None:
    """Flows need not return dictionaries."""
    values: list[Any] = [1, "text", None, [1, 2], {"a": 1}, object]
    coordinator = FlowCoordinator()
    ids = register_all(coordinator, *(Flow[Any]().setup(returning(value)) for value in values), flow_type=flow_type)
    records = await coordinator.execute_all()
    assert [records[one].return_value for one in ids] == values


@pytest.mark.parametrize("flow_type", [FlowType.INLINE, FlowType.THREAD])
async def test_what_a_flow_prints_is_in_its_own_record(flow_type: FlowType) -> None:
    """Flows that run at the same time keep their prints apart."""
    barrier = threading.Barrier(3 if flow_type is FlowType.THREAD else 1, timeout=30)

    def talk(name: str) -> None:
        barrier.wait()
        print(name)

    coordinator = FlowCoordinator()
    register_all(coordinator, *(named(name, talk, name) for name in "abc"), flow_type=flow_type)
    for name, record in (await coordinator.execute_all()).items():
        assert [entry.message for entry in record.logs if entry.source == "stdout"] == [name]


async def test_flows_registered_meanwhile_wait_for_the_next_execution() -> None:
    """`execute_all` runs what is registered when it is called; later flows run with the next one."""
    coordinator = FlowCoordinator()
    trace = Trace()

    def registering() -> None:
        register_all(coordinator, *tracing(trace, "late"))

    register_all(coordinator, named("early", registering))
    assert list(await coordinator.execute_all()) == ["early"]
    assert trace.happened == []
    assert list(await coordinator.execute_all()) == ["early", "late"]
    assert trace.happened == ["late"]


async def test_a_waiting_flow_may_get_more_dependencies() -> None:
    """What a flow that is wanted and waits comes to depend on is run too, before it."""
    coordinator = FlowCoordinator()

    def discovering() -> None:
        for number in range(3):
            part = coordinator.register_flow(named(f"part {number}", returning(number)))
            coordinator.register_dependency(part, "report")

    register_all(coordinator, named("discover", discovering), named("report", outputs))
    coordinator.register_dependency("discover", "report")
    records = await coordinator.execute_all()
    assert records["report"].return_value == {"discover": None, "part 0": 0, "part 1": 1, "part 2": 2}


@pytest.mark.parametrize("flow_type", [FlowType.INLINE, FlowType.THREAD])
async def test_a_flow_may_execute_others(flow_type: FlowType) -> None:
    """A running flow may execute another one of its coordinator, which then has run for everybody."""
    coordinator = FlowCoordinator()
    trace = Trace()
    register_all(coordinator, *tracing(trace, "inner"))

    async def outer() -> str:
        return (await coordinator.execute_flow("inner")).flow_id

    register_all(coordinator, named("outer", outer), flow_type=flow_type)
    records = await coordinator.execute_all()
    assert records["outer"].return_value == "inner"
    assert trace.happened == ["inner"]


@pytest.mark.parametrize("flow_type", [FlowType.INLINE, FlowType.THREAD])
@pytest.mark.parametrize("how", ["itself", "its dependent", "all", "waiting"])
async def test_a_flow_does_not_wait_for_itself(flow_type: FlowType, how: str) -> None:
    """A running flow that executes, or waits for, what cannot end before itself is told so, and nothing hangs."""
    coordinator = FlowCoordinator()

    async def outer() -> None:
        if how == "waiting":
            await coordinator.wait_for_flows({"outer"})
        elif how == "all":
            await coordinator.execute_all()
        else:
            await coordinator.execute_flow("outer" if how == "itself" else "dependent")

    coordinator.register_flow(named("outer", outer), flow_type=flow_type)
    register_all(coordinator, named("dependent", noop))
    coordinator.register_dependency("outer", "dependent")
    record = await coordinator.execute_flow("outer")
    assert record.status is RunStatus.FAILED
    assert record.error is not None
    assert record.error.type == "CoordinationError"
    assert record.error.message.startswith("flow 'outer' would wait for itself.")
    assert (await coordinator.execute_flow("outer")) is record


async def test_what_outlives_a_flow_may_wait_for_it() -> None:
    """A stray asyncio task of a flow that has ended is in it no more."""
    coordinator = FlowCoordinator()
    ended = asyncio.Event()
    strays: list[asyncio.Task[Any]] = []

    async def wait_later() -> Any:
        await ended.wait()
        return await coordinator.wait_for_flows({"a"}), await coordinator.execute_flow("a")

    async def child() -> None:
        strays.append(asyncio.create_task(wait_later()))

    coordinator.register_flow(named("a", child))
    record = await coordinator.execute_flow("a")
    ended.set()
    assert await strays[0] == ({"a": record}, record)


async def test_a_coordinator_inside_a_flow_of_another() -> None:
    """Coordinators may be nested: equal ids of another coordinator are other flows."""
    outside, inside = FlowCoordinator(), FlowCoordinator()

    async def outer() -> str:
        return (await inside.execute_flow("a")).status.value

    inside.register_flow(named("a", noop))
    outside.register_flow(named("a", outer))
    assert (await outside.execute_flow("a")).return_value == "completed"


async def test_a_flow_executed_elsewhere_meanwhile_is_not_disturbed() -> None:
    """A flow that somebody is executing by hand has a failed result, and its own run goes on as it was."""
    gate = Gate()

    def child(upstream: object = "by hand") -> object:
        gate.wait()
        return upstream

    made = named("a", child)
    coordinator = FlowCoordinator()
    coordinator.register_flow(made)
    by_hand = asyncio.create_task(asyncio.to_thread(made.execute))
    await gate.until_reached()
    record = await coordinator.execute_flow("a")
    assert record.status is RunStatus.FAILED
    assert record.error is not None
    assert record.error.type == "AlreadyRunningError"
    gate.opened.set()
    assert (await by_hand).return_value == "by hand"
    assert coordinator.get_result("a") is record


async def test_a_flow_that_cannot_start_has_a_failed_result() -> None:
    """A flow without a target, or whose setup fails, fails in the record, and its dependents with it."""

    class Bad(Flow[None]):
        def setup(self, *args: Any, **kwargs: Any) -> Any:
            raise LookupError("no setup")

    coordinator = FlowCoordinator()
    register_all(coordinator, Flow[None](flow_id="empty"), Bad(flow_id="bad"), named("child", noop))
    coordinator.register_dependency("empty", "child")
    records = await coordinator.execute_all()
    errors = {name: record.error for name, record in records.items()}
    assert {name: error and error.type for name, error in errors.items()} == {
        "empty": "NotSetUpError",
        "bad": "LookupError",
        "child": "CoordinationError",
    }


async def test_quiet_flows_fail_as_well() -> None:
    """A flow that keeps its error (`raise_flow_error=False`) has failed all the same."""
    coordinator = FlowCoordinator()
    register_all(coordinator, named("a", boom, flow_config=FlowConfig(raise_flow_error=False)), named("b", noop))
    coordinator.register_dependency("a", "b")
    records = await coordinator.execute_all()
    assert [record.status for record in records.values()] == [RunStatus.FAILED, RunStatus.FAILED]
