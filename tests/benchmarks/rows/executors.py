"""What it costs to let tasks run elsewhere."""

import asyncio
import multiprocessing
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from time import perf_counter_ns, sleep
from typing import Final

from flowscope import ProcessExecutor, ThreadExecutor, flow, submit, task, use_executor

from ..figures import Effort, Figure
from ..measure import compare

__all__ = ["process_tasks", "submitting"]

PROCESS_BUDGET: Final = 1.3
WORKERS: Final = 2
NAPS: Final = 200
NAP_SECONDS: Final = 0.005
SUBMITS: Final = 10_000
PROCESS_SUBMITS: Final = 1_000


def nap(number: int) -> int:
    """Five milliseconds of work that needs no processor."""
    sleep(NAP_SECONDS)
    return number


def nothing(number: int) -> int:
    """Return at once."""
    return number


async def nothing_async(number: int) -> int:
    """Return at once."""
    return number


@task
def nap_task(number: int) -> int:
    """Five milliseconds of work that needs no processor."""
    sleep(NAP_SECONDS)
    return number


@task
def nothing_task(number: int) -> int:
    """Return at once."""
    return number


@task
async def nothing_async_task(number: int) -> int:
    """Return at once."""
    return number


@flow
def submit_all(work: Callable[[int], int], count: int) -> int:
    """Submit a task so many times, and read what it returns."""
    futures = [submit(work, number) for number in range(count)]
    return sum(future.result() for future in futures)


@flow
async def submit_all_async(count: int) -> int:
    """Submit an async task so many times, and await what it returns."""
    futures = [submit(nothing_async_task, number) for number in range(count)]
    return sum([await future for future in futures])


async def create_all(count: int) -> int:
    """Make asyncio tasks, and await what they return."""
    tasks = [asyncio.create_task(nothing_async(number)) for number in range(count)]
    return sum([await one for one in tasks])


def by_hand(pool: Executor, work: Callable[[int], int], count: int) -> float:
    """The same with `concurrent.futures`; nanoseconds per call."""
    began = perf_counter_ns()
    futures = [pool.submit(work, number) for number in range(count)]
    assert sum(future.result() for future in futures) == sum(range(count))
    return (perf_counter_ns() - began) / count


def submitted(work: Callable[[int], int], count: int) -> float:
    """Nanoseconds per submitted task."""
    began = perf_counter_ns()
    assert submit_all(work, count).execute().return_value == sum(range(count))
    return (perf_counter_ns() - began) / count


def awaited(count: int) -> float:
    """Nanoseconds per submitted async task."""
    began = perf_counter_ns()
    assert submit_all_async(count).execute().return_value == sum(range(count))
    return (perf_counter_ns() - began) / count


def created(count: int) -> float:
    """Nanoseconds per asyncio task."""
    began = perf_counter_ns()
    assert asyncio.run(create_all(count)) == sum(range(count))
    return (perf_counter_ns() - began) / count


def process_tasks(effort: Effort) -> list[Figure]:
    """Tasks in two worker processes that are there already, against `concurrent.futures` with the same."""
    naps, calls = effort.of(NAPS), effort.of(PROCESS_SUBMITS)
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(WORKERS, mp_context=context) as pool, ProcessExecutor(WORKERS) as executor:
        with use_executor(executor):
            rounds = effort.rounds_of(5)
            slow = compare(lambda: by_hand(pool, nap, naps), lambda: submitted(nap_task, naps), rounds)
            empty = compare(lambda: by_hand(pool, nothing, calls), lambda: submitted(nothing_task, calls), rounds)
    return [
        slow.figure(f"{naps} process tasks of 5 ms on 2 workers", PROCESS_BUDGET),
        empty.figure("an empty process task, to ProcessPoolExecutor.submit", None),
    ]


def submitting(effort: Effort) -> list[Figure]:
    """An empty task that is submitted, against the plain way to the same place."""
    count = effort.of(SUBMITS)
    loop = compare(lambda: created(count), lambda: awaited(count), effort.rounds)
    with ThreadPoolExecutor(WORKERS) as pool, ThreadExecutor(WORKERS) as executor, use_executor(executor):
        thread = compare(lambda: by_hand(pool, nothing, count), lambda: submitted(nothing_task, count), effort.rounds)
    return [
        loop.figure("submit on asyncio, to asyncio.create_task", None),
        thread.figure("submit to a thread, to ThreadPoolExecutor.submit", None),
    ]
