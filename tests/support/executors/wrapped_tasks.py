"""Tasks behind a decorator that knows nothing of coroutines, where worker processes can import them."""

import asyncio
import functools
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import ParamSpec, TypeVar

from flowscope import RunStatus, current_task, submit, task

from .gate import Address, pass_gate_async

P = ParamSpec("P")
R = TypeVar("R")
Place = tuple[int, str, bool]
"""The process, the thread, and whether the event loop is that of the flow."""

flow_loops: list[asyncio.AbstractEventLoop] = []
"""The event loop of the flow under test."""


def passing_on(function: Callable[P, R]) -> Callable[P, R]:
    """A decorator that knows nothing of coroutines."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(*args, **kwargs)

    return wrapper


@task
async def inner(number: int) -> int:
    await asyncio.sleep(0)
    return number


@task
@passing_on
async def double(number: int) -> int:
    """Print, call a task, submit another one, and give the double."""
    await asyncio.sleep(0)
    print(f"doubling {number}")
    return await inner(number) + await submit(inner, number)


@task
@passing_on
async def place() -> Place:
    """Tell where the coroutine runs."""
    await asyncio.sleep(0)
    return os.getpid(), threading.current_thread().name, asyncio.get_running_loop() in flow_loops


@task(retries=1)
@passing_on
async def flaky(number: int) -> int:
    """Fail once."""
    await asyncio.sleep(0)
    if current_task().attempt == 1:
        raise ValueError(number)
    return number


@task(raise_on_error=False)
@passing_on
async def tolerated() -> int:
    """Fail, and be None."""
    raise ValueError("x")


@task
@passing_on
async def broken() -> int:
    """Fail."""
    await asyncio.sleep(0)
    raise ValueError("broken")


@task
@passing_on
async def at_gate(address: Address) -> None:
    """Wait until the test says so, which it does not."""
    await pass_gate_async(address, "coroutine")


@task(timeout=1.0)
@passing_on
async def late(address: Address) -> None:
    """Wait at a gate for longer than there is time."""
    await pass_gate_async(address, "late")


@task
@passing_on
def rows() -> Iterator[int]:
    """A generator."""
    yield 1


@task
@passing_on
async def rows_async() -> AsyncIterator[int]:
    """An async generator."""
    yield 1


@task(executor="thread")
@passing_on
async def in_thread(number: int) -> int:
    """Run in a thread, also where it is called."""
    await asyncio.sleep(0)
    assert current_task().status is RunStatus.RUNNING
    return number


@task(executor="process")
@passing_on
async def in_process(number: int) -> int:
    """Run in a process, also where it is called."""
    await asyncio.sleep(0)
    print(f"there {number}")
    return number


@task(executor="process")
@passing_on
async def broken_in_process() -> int:
    """Fail in a process."""
    await asyncio.sleep(0)
    raise ValueError("broken")


@task(executor="thread")
@passing_on
async def meeting(*, first: threading.Event, second: threading.Event) -> bool:
    """Wait for another one, that is called only after this one."""
    first.set()
    return await asyncio.to_thread(second.wait, 30)


@task(executor="thread")
def failing_early() -> object:
    """Fail before there is a coroutine."""
    raise ValueError("early")
