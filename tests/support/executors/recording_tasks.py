"""The tasks of the conformance suite that log, find, nest and repeat, each in a sync and an async form; see `tasks`."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Final

from flowscope import (
    INJECTED,
    Flow,
    Inject,
    Task,
    current_flow,
    current_task,
    submit,
    task,
)

from .tasks import Refused, crash, crash_async, tolerated, tolerated_async

LOGGER: Final = logging.getLogger("support.executors.tasks")


def speak(word: str) -> None:
    running = current_task()
    running.log_debug(f"{word} debug")
    running.log_error(f"{word} error")
    print(f"{word} printed")
    print(f"{word} to stderr", file=sys.stderr)
    LOGGER.warning("%s by logging", word)
    current_flow().log_info(f"{word} by the flow")
    print(f"{word} without end", end="")


@task
def say(word: str) -> str:
    speak(word)
    return word


@task
async def say_async(word: str) -> str:
    speak(word)
    await asyncio.sleep(0)
    return word


@task
def spell(word: str) -> None:
    for letter in word:
        print(letter, end="")
    print()


@task
async def spell_async(word: str) -> None:
    for letter in word:
        print(letter, end="")
        await asyncio.sleep(0)
    print()


def find(name: str) -> None:
    running = current_task()
    running.add_artifact(key=name, description="of the task", data={"name": name}, artifact_type="table")
    running.add_result(name, "of the task", [name])
    current_flow().add_flow_artifact(key=f"{name} flow", data=1)
    current_flow().add_flow_result(f"{name} flow", value=2)


@task
def discover(name: str) -> None:
    find(name)


@task
async def discover_async(name: str) -> None:
    find(name)


@task(tags=("inner",))
def inner(number: int) -> int:
    print(f"inner {number}")
    return number * number


@task(tags=("inner",))
async def inner_async(number: int) -> int:
    print(f"inner {number}")
    return number * number


@task(tags=("outer",))
def nest(number: int) -> int:
    print("before")
    return sum(inner(one) for one in range(1, number + 1))


@task(tags=("outer",))
async def nest_async(number: int) -> int:
    print("before")
    return sum([await inner_async(one) for one in range(1, number + 1)])


@task
def recurse(depth: int) -> int:
    return recurse(depth - 1) + 1 if depth else 0


@task
async def recurse_async(depth: int) -> int:
    return await recurse_async(depth - 1) + 1 if depth else 0


@task
def inner_crash(reason: str) -> None:
    tolerated(reason)
    crash(reason)


@task
async def inner_crash_async(reason: str) -> None:
    await tolerated_async(reason)
    await crash_async(reason)


@task
def submit_more(number: int) -> int:
    return sum(future.result() for future in [submit(inner, one) for one in range(1, number + 1)])


@task
async def submit_more_async(number: int) -> int:
    return sum([await future for future in [submit(inner_async, one) for one in range(1, number + 1)]])


@task
def submit_and_leave(number: int) -> None:
    submit(inner, number)


@task
async def submit_and_leave_async(number: int) -> None:
    submit(inner_async, number)


def refuse(times: int) -> int:
    attempt = current_task().attempt
    print(f"attempt {attempt}")
    if attempt <= times:
        raise Refused(f"not at attempt {attempt}")
    return attempt


@task(retries=3, retry_on=Refused)
def insist(times: int) -> int:
    return refuse(times)


@task(retries=3, retry_on=Refused)
async def insist_async(times: int) -> int:
    return refuse(times)


@task
def nested_insist(times: int) -> int:
    return insist(times)


@task
async def nested_insist_async(times: int) -> int:
    return await insist_async(times)


def open_number() -> Iterator[int]:
    print("opened")
    yield 5
    print("closed")


async def open_number_async() -> AsyncIterator[int]:
    print("opened")
    yield 5
    print("closed")


@dataclass
class Seen:
    """What was injected into a task, as far as it travels."""

    flow_id: str
    flow_name: str
    task_id: str
    task_name: str
    task_data: dict[str, Any]
    item: Any
    provided: Any
    opened: int
    same_flow: bool
    same_task: bool


def look(flow: Flow[Any], task_: Task, task_data: dict[str, Any], flow_data: Any, provided: Any, opened: int) -> Seen:
    return Seen(
        flow_id=flow.flow_id,
        flow_name=flow.flow_name,
        task_id=task_.task_id,
        task_name=task_.task_name,
        task_data=dict(task_data),
        item=flow_data["item"],
        provided=provided,
        opened=opened,
        same_flow=flow is current_flow(),
        same_task=task_ is current_task(),
    )


@task
def see(
    this_flow: Flow[Any] = INJECTED,
    this_task: Task = INJECTED,
    task_data: dict[str, Any] = INJECTED,
    flow_data: dict[str, Any] = INJECTED,
    provided: list[int] = INJECTED,
    opened: int = Inject(open_number),
) -> Seen:
    task_data["own"] = 1
    return look(this_flow, this_task, task_data, flow_data, provided, opened)


@task
async def see_async(
    this_flow: Flow[Any] = INJECTED,
    this_task: Task = INJECTED,
    task_data: dict[str, Any] = INJECTED,
    flow_data: dict[str, Any] = INJECTED,
    provided: list[int] = INJECTED,
    opened: int = Inject(open_number_async),
) -> Seen:
    task_data["own"] = 1
    return look(this_flow, this_task, task_data, flow_data, provided, opened)


@task
def write(key: str, value: Any, flow_data: dict[str, Any] = INJECTED) -> None:
    flow_data[key] = value


@task
async def write_async(key: str, value: Any, flow_data: dict[str, Any] = INJECTED) -> None:
    flow_data[key] = value


@task
def log_in(user: str, *, password: str) -> int:
    return check_password(user, password=password)


@task
async def log_in_async(user: str, *, password: str) -> int:
    return await check_password_async(user, password=password)


@task
def check_password(user: str, password: str) -> int:
    return len(password)


@task
async def check_password_async(user: str, password: str) -> int:
    return len(password)


def describe(running: Task) -> tuple[Any, ...]:
    return (
        running.task_id,
        running.task_name,
        running.attempt,
        running.status,
        running.flow.flow_id,
        running.remaining,
    )


@task
def introspect() -> tuple[Any, ...]:
    return describe(current_task())


@task
async def introspect_async() -> tuple[Any, ...]:
    return describe(current_task())
