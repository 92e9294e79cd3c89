"""Providers and exceptions: those of the call, and those of the providers themselves."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from flowscope import Flow, Inject, InjectionError, RunStatus, flow, task

LOG: list[str] = []


@pytest.fixture(autouse=True)
def empty_log() -> None:
    """Forget what other tests have opened."""
    LOG.clear()


def resource(name: str) -> Callable[[], Iterator[str]]:
    """A provider that writes down its life."""

    def provide() -> Iterator[str]:
        LOG.append(f"open {name}")
        try:
            yield name
        except BaseException as error:
            LOG.append(f"{name} saw {error!r}")
            raise
        finally:
            LOG.append(f"close {name}")

    return provide


def resource_later(name: str) -> Callable[[], AsyncIterator[str]]:
    """An async provider that writes down its life."""

    async def provide() -> AsyncIterator[str]:
        await asyncio.sleep(0)
        LOG.append(f"open {name}")
        try:
            yield name
        except BaseException as error:
            LOG.append(f"{name} saw {error!r}")
            raise
        finally:
            await asyncio.sleep(0)
            LOG.append(f"close {name}")

    return provide


async def test_a_failure_is_thrown_in_at_the_yield() -> None:
    """The exception of a failed call is raised in each provider, the last opened first, and is not changed by it."""
    boom = ValueError("boom")

    @task
    def work(a: str = Inject(resource("a")), b: str = Inject(resource("b"))) -> None:
        raise boom

    @task
    async def work_later(a: str = Inject(resource("a")), b: str = Inject(resource_later("b"))) -> None:
        raise boom

    async with Flow[None]():
        with pytest.raises(ValueError) as caught:
            work()
        assert caught.value is boom
        sync_log = list(LOG)
        LOG.clear()
        with pytest.raises(ValueError) as caught:
            await work_later()
        assert caught.value is boom
    saw = "saw ValueError('boom')"
    assert sync_log == LOG == ["open a", "open b", f"b {saw}", "close b", f"a {saw}", "close a"]


async def test_a_provider_cannot_hide_a_failure() -> None:
    """A provider that swallows what is thrown in, or raises something else instead, leaves the call's error as it is."""
    boom = ValueError("boom")

    def swallows() -> Iterator[int]:
        with suppress(ValueError):
            yield 1

    async def replaces() -> AsyncIterator[int]:
        try:
            yield 1
        except ValueError:
            raise KeyError("instead")

    @task
    async def work(a: int = Inject(swallows), b: int = Inject(replaces)) -> None:
        raise boom

    async with Flow[None]() as made:
        with pytest.raises(ValueError) as caught:
            await work()
    assert caught.value is boom
    assert any("replaces" in e.message and "instead" in e.message for e in made.flow_run.logs)


@pytest.mark.parametrize("tolerant", [False, True])
async def test_a_provider_that_fails_to_open_fails_the_call(tolerant: bool) -> None:
    """An exception while a provider opens is the call's own: recorded, noted, tolerated; the opened are closed."""
    boom = OSError("no connection")

    def broken() -> str:
        raise boom

    async def broken_later() -> AsyncIterator[str]:
        for name in LOG:
            if name:
                raise boom
            yield name

    def sync_work(a: str = Inject(resource("a")), b: str = Inject(broken)) -> str:
        return pytest.fail("ran")

    async def async_work(a: str = Inject(resource("a")), b: str = Inject(broken_later)) -> str:
        return pytest.fail("ran")

    decorator: Any = task(raise_on_error=False) if tolerant else task()
    sync_task, async_task = decorator(sync_work), decorator(async_work)
    async with Flow[None]() as made:
        for call in (sync_task, async_task):
            try:
                answer = call()
                result = answer if call is sync_task else await answer
            except OSError as error:
                assert not tolerant
                assert error is boom
            else:
                assert tolerant
                assert result is None
    assert [t.status for t in made.flow_run.tasks] == [RunStatus.FAILED] * 2
    assert LOG.count("close a") == 2
    assert LOG.count("a saw OSError('no connection')") == 2


async def test_a_provider_that_fails_to_close_fails_the_call() -> None:
    """After a success, an exception of a provider's closing is the call's error; the others are closed with it."""
    boom = OSError("cannot close")

    def untidy() -> Iterator[int]:
        yield 1
        raise boom

    async def untidy_later() -> AsyncIterator[int]:
        yield 1
        raise boom

    @task
    def work(a: str = Inject(resource("a")), b: int = Inject(untidy)) -> str:
        return "value"

    @task(raise_on_error=False)
    async def work_later(a: str = Inject(resource("a")), b: int = Inject(untidy_later)) -> str:
        return "value"

    async with Flow[None]() as made:
        with pytest.raises(OSError) as caught:
            work()
        assert await work_later() is None
    assert caught.value is boom
    assert [(t.status, t.return_value) for t in made.flow_run.tasks] == [(RunStatus.FAILED, None)] * 2
    assert LOG == ["open a", "a saw OSError('cannot close')", "close a"] * 2


def test_a_flow_whose_provider_fails_has_failed() -> None:
    """Providers of a flow function fail the flow: at their opening and at their closing."""

    def broken() -> str:
        raise OSError("open")

    def untidy() -> Iterator[int]:
        yield 1
        raise OSError("close")

    def opens(a: str = Inject(broken)) -> None: ...

    def closes(a: int = Inject(untidy)) -> str:
        return "value"

    for function in (opens, closes):
        made = Flow[Any]().setup(function)
        with pytest.raises(OSError):
            made.execute()
        assert made.status is RunStatus.FAILED
        assert isinstance(made.flow_error, OSError)


async def test_a_provider_yields_exactly_once() -> None:
    """A generator that yields nothing, or twice, is an `InjectionError` of the call that names it."""

    def nothing() -> Iterator[int]:
        yield from ()

    def twice() -> Iterator[int]:
        yield 1
        yield 2

    async def twice_later() -> AsyncIterator[int]:
        yield 1
        yield 2

    for provider, told in (
        (nothing, "nothing.*Let it yield once"),
        (twice, "twice.*Let it yield the value once"),
        (twice_later, "twice_later.*Let it yield the value once"),
    ):

        @task
        async def work(a: Any = Inject(provider)) -> None: ...

        async with Flow[None]():
            with pytest.raises(InjectionError, match=told):
                await work()


def test_a_stop_iteration_of_a_call_closes_its_providers() -> None:
    """A failed call whose exception is a `StopIteration` comes back as the very object, its providers closed."""
    stop = StopIteration("stop")

    @task
    def work(a: str = Inject(resource("a"))) -> None:
        raise stop

    with Flow[None]() as made, pytest.raises(BaseException) as caught:
        work()
    assert caught.value is stop
    assert LOG[0] == "open a"
    assert LOG[-1] == "close a"
    assert made.flow_run.tasks[0].status is RunStatus.FAILED


async def test_all_are_closed_even_if_closing_one_fails_after_a_failure() -> None:
    """When a call and the closing of a provider fail, the others are closed too, and the call's error is the error."""
    boom = ValueError("boom")

    def bad() -> Iterator[int]:
        try:
            yield 1
        finally:
            raise KeyError("bad closing")

    @flow
    def run(a: str = Inject(resource("a")), b: int = Inject(bad), c: str = Inject(resource("c"))) -> None:
        raise boom

    made = run()
    with pytest.raises(ValueError) as caught:
        made.execute()
    assert caught.value is boom
    assert [entry for entry in LOG if entry.startswith("close")] == ["close c", "close a"]
    assert any("bad closing" in e.message for e in made.flow_run.logs)
