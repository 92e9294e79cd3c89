"""The work by hand: the floor."""

import asyncio
from typing import ClassVar

from ..floor import HandRecord, async_by_hand, sync_by_hand
from ..measure import allocated
from .peer import Peer

__all__ = ["ByHand"]


class ByHand(Peer):
    """No library. An empty flow is one more hand-instrumented call."""

    tasks: ClassVar = 20_000
    flows: ClassVar = 20_000

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
