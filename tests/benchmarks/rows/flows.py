"""What a flow costs: created, executed and dropped."""

import asyncio
from time import perf_counter_ns
from typing import Final

from flowscope import flow

from ..figures import Effort, Figure
from ..floor import async_by_hand, sync_by_hand
from ..measure import compare

__all__ = ["empty_flow"]

BUDGET: Final = 60.0
FLOWS: Final = 2_000
CALLS: Final = 20_000


@flow
def empty() -> None:
    """Do nothing."""


@flow
async def empty_async() -> None:
    """Do nothing."""


def flows(count: int) -> float:
    """Create, execute and drop so many flows; nanoseconds per flow."""
    began = perf_counter_ns()
    for _ in range(count):
        empty().execute()
    return (perf_counter_ns() - began) / count


async def async_flows(count: int) -> float:
    """Create, await and drop so many flows; nanoseconds per flow."""
    began = perf_counter_ns()
    for _ in range(count):
        await empty_async()
    return (perf_counter_ns() - began) / count


def empty_flow(effort: Effort) -> list[Figure]:
    """An empty flow, against the hand-instrumented call."""
    calls, count = effort.of(CALLS), effort.of(FLOWS)
    sync = compare(lambda: sync_by_hand(calls), lambda: flows(count), effort.rounds)
    awaited = compare(lambda: asyncio.run(async_by_hand(calls)), lambda: asyncio.run(async_flows(count)), effort.rounds)
    return [
        sync.figure("an empty flow", BUDGET),
        awaited.figure("an empty async flow, awaited", BUDGET),
    ]
