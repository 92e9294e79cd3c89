"""The tasks of the conformance suite, each in a sync and an async form, where worker processes can import them."""

import asyncio
import contextvars
import os
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

from flowscope import (
    task,
)


class Crash(Exception):
    """An exception with attributes, made by positional arguments."""

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason, code)
        self.reason = reason
        self.code = code


class Refused(Exception):
    """An exception that only the tasks that retry know."""


class Stubborn(Exception):
    """An exception that pickle cannot make again."""

    def __init__(self, first: str, *, second: str) -> None:
        super().__init__(f"{first} {second}")


@task
def add(left: int, right: int = 10, *, times: int = 1) -> int:
    return (left + right) * times


@task
async def add_async(left: int, right: int = 10, *, times: int = 1) -> int:
    await asyncio.sleep(0)
    return (left + right) * times


@task
def echo(value: Any) -> Any:
    return value


@task
async def echo_async(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


@task
def locate() -> tuple[int, str]:
    return os.getpid(), threading.current_thread().name


@task
async def locate_async() -> tuple[int, str]:
    return os.getpid(), threading.current_thread().name


def deep(reason: str) -> None:
    raise Crash(reason, 7) from LookupError("the root of it")


@task
def crash(reason: str) -> None:
    deep(reason)


@task
async def crash_async(reason: str) -> None:
    await asyncio.sleep(0)
    deep(reason)


@task(raise_on_error=False)
def tolerated(reason: str) -> str:
    deep(reason)
    return "not reached"


@task(raise_on_error=False)
async def tolerated_async(reason: str) -> str:
    deep(reason)
    return "not reached"


@task
def stubborn() -> None:
    raise Stubborn("first", second="second")


@task
async def stubborn_async() -> None:
    raise Stubborn("first", second="second")


@task
def give_up(kind: type[BaseException]) -> None:
    raise kind("enough")


@task
async def give_up_async(kind: type[BaseException]) -> None:
    raise kind("enough")


@task(validate=True)
def halve(number: int) -> float:
    return number / 2


@task(validate=True)
async def halve_async(number: int) -> float:
    return number / 2


VARIABLE: Final = contextvars.ContextVar("VARIABLE", default="default")


@task
def read_variable() -> str:
    value = VARIABLE.get()
    VARIABLE.set("changed by a task")
    return value


@task
async def read_variable_async() -> str:
    value = VARIABLE.get()
    VARIABLE.set("changed by a task")
    return value


@task
def generator(count: int) -> Iterator[int]:
    yield from range(count)


@task
async def async_generator(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


class Account:
    """A plain class with a task."""

    def __init__(self, balance: int) -> None:
        self.balance = balance

    @task
    def plus(self, amount: int) -> int:
        return self.balance + amount

    @task
    async def plus_async(self, amount: int) -> int:
        return self.balance + amount
