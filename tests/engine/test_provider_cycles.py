"""Flow-scoped providers whose opening needs their own value are refused, instead of waiting for ever."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from flowscope import AsyncioExecutor, Inject, InjectionError, ThreadExecutor, flow, submit, task, use_executor


async def opened_by_itself() -> AsyncIterator[object]:
    """Open with the function of the test."""
    yield await OPENING[0]()


def opened_by_itself_at_once() -> Iterator[object]:
    """The sync sibling."""
    yield OPENING[0]()


async def made_by_itself() -> object:
    """One that is closed by nobody."""
    return await OPENING[0]()


OPENING: list[Callable[[], Any]] = []


@pytest.fixture(autouse=True)
def empty_opening() -> Iterator[None]:
    """Forget the opening of the test."""
    yield
    OPENING.clear()


@task
async def ask(value: object = Inject(opened_by_itself, scope="flow")) -> object:
    """Ask for the async one."""
    return value


@task
async def ask_for_made(value: object = Inject(made_by_itself, scope="flow")) -> object:
    """Ask for the one that is closed by nobody."""
    return value


@task
def ask_at_once(value: object = Inject(opened_by_itself_at_once, scope="flow")) -> object:
    """Ask for the sync one."""
    return value


@task
async def ask_for_sync(value: object = Inject(opened_by_itself_at_once, scope="flow")) -> object:
    """Ask for the sync one in an async task."""
    return value


async def gathered(asking: Callable[[], Awaitable[object]]) -> object:
    """Ask in two asyncio tasks."""
    return await asyncio.gather(asking(), asking())


async def submitted(asking: Callable[[], Awaitable[object]]) -> object:
    """Ask in a submitted task."""
    with use_executor(AsyncioExecutor()):
        return await submit(asking)


async def in_a_thread(asking: Callable[[], Awaitable[object]]) -> object:
    """Ask in a thread with an event loop of its own."""
    return await asyncio.to_thread(lambda: asyncio.run(called(asking)))


async def called(asking: Callable[[], Awaitable[object]]) -> object:
    """Ask in a direct call."""
    return await asking()


@pytest.mark.parametrize("asking", [ask, ask_for_made])
@pytest.mark.parametrize("way", [called, gathered, submitted, in_a_thread])
def test_an_async_provider_whose_opening_asks_for_it_is_refused(
    asking: Callable[[], Awaitable[object]], way: Callable[[Any], Awaitable[object]]
) -> None:
    """The call that has asked first fails, and the flow with it."""
    OPENING.append(lambda: way(asking))

    @flow
    async def work() -> object:
        return await asking()

    with pytest.raises(InjectionError, match="its own opening waits for it"):
        work().execute()


def submitted_to_a_thread() -> object:
    """Ask in a submitted task, and wait for that."""
    with use_executor(ThreadExecutor(1)):
        return submit(ask_at_once).result()


@pytest.mark.parametrize("way", [ask_at_once, submitted_to_a_thread, lambda: asyncio.run(called(ask_for_sync))])
def test_a_sync_provider_whose_opening_asks_for_it_is_refused(way: Callable[[], object]) -> None:
    """It is a typed error, and neither a recursion nor a wait for the own thread."""
    OPENING.append(way)
    with pytest.raises(InjectionError, match="its own opening waits for it"):
        flow(lambda: ask_at_once())().execute()


def test_two_that_open_at_once_and_need_each_other_are_refused() -> None:
    """Each is being opened when the other one asks for it."""
    began = [asyncio.Event(), asyncio.Event()]

    async def left() -> object:
        began[0].set()
        await began[1].wait()
        return await ask_right()

    async def right() -> object:
        began[1].set()
        await began[0].wait()
        return await ask_left()

    @task
    async def ask_left(value: object = Inject(left, scope="flow")) -> object:
        return value

    @task
    async def ask_right(value: object = Inject(right, scope="flow")) -> object:
        return value

    @flow
    async def work() -> list[object]:
        return list(await asyncio.gather(ask_left(), ask_right(), return_exceptions=True))

    assert [type(each) for each in work().execute().return_value] == [InjectionError] * 2


def test_a_refused_opening_may_be_tried_again() -> None:
    """The next call opens it anew, also from what the failed opening has left running."""
    answers: list[object] = []

    async def opening() -> object:
        if not answers:
            answers.append("began")
            return await ask()
        return "value"

    OPENING.append(opening)

    @flow
    async def work() -> object:
        with pytest.raises(InjectionError):
            await ask()
        return await ask()

    assert work().execute().return_value == "value"


def test_what_an_opening_has_started_may_ask_after_it() -> None:
    """An asyncio task of the opening gets the value when there is one."""
    left: list[asyncio.Task[object]] = []
    may_ask = asyncio.Event()

    async def later() -> object:
        await may_ask.wait()
        return await ask()

    async def opening() -> object:
        left.append(asyncio.create_task(later()))
        return "value"

    OPENING.append(opening)

    @flow
    async def work() -> list[object]:
        first = await ask()
        may_ask.set()
        return [first, await left[0]]

    assert work().execute().return_value == ["value", "value"]


def test_openings_that_need_others_wait_for_them() -> None:
    """Threads that ask for a chain of providers at once get its values."""

    def first() -> object:
        return object()

    @task
    def ask_first(value: object = Inject(first, scope="flow")) -> object:
        return value

    def second() -> object:
        return ask_first()

    @task
    def ask_second(value: object = Inject(second, scope="flow")) -> object:
        start.wait()
        return ask_first() is value

    start = threading.Barrier(2)

    @flow
    def work() -> list[object]:
        with use_executor(ThreadExecutor(2)):
            return [future.result() for future in [submit(ask_second), submit(ask_second)]]

    assert work().execute().return_value == [True, True]
