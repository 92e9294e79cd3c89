"""Tasks that submit to the pool that they run in, and wait."""

import asyncio
from types import TracebackType

from flowscope import (
    Executor,
    map_tasks,
    submit,
    task,
)


class unclosed:
    """A block that closes its executor at the normal end alone: after a deadlock that would never end."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def __enter__(self) -> Executor:
        return self._executor

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self._executor.close()

    async def __aenter__(self) -> Executor:
        return self._executor

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            await asyncio.to_thread(self._executor.close)


@task
def deep(levels: int) -> int:
    """Submit itself, and wait."""
    return submit(deep, levels - 1).result() + 1 if levels else 0


@task
async def deep_async(levels: int) -> int:
    """Submit itself, and wait."""
    return await submit(deep_async, levels - 1) + 1 if levels else 0


@task
def alternating(levels: int) -> int:
    """Submit the async form, and wait."""
    return submit(alternating_async, levels - 1).result() + 1 if levels else 0


@task
async def alternating_async(levels: int) -> int:
    """Submit the sync form, and wait."""
    return await submit(alternating, levels - 1) + 1 if levels else 0


@task
def wide(levels: int) -> int:
    """Submit itself three times, and wait for the last one first."""
    if levels == 0:
        return 1
    futures = [submit(wide, levels - 1) for _ in range(3)]
    return sum(future.result() for future in reversed(futures))


@task
async def wide_async(levels: int) -> int:
    """Submit itself three times, and wait for all."""
    if levels == 0:
        return 1
    return sum(await asyncio.gather(*(submit(wide_async, levels - 1) for _ in range(3))))


@task
def mapped(levels: int) -> int:
    """Map itself."""
    return sum(map_tasks(mapped, [levels - 1] * 3)) if levels else 1


@task
def mapped_completed(levels: int) -> int:
    """Map itself, in the order of completion."""
    return sum(map_tasks(mapped_completed, [levels - 1] * 3).as_completed()) if levels else 1


@task
async def mapped_async(levels: int) -> int:
    """Map itself."""
    return sum([one async for one in map_tasks(mapped_async, [levels - 1] * 3)]) if levels else 1


@task
async def mapped_completed_async(levels: int) -> int:
    """Map itself, in the order of completion."""
    if not levels:
        return 1
    return sum([one async for one in map_tasks(mapped_completed_async, [levels - 1] * 3).as_completed()])


@task
async def mapped_sync_async(levels: int) -> int:
    """Map the sync form."""
    return sum([one async for one in map_tasks(mapped, [levels - 1] * 3).as_completed()]) if levels else 1
