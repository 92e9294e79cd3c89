"""The tasks of the conformance suite that take time, each in a sync and an async form; see `tasks`."""

import asyncio
import time

from flowscope import current_task, task

from .gate import Address, pass_gate, pass_gate_async
from .tasks import Refused, deep


@task(retries=2, retry_delay=30)
def wait_long_before_retry(gate: Address) -> None:
    pass_gate(gate)
    raise Refused("and again in half a minute")


@task(retries=2, retry_delay=30)
async def wait_long_before_retry_async(gate: Address) -> None:
    await pass_gate_async(gate)
    raise Refused("and again in half a minute")


@task
def hold(gate: Address, name: str = "") -> str:
    pass_gate(gate, name)
    return name


@task
async def hold_async(gate: Address, name: str = "") -> str:
    await pass_gate_async(gate, name)
    return name


@task
def hold_talking(gate: Address, word: str) -> str:
    print(f"{word} before")
    pass_gate(gate, word)
    print(f"{word} after")
    return word


@task
async def hold_talking_async(gate: Address, word: str) -> str:
    print(f"{word} before")
    await pass_gate_async(gate, word)
    print(f"{word} after")
    return word


@task
def hold_then_crash(gate: Address, reason: str) -> None:
    pass_gate(gate)
    deep(reason)


@task
async def hold_then_crash_async(gate: Address, reason: str) -> None:
    await pass_gate_async(gate)
    deep(reason)


@task
def hold_inside(gate: Address) -> None:
    hold(gate, "inside")


@task
async def hold_inside_async(gate: Address) -> None:
    await hold_async(gate, "inside")


@task(timeout=0.2)
def expire(gate: Address) -> None:
    print("started")
    pass_gate(gate, "expiring")


@task(timeout=0.2)
async def expire_async(gate: Address) -> None:
    print("started")
    await pass_gate_async(gate, "expiring")


@task(timeout=0.2, retries=1, raise_on_error=False)
def expire_twice(gate: Address) -> None:
    pass_gate(gate, str(current_task().attempt))


@task(timeout=0.2, retries=1, raise_on_error=False)
async def expire_twice_async(gate: Address) -> None:
    await pass_gate_async(gate, str(current_task().attempt))


@task(timeout=30)
def in_time(number: int) -> tuple[int, bool]:
    remaining = current_task().remaining
    return number, remaining is not None and 0 < remaining <= 30


@task(timeout=30)
async def in_time_async(number: int) -> tuple[int, bool]:
    remaining = current_task().remaining
    return number, remaining is not None and 0 < remaining <= 30


@task
def take_time(seconds: float) -> float:
    """Be busy for so long; return how long it was."""
    started = time.monotonic()
    while time.monotonic() < started + seconds:
        pass
    return time.monotonic() - started


@task
async def take_time_async(seconds: float) -> float:
    """Be busy for so long; return how long it was."""
    started = time.monotonic()
    while time.monotonic() < started + seconds:
        await asyncio.sleep(0)
    return time.monotonic() - started
