"""The work in flowscope."""

import asyncio
from time import perf_counter_ns
from typing import ClassVar

from flowscope import flow, task

from ..floor import noop, noop_async
from ..graphs import chain, executed, fan_out
from ..measure import allocated
from .peer import GraphPeer, TaskPeer

__all__ = ["Flowscope"]

step = task(noop)
step_async = task(noop_async)


@flow
def calls(count: int) -> float:
    """Call so many tasks."""
    began = perf_counter_ns()
    for number in range(count):
        step(number)
    return (perf_counter_ns() - began) / count


@flow
async def awaits(count: int) -> float:
    """Await so many tasks."""
    began = perf_counter_ns()
    for number in range(count):
        await step_async(number)
    return (perf_counter_ns() - began) / count


@flow
def held(count: int) -> float:
    """Call so many tasks, and weigh them."""
    before = allocated()
    for _ in range(count):
        step(1)
    return (allocated() - before) / count


@flow
def empty() -> None:
    """Do nothing."""


class Flowscope(TaskPeer, GraphPeer):
    """This library, with the default config."""

    tasks: ClassVar = 20_000
    flows: ClassVar = 2_000
    jobs: ClassVar = 5

    def sync_task(self, count: int) -> float:
        return calls(count).execute().return_value

    def async_task(self, count: int) -> float:
        return asyncio.run(_awaited(count))

    def empty_flow(self, count: int) -> float:
        began = perf_counter_ns()
        for _ in range(count):
            empty().execute()
        return (perf_counter_ns() - began) / count

    def task_memory(self, count: int) -> float:
        return held(count).execute().return_value

    def chain(self, size: int, jobs: int) -> float:
        with chain(size, "sequential") as graph:
            return executed(graph, size, jobs)

    def fan_out(self, size: int, jobs: int) -> float:
        with fan_out(size, "sequential") as graph:
            return executed(graph, size, jobs)


async def _awaited(count: int) -> float:
    return (await awaits(count)).return_value
