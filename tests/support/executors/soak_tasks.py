"""The tasks of the soak, in a sync and an async form, where worker processes can import them."""

import asyncio
import gc
import os
import sys
import threading

import psutil

from flowscope import current_task, task

from .process_tasks import Boom

__all__ = ["FORMS"]


@task
def quick(number: int) -> int:
    return 2 * number


@task
async def quick_async(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


@task
def talk(number: int) -> int:
    print(f"{number} printed")
    current_task().log_info(f"{number} logged")
    current_task().add_result(str(number), value=number)
    return number


@task
async def talk_async(number: int) -> int:
    print(f"{number} printed")
    await asyncio.sleep(0)
    current_task().log_info(f"{number} logged")
    current_task().add_result(str(number), value=number)
    return number


@task
def fail(number: int) -> int:
    raise Boom(number)


@task
async def fail_async(number: int) -> int:
    raise Boom(number)


@task(raise_on_error=False)
def tolerate(number: int) -> int:
    raise Boom(number)


@task(raise_on_error=False)
async def tolerate_async(number: int) -> int:
    raise Boom(number)


@task(retries=1)
def insist(number: int) -> int:
    if current_task().attempt == 1:
        raise Boom(number)
    return number


@task(retries=1)
async def insist_async(number: int) -> int:
    if current_task().attempt == 1:
        raise Boom(number)
    return number


@task
def nest(number: int) -> int:
    return quick(number) + quick(number)


@task
async def nest_async(number: int) -> int:
    return sum(await asyncio.gather(quick_async(number), quick_async(number)))


@task(timeout=0.03)
def expire(number: int) -> int:
    threading.Event().wait(2)
    return number


@task(timeout=0.03)
async def expire_async(number: int) -> int:
    await asyncio.sleep(30)
    return number


@task
def die(number: int) -> int:
    os._exit(3)


@task
async def die_async(number: int) -> int:
    os._exit(3)


@task
def belongings(number: int) -> tuple[float, int, int]:
    """Call, say and find something; return the megabytes, file handles and objects of this process."""
    nest(number)
    talk(number)
    gc.collect()
    me = psutil.Process()
    handles = me.num_fds() if sys.platform != "win32" else 0
    return me.memory_info().rss / 2**20, handles, len(gc.get_objects())


@task
def nest_many(count: int) -> None:
    for number in range(count):
        quick(number)


FORMS = {
    "quick": (quick, quick_async),
    "talk": (talk, talk_async),
    "fail": (fail, fail_async),
    "tolerate": (tolerate, tolerate_async),
    "insist": (insist, insist_async),
    "nest": (nest, nest_async),
    "expire": (expire, expire_async),
    "die": (die, die_async),
}
