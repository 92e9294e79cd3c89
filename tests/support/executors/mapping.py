"""How the tests of `map_tasks` read maps."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flowscope import (
    Flow,
    FlowConfig,
    TaskMap,
    task,
)

from .gate import Address, pass_gate, pass_gate_async
from .tasks import echo, echo_async

TASKS = pytest.mark.parametrize("mapped", [echo, echo_async], ids=["sync", "async"])


WAYS = pytest.mark.parametrize("way", ["iter", "aiter", "iter completed", "aiter completed"])


class Counting:
    """An iterator that counts how far it was advanced."""

    def __init__(self, items: Iterator[int] | None = None) -> None:
        self._items = items or itertools.count()
        self.taken = 0

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        item = next(self._items)
        self.taken += 1
        return item


def take(results: TaskMap[Any], way: str, count: int | None = None) -> list[Any]:
    """The first results, iterated over in one of the four ways, in a flow."""
    chosen = results.as_completed() if "completed" in way else results

    async def first() -> list[Any]:
        found: list[Any] = []
        async for item in chosen:
            found.append(item)
            if len(found) == count:
                break
        return found

    if "aiter" in way:
        return asyncio.run(first())
    return list(itertools.islice(iter(chosen), count))


def run(function: Callable[[], Any], *, awaits: bool = False, **options: Any) -> Flow[Any]:
    """Run a function as a flow."""
    made = Flow[Any](flow_config=FlowConfig(raise_flow_error=False, **options))

    async def body() -> Any:
        return await function()

    return made.setup(body if awaits else function).execute()


@task
def hold_named(at: tuple[Address, str]) -> str:
    """Wait at a gate, and return the name."""
    pass_gate(*at)
    return at[1]


@task
async def hold_named_async(at: tuple[Address, str]) -> str:
    """Wait at a gate, and return the name."""
    await pass_gate_async(*at)
    return at[1]
