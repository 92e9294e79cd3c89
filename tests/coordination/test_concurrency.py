"""Bounds, several callers, several event loops and threads, and large graphs."""

import asyncio
import contextlib
import random
import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from flowscope import INJECTED, Flow, FlowRun, RunStatus
from flowscope.coordination import CoordinationError, DependencyType, FlowCoordinator, FlowType
from support.coordination.flows import Gate, Trace, named, noop, register_all, returning, tracing


class Meter:
    """Counts how many are inside at once."""

    def __init__(self) -> None:
        self.inside = self.most = 0
        self._lock = threading.Lock()

    def enter(self) -> None:
        """Go in."""
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)

    def leave(self) -> None:
        """Go out."""
        with self._lock:
            self.inside -= 1

    async def pass_through(self) -> None:
        """Go in, let others have a turn, and go out."""
        self.enter()
        for _ in range(3):
            await asyncio.sleep(0)
        self.leave()


@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_no_more_than_the_bound_run_at_once(limit: int) -> None:
    """`max_concurrency` bounds what runs, and is used fully."""
    meter = Meter()
    coordinator = FlowCoordinator(max_concurrency=limit)
    register_all(coordinator, *(Flow[None]().setup(meter.pass_through) for _ in range(20)))
    records = await coordinator.execute_all()
    assert len(records) == 20
    assert meter.most == limit


async def test_the_bound_holds_over_all_callers() -> None:
    """Executions at the same time share the bound."""
    meter = Meter()
    coordinator = FlowCoordinator(max_concurrency=2)
    ids = register_all(coordinator, *(Flow[None]().setup(meter.pass_through) for _ in range(20)))
    await asyncio.gather(*map(coordinator.execute_flow, ids), coordinator.execute_all())
    assert meter.most == 2
    assert coordinator.summary().completed == 20


async def test_threads_are_bounded_and_inline_flows_are_not() -> None:
    """`max_threads` flows run in threads; the next one starts when one of them ends; inline flows pass by."""
    gates = [Gate() for _ in range(3)]
    coordinator = FlowCoordinator(max_threads=2)
    names = register_all(
        coordinator, *(named(f"t{n}", gate.wait) for n, gate in enumerate(gates)), flow_type=FlowType.THREAD
    )
    register_all(coordinator, named("inline", noop))
    execution = asyncio.create_task(coordinator.execute_all())
    await coordinator.wait_for_flows({"inline"})
    await gates[0].until_reached()
    await gates[1].until_reached()
    assert not gates[2].reached.is_set()
    assert (coordinator.summary().running, coordinator.summary().pending) == (2, 1)
    gates[1].opened.set()
    await coordinator.wait_for_flows({names[1]})
    await gates[2].until_reached()
    gates[0].opened.set()
    gates[2].opened.set()
    assert {record.status for record in (await execution).values()} == {RunStatus.COMPLETED}


async def test_a_thread_that_was_left_behind_frees_its_place() -> None:
    """A hanging flow that passed its deadline holds up nothing."""
    gate = Gate()
    coordinator = FlowCoordinator(max_concurrency=1, max_threads=1)
    coordinator.register_flow(named("hanging", gate.wait), flow_type=FlowType.THREAD, timeout=0.02)
    coordinator.register_flow(named("next", noop), flow_type=FlowType.THREAD)
    records = await coordinator.execute_all()
    assert [record.status.value for record in records.values()] == ["timed_out", "completed"]
    assert coordinator.summary().running == 0
    gate.opened.set()


async def test_concurrent_callers_share_one_run_of_each() -> None:
    """However many ask at once, each flow runs once, and all get the same records."""
    trace = Trace()
    coordinator = FlowCoordinator()

    async def shared() -> str:
        trace.note("shared")
        await asyncio.sleep(0)
        return "made once"

    register_all(coordinator, named("shared", shared), *tracing(trace, *(f"child {n}" for n in range(10))))
    for number in range(10):
        coordinator.register_dependency("shared", f"child {number}")
    found = await asyncio.gather(
        *(coordinator.execute_flow(f"child {n}") for n in range(10)),
        *(coordinator.execute_flow("shared") for _ in range(10)),
        coordinator.execute_all(),
        coordinator.execute_all(),
    )
    assert max(Counter(trace.happened).values()) == 1
    assert len(trace.happened) == 11
    assert all(record is found[10] for record in found[10:20])
    assert found[20] == found[21]


def test_several_loops_one_after_the_other() -> None:
    """A coordinator outlives event loops: what one has not run, the next one does, under contention too."""
    trace = Trace()
    coordinator = FlowCoordinator(max_concurrency=1)
    register_all(coordinator, *tracing(trace, "a", "b", "c", "d"))
    coordinator.register_dependency("a", "b")

    async def both(*names: str) -> list[FlowRun]:
        return await asyncio.gather(*map(coordinator.execute_flow, names))

    asyncio.run(both("b", "b", "a"))
    assert trace.happened == ["a", "b"]
    asyncio.run(both("c", "c"))
    assert asyncio.run(coordinator.execute_all()).keys() == {"a", "b", "c", "d"}
    assert trace.happened == ["a", "b", "c", "d"]
    assert asyncio.run(coordinator.wait_for_flows({"a", "d"})).keys() == {"a", "d"}


@pytest.mark.parametrize("flow_type", [FlowType.INLINE, FlowType.THREAD])
def test_several_threads_at_once(flow_type: FlowType) -> None:
    """Threads, each with an event loop, execute one graph together: each flow runs once, all see all results."""
    trace = Trace()
    coordinator = FlowCoordinator(max_concurrency=5)
    names = [str(number) for number in range(200)]
    chance = random.Random(3)
    register_all(coordinator, *tracing(trace, *names), flow_type=flow_type)
    for number in range(1, 200):
        for parent in {chance.randrange(number) for _ in range(2)}:
            coordinator.register_dependency(str(parent), str(number))
    start = threading.Barrier(6, timeout=30)

    def execute(_: int) -> dict[str, FlowRun]:
        start.wait()
        return asyncio.run(coordinator.execute_all())

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(execute, range(6)))
    assert sorted(trace.happened) == sorted(names)
    assert all(one == found[0] for one in found)
    assert {record.status for record in found[0].values()} == {RunStatus.COMPLETED}
    seen: set[str] = set()
    for name in trace.happened:
        assert coordinator.get_dependencies(name) <= seen
        seen.add(name)


def test_flows_of_two_loops_depend_on_each_other() -> None:
    """A flow that runs in one thread's loop wakes one that is waited for in another's."""
    coordinator = FlowCoordinator()
    gate = Gate()
    register_all(coordinator, named("first", gate.wait), named("second", noop))
    coordinator.register_dependency("first", "second")
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(lambda: asyncio.run(coordinator.execute_flow("first")))
        assert gate.reached.wait(30)
        two = pool.submit(lambda: asyncio.run(coordinator.execute_flow("second")))
        gate.opened.set()
        assert one.result(30).status is RunStatus.COMPLETED
        assert two.result(30).status is RunStatus.COMPLETED


def test_a_blocked_caller_holds_up_nobody_else() -> None:
    """While one thread's loop is blocked by a sync flow, another one runs what is ready."""
    coordinator = FlowCoordinator()
    gate = Gate()
    register_all(coordinator, named("blocking", gate.wait), named("a", noop), named("b", noop))
    coordinator.register_dependency("a", "b")
    with ThreadPoolExecutor(1) as pool:
        blocked = pool.submit(lambda: asyncio.run(coordinator.execute_flow("blocking")))
        assert gate.reached.wait(30)
        assert asyncio.run(coordinator.execute_flow("b")).status is RunStatus.COMPLETED
        gate.opened.set()
        assert blocked.result(30).status is RunStatus.COMPLETED


def test_registering_from_many_threads_while_it_runs() -> None:
    """Registrations from threads, while others execute, neither fail nor get lost."""
    coordinator = FlowCoordinator()
    coordinator.register_flow(named("root", noop))
    stop = threading.Event()

    def register(thread: int) -> int:
        refused = 0
        for number in range(200):
            name = f"{thread}-{number}"
            coordinator.register_flow(named(name, noop))
            with contextlib.suppress(CoordinationError):
                coordinator.register_dependency("root", name)
            with pytest.raises(CoordinationError):
                coordinator.register_flow(named(name, noop))
            refused += 1
        return refused

    def execute() -> None:
        while not stop.is_set():
            asyncio.run(coordinator.execute_all())

    with ThreadPoolExecutor(5) as pool:
        executing = pool.submit(execute)
        assert [one.result() for one in [pool.submit(register, thread) for thread in range(4)]] == [200] * 4
        stop.set()
        executing.result(30)
    records = asyncio.run(coordinator.execute_all())
    assert len(records) == 801
    assert {record.status for record in records.values()} == {RunStatus.COMPLETED}


def test_everything_at_once_from_everywhere() -> None:
    """Executing, failing, cancelling and waiting from several threads settles every flow once, consistently."""
    for seed in range(5):
        chance = random.Random(seed)
        coordinator = FlowCoordinator(max_concurrency=3, max_threads=2)
        names = [str(number) for number in range(60)]
        for name in names:
            flow_type = chance.choice([FlowType.INLINE, FlowType.THREAD])
            coordinator.register_flow(named(name, noop), flow_type=flow_type, retries=1)
        for number in range(1, 60):
            kind = chance.choice(list(DependencyType))
            coordinator.register_dependency(str(chance.randrange(number)), str(number), kind)

        def disturb(seed: int, coordinator: FlowCoordinator = coordinator, names: list[str] = names) -> None:
            async def calls() -> None:
                chance = random.Random(seed)
                for name in chance.sample(names, 15):
                    how = chance.choice(["cancel_flow", "fail_flow", "execute_flow", "handle_flow_failure"])
                    extra = ["why"] if how == "fail_flow" else []
                    await getattr(coordinator, how)(name, *extra)

            asyncio.run(calls())

        with ThreadPoolExecutor(4) as pool:
            for one in [pool.submit(disturb, number) for number in range(4)]:
                one.result(30)
        records = asyncio.run(coordinator.execute_all())
        assert len(records) == 60
        summary = coordinator.summary()
        assert (summary.pending, summary.running) == (0, 0)
        for name in names:
            for parent in coordinator.get_dependencies(name, DependencyType.REQUIRED):
                if records[name].status is RunStatus.COMPLETED:
                    assert records[parent].status is RunStatus.COMPLETED


@pytest.mark.slow
@pytest.mark.parametrize(("size", "backwards"), [(10_000, False), (3_000, True)])
async def test_a_long_chain(size: int, backwards: bool) -> None:
    """A chain of 10,000 flows runs in order without recursion; it may be registered from either end."""
    coordinator = FlowCoordinator()
    trace: list[int] = []
    names = register_all(coordinator, *(Flow[None]().setup(trace.append, number) for number in range(size)))
    edges = list(zip(names, names[1:], strict=False))
    for parent, child in reversed(edges) if backwards else edges:
        coordinator.register_dependency(parent, child)
    with pytest.raises(CoordinationError, match="cycle"):
        coordinator.register_dependency(names[-1], names[0])
    assert (await coordinator.execute_flow(names[-1])).status is RunStatus.COMPLETED
    assert trace == list(range(size))


@pytest.mark.slow
async def test_a_fan_in_of_five_thousand() -> None:
    """A flow that depends on 5,000 others has the outputs of all."""
    coordinator = FlowCoordinator()

    def total(upstream: Mapping[str, int] = INJECTED) -> int:
        return sum(upstream.values())

    last = coordinator.register_flow(named("last", total))
    for number in range(5_000):
        coordinator.register_dependency(coordinator.register_flow(Flow[Any]().setup(returning(number))), last)
    assert (await coordinator.execute_flow(last)).return_value == sum(range(5_000))


async def test_a_fan_out_to_two_thousand_callers() -> None:
    """Two thousand callers, under a bound, wait for one flow and then run their own."""
    coordinator = FlowCoordinator(max_concurrency=2)
    root = coordinator.register_flow(named("root", noop))
    names = register_all(coordinator, *(Flow[None]().setup(noop) for _ in range(2_000)))
    for name in names:
        coordinator.register_dependency(root, name)
    records = await asyncio.gather(*map(coordinator.execute_flow, names))
    assert {record.status for record in records} == {RunStatus.COMPLETED}
