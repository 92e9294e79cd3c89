"""Waiting for flows: woken by the change, from anywhere, with a timeout of one's own."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from flowscope import RunStatus
from flowscope.coordination import CoordinationError, FlowCoordinator, FlowType
from support.coordination.flows import Gate, boom, forever, named, noop, register_all


async def test_waiting_for_nothing() -> None:
    """An empty set is no wait, whatever the timeout."""
    coordinator = FlowCoordinator()
    assert await coordinator.wait_for_flows(set()) == {}
    assert await coordinator.wait_for_flows(set(), timeout=0) == {}


async def test_waiting_for_what_has_settled() -> None:
    """Settled flows are there at once, also with no time to wait, however they settled."""
    coordinator = FlowCoordinator()
    register_all(
        coordinator, named("done", noop), named("failed", boom), named("cancelled", noop), named("child", noop)
    )
    coordinator.register_flow(named("late", noop), timeout=0)
    coordinator.register_dependency("failed", "child")
    await coordinator.cancel_flow("cancelled")
    await coordinator.execute_all()
    for timeout in (None, 0, -1, 5):
        records = await coordinator.wait_for_flows({"done", "failed", "cancelled", "child", "late"}, timeout)
        assert {name: record.status.value for name, record in records.items()} == {
            "done": "completed", "failed": "failed", "cancelled": "cancelled", "child": "failed", "late": "timed_out",
        }  # fmt: skip


@pytest.mark.parametrize("timeout", [0, -1, 0.01])
async def test_waiting_has_a_timeout_of_its_own(timeout: float) -> None:
    """A waiter gets a `TimeoutError` that names what is missing; the flow goes on."""
    ending = asyncio.Event()
    coordinator = FlowCoordinator()
    register_all(coordinator, named("a", ending.wait), named("b", noop), *(named(f"c{n}", noop) for n in range(9)))
    execution = asyncio.create_task(coordinator.execute_flow("a"))
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError, match="'a'"):
        await coordinator.wait_for_flows({"a"}, timeout)
    with pytest.raises(TimeoutError, match="and 5 more"):
        await coordinator.wait_for_flows({"b", *(f"c{n}" for n in range(9))}, timeout)
    assert coordinator.get_result("a") is None
    ending.set()
    assert (await execution).status is RunStatus.COMPLETED


async def test_waiting_does_not_run_anything() -> None:
    """A flow that nobody executes stays pending."""
    coordinator = FlowCoordinator()
    coordinator.register_flow(named("a", noop))
    with pytest.raises(TimeoutError):
        await coordinator.wait_for_flows({"a"}, timeout=0.01)
    assert coordinator.summary().pending == 1


async def test_an_unknown_flow_among_others() -> None:
    """One unknown id is refused before anything is waited for."""
    coordinator = FlowCoordinator()
    coordinator.register_flow(named("a", noop))
    with pytest.raises(CoordinationError, match="'nobody'"):
        await coordinator.wait_for_flows({"a", "nobody"})


@pytest.mark.parametrize("how", ["completed", "failed", "cancelled", "cleaned up"])
async def test_waiters_wake_however_a_flow_settles(how: str) -> None:
    """Many waiters wake when the flow settles, in whatever way."""
    coordinator = FlowCoordinator()
    register_all(coordinator, named("a", noop))
    waiting = [asyncio.create_task(coordinator.wait_for_flows({"a"}, timeout=30)) for _ in range(20)]
    await asyncio.sleep(0)
    if how == "completed":
        await coordinator.execute_all()
    elif how == "failed":
        await coordinator.fail_flow("a", "no")
    elif how == "cancelled":
        await coordinator.cancel_flow("a")
    else:
        await coordinator.cleanup()
    expected = "cancelled" if how == "cleaned up" else how
    assert {records["a"].status.value for records in await asyncio.gather(*waiting)} == {expected}


async def test_waiting_holds_nobody_up() -> None:
    """While many wait, everything else can be done with the coordinator and the flow."""
    coordinator = FlowCoordinator()
    register_all(coordinator, named("a", forever), named("b", noop))
    execution = asyncio.create_task(coordinator.execute_flow("a"))
    waiting = [asyncio.create_task(coordinator.wait_for_flows({"a", "b"})) for _ in range(50)]
    await asyncio.sleep(0)
    coordinator.register_flow(named("c", noop))
    coordinator.register_dependency("b", "c")
    await coordinator.execute_flow("c")
    await coordinator.fail_flow("a", "no")
    assert (await execution).status is RunStatus.FAILED
    assert {tuple(sorted(records)) for records in await asyncio.gather(*waiting)} == {("a", "b")}


async def test_waiting_in_several_loops_and_threads() -> None:
    """Waiters in event loops of other threads wake when the flow settles here."""
    coordinator = FlowCoordinator()
    register_all(coordinator, named("a", noop), named("b", noop), flow_type=FlowType.THREAD)
    ready = threading.Barrier(9, timeout=30)

    def wait_elsewhere() -> set[str]:
        async def wait() -> set[str]:
            waiting = asyncio.ensure_future(coordinator.wait_for_flows({"a", "b"}, timeout=30))
            await asyncio.sleep(0)
            ready.wait()
            return set(await waiting)

        return asyncio.run(wait())

    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(wait_elsewhere) for _ in range(8)]
        await asyncio.to_thread(ready.wait)
        await coordinator.execute_all()
        assert [await asyncio.wrap_future(one) for one in waiting] == [{"a", "b"}] * 8


def test_a_waiter_of_a_closed_loop_is_no_trouble() -> None:
    """A flow settles though somebody waited for it in a loop that has ended since."""
    coordinator = FlowCoordinator()
    coordinator.register_flow(named("a", noop))

    async def give_up() -> None:
        asyncio.create_task(coordinator.wait_for_flows({"a"}))
        await asyncio.sleep(0)

    asyncio.run(give_up())
    assert asyncio.run(coordinator.execute_all())["a"].status is RunStatus.COMPLETED


async def test_many_short_waits_leave_nothing_behind() -> None:
    """Waiters that have given up are forgotten: the flow they waited for settles at once."""
    gate = Gate()
    coordinator = FlowCoordinator()
    coordinator.register_flow(named("a", gate.wait), flow_type=FlowType.THREAD)
    execution = asyncio.create_task(coordinator.execute_all())
    await gate.until_reached()
    for _ in range(1_000):
        waiting = asyncio.ensure_future(coordinator.wait_for_flows({"a"}))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    gate.opened.set()
    assert (await execution)["a"].status is RunStatus.COMPLETED
