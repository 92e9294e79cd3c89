"""What a task costs: sync, async, below fifty others, as one of a million, and counted instead of kept."""

import asyncio
from statistics import median
from time import perf_counter_ns
from typing import Final

from flowscope import FlowConfig, flow, task

from ..figures import Effort, Figure
from ..floor import async_by_hand, depth_by_hand, noop, noop_async, sync_by_hand
from ..measure import compare

__all__ = ["CALLS", "COUNTED", "async_task", "counted_task", "deep_task", "million_tasks", "step", "sync_task"]

BUDGET: Final = 4.0
CALLS: Final = 20_000
DEPTH: Final = 50
MILLION: Final = 1_000_000
COUNTED: Final = FlowConfig(add_task_to_self=False)

step = task(noop)
step_async = task(noop_async)


def sync_calls(count: int) -> float:
    """Call a task so often; nanoseconds per call."""
    began = perf_counter_ns()
    for number in range(count):
        step(number)
    return (perf_counter_ns() - began) / count


async def async_calls(count: int) -> float:
    """Await a task so often; nanoseconds per call."""
    began = perf_counter_ns()
    for number in range(count):
        await step_async(number)
    return (perf_counter_ns() - began) / count


@task
def descend(depth: int, count: int) -> float:
    """The sync calls, below so many tasks."""
    return descend(depth - 1, count) if depth > 1 else sync_calls(count)


kept = flow(sync_calls)
kept_async = flow(async_calls)
counted = flow(flow_config=COUNTED)(sync_calls)
counted_async = flow(flow_config=COUNTED)(async_calls)


@flow
def deep(count: int) -> float:
    """The sync calls, below fifty tasks."""
    return descend(DEPTH, count)


def sync_task(effort: Effort) -> list[Figure]:
    """A sync task, in a flow with the default config."""
    count = effort.of(CALLS)
    timed = compare(lambda: sync_by_hand(count), lambda: kept(count).execute().return_value, effort.rounds)
    return [timed.figure("a sync task", BUDGET)]


def async_task(effort: Effort) -> list[Figure]:
    """An async task, in a flow with the default config."""
    count = effort.of(CALLS)
    timed = compare(
        lambda: asyncio.run(async_by_hand(count)), lambda: kept_async(count).execute().return_value, effort.rounds
    )
    return [timed.figure("an async task", BUDGET)]


def deep_task(effort: Effort) -> list[Figure]:
    """A task below fifty others."""
    count = effort.of(CALLS)
    timed = compare(lambda: depth_by_hand(DEPTH, count), lambda: deep(count).execute().return_value, effort.rounds)
    return [timed.figure(f"a sync task at depth {DEPTH}", BUDGET)]


def million_tasks(effort: Effort) -> list[Figure]:
    """A task that is one of a million which are all kept, and how much dearer it is than one of a few."""
    count, few, rounds = effort.of(MILLION), effort.of(CALLS), effort.rounds_of(5)
    timed = compare(lambda: sync_by_hand(count), lambda: kept(count).execute().return_value, rounds)
    among_few = compare(lambda: sync_by_hand(few), lambda: kept(few).execute().return_value, rounds)
    slope = median(timed.subject) / median(among_few.subject)
    floor_slope = median(timed.floor) / median(among_few.floor)
    return [
        timed.figure(f"a sync task, n = {count:,}", BUDGET),
        Figure(f"  its time over one's at n = {few:,}", slope, "x", None, f"the floor's own: {floor_slope:.2f} x"),
    ]


def counted_task(effort: Effort) -> list[Figure]:
    """A task, sync and async, where `add_task_to_self` is off."""
    count = effort.of(CALLS)
    sync = compare(lambda: sync_by_hand(count), lambda: counted(count).execute().return_value, effort.rounds)
    unsync = compare(
        lambda: asyncio.run(async_by_hand(count)), lambda: counted_async(count).execute().return_value, effort.rounds
    )
    return [
        sync.figure("a sync task, add_task_to_self=False", BUDGET),
        unsync.figure("an async task, add_task_to_self=False", BUDGET),
    ]
