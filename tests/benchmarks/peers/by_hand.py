"""The work by hand: the floor."""

import asyncio
from typing import ClassVar

from ..floor import HandRecord, async_by_hand, sync_by_hand
from ..measure import allocated
from .peer import GraphPeer, TaskPeer

__all__ = ["ByHand"]


class ByHand(TaskPeer, GraphPeer):
    """No library. An empty flow, and an activation in a graph, are one more hand-instrumented call."""

    tasks: ClassVar = 20_000
    flows: ClassVar = 20_000
    jobs: ClassVar = 20

    def sync_task(self, count: int) -> float:
        return sync_by_hand(count)

    def async_task(self, count: int) -> float:
        return asyncio.run(async_by_hand(count))

    def empty_flow(self, count: int) -> float:
        return sync_by_hand(count)

    def task_memory(self, count: int) -> float:
        before = allocated()
        records = [HandRecord("noop", number << 40, number << 41, None) for number in range(count)]
        held = allocated() - before
        return held / len(records)

    def chain(self, size: int, jobs: int) -> float:
        return sync_by_hand(size * jobs)

    def fan_out(self, size: int, jobs: int) -> float:
        return sync_by_hand(size * jobs)
