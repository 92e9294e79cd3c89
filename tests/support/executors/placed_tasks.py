"""Tasks that say where they run, where worker processes can import them."""

import os
import threading
from typing import Any

from flowscope import (
    Flow,
    submit,
    task,
)

from .tasks import deep, locate, locate_async

Place = tuple[int, str]
"""The process and the thread in which a task ran."""


@task(executor="process")
def in_process() -> Place:
    print("here")
    return os.getpid(), threading.current_thread().name


@task(executor="process")
async def in_process_async() -> Place:
    print("here")
    return os.getpid(), threading.current_thread().name


@task(executor="thread")
def in_thread() -> Place:
    print("here")
    return os.getpid(), threading.current_thread().name


@task(executor="thread")
async def in_thread_async() -> Place:
    print("here")
    return os.getpid(), threading.current_thread().name


@task(executor="asyncio")
def in_loop() -> Place:
    print("here")
    return os.getpid(), threading.current_thread().name


@task(executor="asyncio")
async def in_loop_async() -> Place:
    print("here")
    return os.getpid(), threading.current_thread().name


@task(executor="process")
def crash_there(reason: str) -> None:
    deep(reason)


@task(executor="process")
async def crash_there_async(reason: str) -> None:
    deep(reason)


@task(executor="process", raise_on_error=False, retries=1)
def tolerated_there(reason: str) -> None:
    deep(reason)


@task(executor="process")
def call_others_there() -> list[Place]:
    """Calls of tasks that want a process, in one."""
    return [in_process(), submit(in_process).result(), locate(), submit(locate).result(), in_thread()]


@task(executor="process")
async def call_others_there_async() -> list[Place]:
    """Calls of tasks that want a process, in one."""
    return [
        await in_process_async(),
        await submit(in_process_async),
        await submit(locate_async),
        await in_thread_async(),
    ]


def executors_of(made: Flow[Any]) -> list[str]:
    """Where the record says that tasks ran."""
    return [task.executor for task in made.flow_run.tasks]


def here() -> Place:
    return os.getpid(), threading.current_thread().name


@task(executor="process")
def in_number(number: int) -> int:
    return number


@task(executor="thread", timeout=0.1)
def waits_in_thread(release: threading.Event) -> None:
    release.wait(30)
