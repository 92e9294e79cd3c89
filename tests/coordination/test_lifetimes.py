"""Coordinators come and go: the shared instance, cleaning up, and what nobody keeps alive."""

import asyncio
import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from flowscope import FlowRun, RunStatus
from flowscope.coordination import FlowCoordinator, FlowType
from support.coordination.flows import Gate, Trace, forever, named, noop, register_all, tracing


@pytest.fixture(autouse=True)
def fresh_instance() -> Iterator[None]:
    """The shared coordinator before and after each test is a new one."""
    asyncio.run(FlowCoordinator.get_instance().cleanup())
    yield
    asyncio.run(FlowCoordinator.get_instance().cleanup())


def test_there_is_one_shared_instance() -> None:
    """`get_instance` gives the same coordinator everywhere, and makes it once, also for many threads at once."""
    start = threading.Barrier(16, timeout=30)

    def get(_: int) -> FlowCoordinator:
        start.wait()
        return FlowCoordinator.get_instance()

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(get, range(16)))) == 1
    assert FlowCoordinator.get_instance() is FlowCoordinator.get_instance()


async def test_coordinators_of_ones_own_are_independent() -> None:
    """Making a coordinator works at any time, and neither is nor changes the shared one."""
    own = FlowCoordinator()
    shared = FlowCoordinator.get_instance()
    other = FlowCoordinator()
    assert len({own, shared, other}) == 3
    for coordinator in (own, shared, other):
        coordinator.register_flow(named("a", noop))
        assert (await coordinator.execute_flow("a")).status is RunStatus.COMPLETED
    await own.cleanup()
    assert FlowCoordinator.get_instance() is shared


async def test_after_cleanup_there_is_a_fresh_instance() -> None:
    """The next `get_instance` gives another coordinator, which is empty and works, in threads too."""
    first = FlowCoordinator.get_instance()
    register_all(first, named("a", noop), named("b", noop), flow_type=FlowType.THREAD)
    await first.execute_all()
    await first.cleanup()
    second = FlowCoordinator.get_instance()
    assert second is not first
    assert second.get_flow("a") is None
    second.register_flow(named("a", noop), flow_type=FlowType.THREAD)
    assert (await second.execute_all())["a"].status is RunStatus.COMPLETED


async def test_a_subclass_has_an_instance_of_its_own() -> None:
    """`get_instance` of a subclass gives one of that class."""

    class Mine(FlowCoordinator):
        """A coordinator with a name."""

    mine = Mine.get_instance()
    assert type(mine) is Mine
    assert Mine.get_instance() is mine
    assert FlowCoordinator.get_instance() is not mine
    await mine.cleanup()
    assert Mine.get_instance() is not mine
    await Mine.get_instance().cleanup()


async def test_cleanup_forgets_everything() -> None:
    """Flows, dependencies and results are gone, their ids free, and the coordinator may be used again."""
    coordinator = FlowCoordinator()
    register_all(coordinator, named("a", noop), named("b", noop))
    coordinator.register_dependency("a", "b")
    await coordinator.execute_all()
    await coordinator.cleanup()
    assert (coordinator.get_flow("a"), coordinator.get_result("a")) == (None, None)
    assert coordinator.summary().total == 0
    assert coordinator.get_results_by_name("a") == []
    assert await coordinator.execute_all() == {}
    trace = Trace()
    register_all(coordinator, *tracing(trace, "b", "a"))
    coordinator.register_dependency("b", "a")
    await coordinator.execute_all()
    assert trace.happened == ["b", "a"]
    await coordinator.cleanup()
    await coordinator.cleanup()


async def test_cleanup_ends_what_runs() -> None:
    """Running flows are cancelled, and have ended when `cleanup` returns; pending ones never run; all waiters wake."""
    started = asyncio.Event()
    trace = Trace()

    async def child() -> None:
        started.set()
        try:
            await forever()
        finally:
            await asyncio.sleep(0)
            trace.note("ended")

    gate = Gate()
    coordinator = FlowCoordinator()
    register_all(coordinator, named("a", child), *tracing(trace, "b"))
    coordinator.register_flow(named("c", gate.wait), flow_type=FlowType.THREAD)
    coordinator.register_dependency("a", "b")
    waiting = asyncio.create_task(coordinator.wait_for_flows({"a", "b"}))
    execution = asyncio.create_task(coordinator.execute_all())
    await started.wait()
    await gate.until_reached()
    await coordinator.cleanup()
    assert trace.happened == ["ended"]
    records = await execution
    assert {record.status for record in records.values()} == {RunStatus.CANCELLED}
    assert records["a"].error is not None
    assert records["a"].error.message == "the coordinator was cleaned up"
    assert await waiting == {name: records[name] for name in "ab"}
    assert coordinator.summary().total == 0
    gate.opened.set()


def test_cleanup_from_another_loop() -> None:
    """What runs in one thread's loop is ended by a cleanup from another's."""
    coordinator = FlowCoordinator()
    reached = threading.Event()

    async def child() -> None:
        reached.set()
        await forever()

    coordinator.register_flow(named("a", child))
    with ThreadPoolExecutor(1) as pool:
        execution = pool.submit(lambda: asyncio.run(coordinator.execute_all()))
        assert reached.wait(30)
        asyncio.run(coordinator.cleanup())
        assert execution.result(30)["a"].status is RunStatus.CANCELLED


async def test_a_flow_cleans_up_under_itself() -> None:
    """A running flow that cleans up its coordinator is cancelled there, and the coordinator is empty."""
    coordinator = FlowCoordinator()
    trace = Trace()

    async def child() -> None:
        await coordinator.cleanup()
        trace.note("went on")

    coordinator.register_flow(named("a", child))
    records = await coordinator.execute_all()
    assert records["a"].status is RunStatus.CANCELLED
    assert trace.happened == []
    assert coordinator.get_flow("a") is None


async def test_the_block_cleans_up() -> None:
    """`async with` gives the coordinator and cleans it up, also when the block raises."""
    kept: list[FlowCoordinator] = []
    executions: list[asyncio.Task[dict[str, FlowRun]]] = []
    with pytest.raises(LookupError):
        async with FlowCoordinator() as coordinator:
            kept.append(coordinator)
            coordinator.register_flow(named("a", forever))
            executions.append(asyncio.create_task(coordinator.execute_all()))
            await asyncio.sleep(0)
            raise LookupError
    assert (await executions[0])["a"].status is RunStatus.CANCELLED
    assert kept[0].get_flow("a") is None


@pytest.mark.parametrize("flow_type", [FlowType.INLINE, FlowType.THREAD])
async def test_finished_flows_are_collected_with_their_coordinator(flow_type: FlowType) -> None:
    """Nothing keeps a coordinator, its flows and their values alive once nobody holds them."""

    class Value:
        """Something to hold."""

    coordinator = FlowCoordinator()
    flows = [named("a", lambda: Value()), named("b", noop)]
    register_all(coordinator, *flows, flow_type=flow_type)
    coordinator.register_dependency("a", "b")
    records = await coordinator.execute_all()
    with pytest.raises(TimeoutError):
        coordinator.register_flow(named("never", noop))
        await coordinator.wait_for_flows({"never"}, 0.001)
    references = [weakref.ref(one) for one in (coordinator, flows[0], records["a"].return_value)]
    del coordinator, flows, records
    await asyncio.sleep(0)
    gc.collect()
    assert [one() for one in references] == [None] * 3


def test_a_coordinator_needs_no_event_loop() -> None:
    """It is made, filled and asked without one, also after another loop has come and gone."""
    asyncio.run(asyncio.sleep(0))
    coordinator = FlowCoordinator(max_concurrency=2, max_threads=2, max_processes=2)
    register_all(coordinator, named("a", noop))
    assert coordinator.summary().pending == 1
    assert "pending" in coordinator.to_mermaid()
    assert asyncio.run(coordinator.execute_all())["a"].status is RunStatus.COMPLETED


def test_the_library_is_imported_without_it() -> None:
    """`import flowscope` brings neither the coordination nor asyncio."""
    code = "import sys, flowscope; print('asyncio' in sys.modules, 'flowscope.coordination' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["False", "False"]


def test_the_names_are_those_of_the_contract() -> None:
    """`flowscope.coordination` offers the names of the contract, sorted, and nothing else."""
    from flowscope import coordination

    assert coordination.__all__ == [
        "CoordinationError",
        "CoordinatorSummary",
        "DependencyCycleError",
        "DependencyType",
        "FlowCoordinator",
        "FlowTakenError",
        "FlowType",
        "UnknownFlowError",
        "WorkerPool",
    ]
    assert all(getattr(coordination, name).__doc__ for name in coordination.__all__)
