"""What a scenario of the conformance suite waits with, so that it is written once for sync and for async flows.

A scenario is a coroutine function that awaits nothing but the methods of a `Here`. In a sync flow these block, and so
the coroutine runs from its start to its end in one step.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from flowscope import FlowRun, LogEntry, TaskFuture, TaskMap

from .gate import Gate, Visitor

__all__ = ["Here", "said", "stepped", "wait_for"]

T = TypeVar("T")


@dataclass(frozen=True)
class Here:
    """How a flow waits: by `await`, or by blocking its thread."""

    awaits: bool

    async def value(self, future: TaskFuture[T]) -> T:
        """The value of a submitted call."""
        return await future if self.awaits else future.result()

    async def values(self, futures: list[TaskFuture[T]]) -> list[T]:
        """The values of submitted calls."""
        return [await self.value(future) for future in futures]

    async def error(self, future: TaskFuture[object]) -> BaseException:
        """What a submitted call raises."""
        try:
            await self.value(future)
        except BaseException as error:
            return error
        pytest.fail("nothing was raised")

    async def items(self, results: TaskMap[T]) -> list[T]:
        """All results of `map_tasks`."""
        return [item async for item in results] if self.awaits else list(results)

    async def visitors(self, gate: Gate, count: int = 1) -> list[Visitor]:
        """Those who have arrived at the gate, when they are so many."""
        return await asyncio.to_thread(gate.wait_for, count) if self.awaits else gate.wait_for(count)

    async def gone(self, visitor: Visitor) -> None:
        """Wait until somebody has left the gate."""
        await asyncio.to_thread(visitor.wait_gone) if self.awaits else visitor.wait_gone()


def stepped(scenario: Awaitable[T]) -> T:
    """Run a coroutine that never has to wait for an event loop, and return its value."""
    steps = scenario.__await__()
    try:
        next(steps)
    except StopIteration as end:
        value: T = end.value
        return value
    pytest.fail("a scenario of a sync flow has awaited something")


def said(record: FlowRun[Any]) -> list[LogEntry]:
    """The log entries of tasks."""
    return [entry for entry in record.logs if entry.task_id is not None]


async def wait_for(future: TaskFuture[T]) -> T:
    """Await a future: what takes coroutines alone takes this."""
    return await future
