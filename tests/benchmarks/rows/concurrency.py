"""What concurrency costs: one large gather, and many flows in one loop."""

import asyncio
from time import perf_counter_ns
from typing import Final

from flowscope import flow, task

from ..figures import Effort, Figure
from ..floor import bare_gather, flows_by_hand, nap
from ..measure import compare, repeated

__all__ = ["concurrent_flows", "gathered_tasks"]

GATHER_BUDGET: Final = 2.0
FLOWS_BUDGET: Final = 3.0
GATHERED: Final = 10_000
FLOWS: Final = 1_000
TASKS: Final = 10
TIMES: Final = 5
"""Repetitions in each turn."""

step = task(nap)


@flow
async def gathered(count: int) -> float:
    """Gather so many tasks; nanoseconds per task."""
    began = perf_counter_ns()
    await asyncio.gather(*(step(number) for number in range(count)))
    return (perf_counter_ns() - began) / count


@flow
async def ten() -> None:
    """Await ten tasks, one after the other."""
    for number in range(TASKS):
        await step(number)


async def flows_at_once(count: int) -> float:
    """Run so many flows in one loop; nanoseconds per flow."""
    began = perf_counter_ns()
    await asyncio.gather(*(ten() for _ in range(count)))
    return (perf_counter_ns() - began) / count


def gathered_tasks(effort: Effort) -> list[Figure]:
    """A gather of async tasks, against the gather of the same functions without a decorator."""
    count = effort.of(GATHERED)
    timed = compare(
        repeated(lambda: asyncio.run(bare_gather(count)), TIMES),
        repeated(lambda: gathered(count).execute().return_value, TIMES),
        effort.rounds_of(10),
    )
    return [timed.figure(f"gather of {count:,} async tasks", GATHER_BUDGET)]


def concurrent_flows(effort: Effort) -> list[Figure]:
    """Flows in one loop, against hand-instrumented coroutines that do the same."""
    count = effort.of(FLOWS)
    timed = compare(
        repeated(lambda: asyncio.run(flows_by_hand(count, TASKS)), TIMES),
        repeated(lambda: asyncio.run(flows_at_once(count)), TIMES),
        effort.rounds_of(10),
    )
    return [timed.figure(f"{count:,} concurrent flows of {TASKS} tasks", FLOWS_BUDGET)]
