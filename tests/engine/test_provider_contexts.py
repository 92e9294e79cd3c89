"""`Inject(provider, scope="flow")`: opened and closed in one context, and, if async, by one asyncio task."""

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextvars import ContextVar
from typing import Any

import anyio
import pytest

from flowscope import (
    Flow,
    FlowConfig,
    Inject,
    NoActiveFlowError,
    RunStatus,
    bind_context,
    current_task_or_none,
    flow,
    submit,
    task,
)

TENANT: ContextVar[str] = ContextVar("tenant", default="nobody")
QUIET = FlowConfig(raise_flow_error=False)


async def async_tenant() -> AsyncIterator[str]:
    token = TENANT.set("somebody")
    here = asyncio.current_task()
    try:
        await asyncio.sleep(0)
        yield TENANT.get()
    finally:
        await asyncio.sleep(0)
        assert asyncio.current_task() is here
        TENANT.reset(token)


def sync_tenant() -> Iterator[str]:
    token = TENANT.set("somebody")
    try:
        yield TENANT.get()
    finally:
        TENANT.reset(token)


def setting_function() -> str:
    TENANT.set("somebody")
    return TENANT.get()


async def setting_async_function() -> str:
    TENANT.set("somebody")
    return TENANT.get()


@task
async def async_step(name: str = Inject(async_tenant, scope="flow")) -> tuple[str, str]:
    return name, TENANT.get()


@task
async def mixed_step(name: str = Inject(sync_tenant, scope="flow")) -> tuple[str, str]:
    return name, TENANT.get()


@task
def sync_step(name: str = Inject(sync_tenant, scope="flow")) -> tuple[str, str]:
    return name, TENANT.get()


@task
def plain_step(name: str = Inject(setting_function, scope="flow")) -> tuple[str, str]:
    return name, TENANT.get()


@task
async def plain_async_step(name: str = Inject(setting_async_function, scope="flow")) -> tuple[str, str]:
    return name, TENANT.get()


async def gathered() -> Any:
    first, second = await asyncio.gather(async_step(), async_step())
    assert first == second
    return first


async def in_another_loop() -> Any:
    return await asyncio.to_thread(lambda: asyncio.run(async_step()))


WAYS: dict[str, Callable[[], Awaitable[Any]]] = {
    "awaited": lambda: async_step(),
    "in a task": lambda: asyncio.create_task(async_step()),
    "gathered": gathered,
    "of an async function": lambda: plain_async_step(),
    "sync in async": lambda: mixed_step(),
    "sync in a task": lambda: asyncio.create_task(mixed_step()),
    "in a thread": lambda: asyncio.to_thread(sync_step),
    "of a function": lambda: asyncio.to_thread(plain_step),
    "submitted": lambda: submit(sync_step),
    "submitted async": lambda: submit(async_step),
    "in another loop": in_another_loop,
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("executed", [True, False])
def test_what_a_provider_sets_stays_with_it(way: Callable[[], Awaitable[Any]], executed: bool) -> None:
    """It is reset where it was set, whoever asked first, and nobody else sees it; the flow completes."""

    @flow
    async def outer() -> Any:
        return await way(), TENANT.get()

    run = outer()
    if executed:
        run.execute()
    else:
        asyncio.run(run.execute_async())
    assert run.return_value == (("somebody", "nobody"), "nobody")
    assert run.flow_run.logs == [] or {entry.level for entry in run.flow_run.logs} == {"DEBUG"}


@pytest.mark.parametrize("step", [sync_step, plain_step])
def test_sync_flows_and_threads(step: Callable[[], tuple[str, str]]) -> None:
    """In a sync flow the value that a thread asked for first is closed in its context, too."""

    @flow
    def outer() -> Any:
        found: list[Any] = []

        def ask() -> None:
            found.append(step())

        thread = threading.Thread(target=bind_context(ask))
        thread.start()
        thread.join()
        return [*found, step()]

    assert outer().execute().return_value == [("somebody", "nobody")] * 2
    with Flow[Any]() as made:
        submit(step).result()
    assert made.succeeded


def test_an_async_provider_of_a_sync_flow_outlives_the_loops_that_use_it() -> None:
    """One asyncio task opens and closes it, although the loops of those who asked are closed by then."""

    @flow
    def outer() -> Any:
        return [asyncio.run(async_step()), asyncio.run(async_step()), submit(async_step).result()]

    before = threading.active_count()
    assert outer().execute().return_value == [("somebody", "nobody")] * 3
    assert threading.active_count() <= before + 2


async def test_a_sync_block_in_a_loop_closes_in_the_context() -> None:
    """A sync `with` block cannot await; what was opened in its loop is closed all the same, in its context."""
    seen: list[str] = []

    async def provider() -> AsyncIterator[int]:
        token = TENANT.set("somebody")
        yield 1
        await asyncio.sleep(0)
        seen.append(TENANT.get())
        TENANT.reset(token)

    @task
    async def ask(value: int = Inject(provider, scope="flow")) -> int:
        return value

    with Flow[Any]() as made:
        assert await asyncio.create_task(ask()) == 1
    assert made.succeeded
    assert seen == ["somebody"]


def test_a_function_that_returns_a_coroutine_closes_in_its_loop() -> None:
    """A sync function in front of an async one: what that opens is closed before its loop ends."""
    loops: list[Any] = []

    async def provider() -> AsyncIterator[int]:
        loops.append(asyncio.get_running_loop())
        yield 1
        loops.append(asyncio.get_running_loop())

    @task
    async def ask(value: int = Inject(provider, scope="flow")) -> int:
        loops.append(asyncio.get_running_loop())
        return value

    def front() -> Awaitable[int]:
        return ask()

    made = Flow[Any]().setup(front).execute()
    assert made.succeeded
    assert len(set(loops)) == 1
    loops.clear()
    asyncio.run(Flow[Any]().setup(front).execute_async())
    assert len(set(loops)) == 1


@pytest.mark.parametrize("ways", [1, 20])
async def test_a_task_group_is_left_by_the_task_that_entered_it(ways: int) -> None:
    """A provider may hold an anyio task group open, which tasks of the flow start things in."""
    started: list[int] = []

    async def work(number: int) -> None:
        await anyio.lowlevel.checkpoint()
        started.append(number)

    async def group() -> AsyncIterator[Any]:
        async with anyio.create_task_group() as opened:
            yield opened

    @task
    async def step(number: int, opened: Any = Inject(group, scope="flow")) -> None:
        opened.start_soon(work, number)

    @flow
    async def outer() -> None:
        await asyncio.gather(*(step(number) for number in range(ways)))

    assert (await outer()).succeeded
    assert sorted(started) == list(range(ways))


@pytest.mark.parametrize("library", ["anyio", "asyncio"])
async def test_a_task_group_that_fails_fails_the_flow(library: str) -> None:
    """What fails in the group of a provider while the flow goes on is the error of the flow in the end."""
    failed = asyncio.Event()

    async def work() -> None:
        failed.set()
        raise ValueError("in the group")

    async def group() -> AsyncIterator[Any]:
        if library == "anyio":
            async with anyio.create_task_group() as opened:
                yield lambda: opened.start_soon(work)
        else:
            async with asyncio.TaskGroup() as made:
                yield lambda: made.create_task(work())

    @task
    async def step(begin: Callable[[], object] = Inject(group, scope="flow")) -> int:
        begin()
        return 1

    @flow(flow_config=QUIET)
    async def outer() -> int:
        value = await step()
        await failed.wait()
        for _ in range(5):
            await asyncio.sleep(0)
        return value

    run = await outer()
    assert run.status is RunStatus.FAILED
    with pytest.RaisesGroup(pytest.RaisesExc(ValueError, match="in the group")):
        _ = run.return_value


async def test_a_deadline_that_a_provider_holds_open_does_not_end_the_flow() -> None:
    """A cancel scope of a provider cancels what runs inside it: the provider, not the tasks that use its value."""

    async def scope() -> AsyncIterator[anyio.CancelScope]:
        with anyio.CancelScope() as opened:
            yield opened

    @task
    async def step(opened: anyio.CancelScope = Inject(scope, scope="flow")) -> bool:
        opened.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return opened.cancel_called

    async with Flow[Any]() as made:
        assert await step()
    assert made.succeeded


class Opened:
    """A provider that waits while it opens, and tells what happens to it."""

    def __init__(self, outcomes: list[BaseException | None]) -> None:
        self.outcomes = outcomes
        self.log: list[str] = []
        self.begun = asyncio.Event()
        self.release = asyncio.Event()

    async def provide(self) -> AsyncIterator[str]:
        """Open when released."""
        self.log.append("begin")
        self.begun.set()
        try:
            await self.release.wait()
            if (outcome := self.outcomes.pop(0)) is not None:
                raise outcome
        except BaseException as error:
            self.log.append(type(error).__name__)
            await asyncio.sleep(0)
            raise
        yield "value"
        self.log.append("close")


async def test_cancelling_one_of_two_that_ask_leaves_the_other_its_value() -> None:
    """The first to ask may be cancelled: the opening goes on for the second."""
    provider = Opened([None])

    @task
    async def ask(value: str = Inject(provider.provide, scope="flow")) -> str:
        return value

    async with Flow[Any]() as made:
        first = asyncio.create_task(ask())
        await provider.begun.wait()
        second = asyncio.create_task(ask())
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        provider.release.set()
        assert await second == "value"
    assert provider.log == ["begin", "close"]
    assert [call.status for call in made.flow_run.tasks] == [RunStatus.CANCELLED, RunStatus.COMPLETED]


async def test_cancelling_the_last_that_asks_cancels_the_opening() -> None:
    """The provider has been unwound when the cancelled call ends; the next call opens it anew."""
    provider = Opened([None])

    @task
    async def ask(value: str = Inject(provider.provide, scope="flow")) -> str:
        return value

    async with Flow[Any]() as made:
        asking = [asyncio.create_task(ask()) for _ in range(3)]
        await provider.begun.wait()
        for each in asking:
            each.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        assert provider.log == ["begin", "CancelledError"]
        provider.release.set()
        assert await ask() == "value"
    assert made.succeeded
    assert provider.log == ["begin", "CancelledError", "begin", "close"]


async def test_two_that_ask_at_once_share_a_failure_once() -> None:
    """The call that opens it fails by its failure; the one that waited tries again, with success."""
    provider = Opened([OSError("not yet"), None])

    @task
    async def ask(value: str = Inject(provider.provide, scope="flow")) -> str:
        return value

    async with Flow[Any]():
        asking = [asyncio.create_task(ask()) for _ in range(2)]
        await provider.begun.wait()
        await asyncio.sleep(0)
        provider.release.set()
        outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(outcomes[0], OSError)
    assert outcomes[1] == "value"
    assert provider.log == ["begin", "OSError", "begin", "close"]


async def test_what_was_opened_for_a_provider_that_fails_is_closed_at_once() -> None:
    """The dependencies of a failed provider do not wait for the end of the flow, sync and async."""
    log: list[str] = []

    def base() -> Iterator[int]:
        log.append("open base")
        try:
            yield 1
        finally:
            log.append("close base")

    def sync_broken(value: int = Inject(base)) -> Iterator[int]:
        if value:
            raise OSError
        yield value

    async def async_broken(value: int = Inject(base)) -> AsyncIterator[int]:
        if value:
            raise OSError
        yield value

    @task
    def sync_ask(value: int = Inject(sync_broken, scope="flow")) -> int:
        return value

    @task
    async def async_ask(value: int = Inject(async_broken, scope="flow")) -> int:
        return value

    async with Flow[Any]():
        with pytest.raises(OSError):
            sync_ask()
        with pytest.raises(OSError):
            await async_ask()
        log.append("go on")
    assert log == ["open base", "close base", "open base", "close base", "go on"]


async def test_mixed_providers_close_in_reverse_order_with_the_error_of_the_flow() -> None:
    """Sync and async values, asked for from tasks and threads, are closed last opened first, each told the error."""
    log: list[str] = []
    boom = ValueError("boom")

    def provider(name: str) -> Callable[[], Iterator[str]]:
        def provide() -> Iterator[str]:
            try:
                yield name
            except ValueError as error:
                log.append(f"{name} {error is boom}")
                raise

        return provide

    def async_provider(name: str) -> Callable[[], AsyncIterator[str]]:
        async def provide() -> AsyncIterator[str]:
            try:
                yield name
            except ValueError as error:
                await asyncio.sleep(0)
                log.append(f"{name} {error is boom}")
                raise

        return provide

    one, two, three, four = provider("1"), async_provider("2"), provider("3"), async_provider("4")

    @task
    def sync_ask(a: str = Inject(one, scope="flow")) -> None: ...

    @task
    async def ask(b: str = Inject(two, scope="flow"), c: str = Inject(three, scope="flow")) -> None: ...

    @task
    async def ask_last(d: str = Inject(four, scope="flow")) -> None: ...

    made = Flow[Any]()
    with pytest.raises(ValueError):
        async with made:
            await asyncio.to_thread(sync_ask)
            await asyncio.create_task(ask())
            await asyncio.to_thread(lambda: asyncio.run(ask_last()))
            raise boom
    assert log == ["4 True", "3 True", "2 True", "1 True"]
    assert made.flow_error is boom


async def test_a_failing_close_in_the_task_of_the_provider_fails_the_flow() -> None:
    """What the closing of an async value raises is the error of a flow that had none, as the very object."""
    bad = OSError("cannot close")

    async def untidy() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(0)
        raise bad

    @task
    async def ask(value: int = Inject(untidy, scope="flow")) -> int:
        return value

    made = Flow[Any]()
    with pytest.raises(OSError) as caught:
        async with made:
            await ask()
    assert caught.value is bad
    assert made.status is RunStatus.FAILED


async def test_cancelling_the_flow_while_it_closes_cancels_the_closing() -> None:
    """A provider that is being closed sees the cancellation of the flow, which ends as cancelled."""
    log: list[str] = []
    closing = asyncio.Event()

    async def slow() -> AsyncIterator[int]:
        yield 1
        closing.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    @task
    async def ask(value: int = Inject(slow, scope="flow")) -> int:
        return value

    made = Flow[Any]().setup(ask)
    running = asyncio.create_task(made.execute_async())
    await closing.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert made.status is RunStatus.CANCELLED
    assert log == ["cancelled"]


def test_the_end_of_the_loop_closes_in_order_after_the_flow() -> None:
    """A flow that is cancelled with its loop still has its values while it cleans up; they are closed in order."""
    log: list[str] = []

    async def base() -> AsyncIterator[str]:
        try:
            yield "base"
        finally:
            await asyncio.sleep(0)
            log.append("close base")

    async def session(of: str = Inject(base, scope="flow")) -> AsyncIterator[str]:
        try:
            yield of
        finally:
            await asyncio.sleep(0)
            log.append("close session")

    @task
    async def ask(value: str = Inject(session, scope="flow")) -> str:
        return value

    @flow
    async def endless(asked: asyncio.Event) -> None:
        await ask()
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            log.append("clean up")

    async def main() -> asyncio.Task[Any]:
        asked = asyncio.Event()
        running = asyncio.create_task(endless(asked).execute_async())
        await asked.wait()
        return running

    assert asyncio.run(main()).cancelled()
    assert log == ["clean up", "close session", "close base"]


async def test_a_flow_whose_coroutine_is_dropped_closes_its_values() -> None:
    """When the coroutine of a running flow is closed, which cannot wait, its values are closed nevertheless."""
    log: list[str] = []

    async def provider() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            log.append("closed")

    @task
    async def ask(value: int = Inject(provider, scope="flow")) -> int:
        return value

    made = Flow[Any]()

    async def run() -> AsyncGenerator[int, None]:
        async with made:
            yield await ask()

    steps = run()
    assert await anext(steps) == 1
    await steps.aclose()
    assert log == ["closed"]
    assert made.status is RunStatus.CANCELLED


async def test_tasks_that_a_closing_provider_calls_belong_to_the_flow() -> None:
    """Where a value is closed, no task is running, whichever asked for it."""
    found: list[Any] = []

    @task
    def step() -> None: ...

    async def provider() -> AsyncIterator[int]:
        found.append(current_task_or_none() is not None)
        yield 1
        found.append(current_task_or_none() is not None)
        step()

    def sync_provider() -> Iterator[int]:
        found.append(current_task_or_none() is not None)
        yield 1
        found.append(current_task_or_none() is not None)
        step()

    @task
    async def ask(value: int = Inject(provider, scope="flow"), other: int = Inject(sync_provider, scope="flow")) -> int:
        return value + other

    async with Flow[Any]() as made:
        await ask()
    assert found == [True, True, False, False]
    assert [call.parent_task_id for call in made.flow_run.tasks] == [None, None, None]


def test_a_value_that_opens_after_its_flow_has_ended_is_closed_at_once() -> None:
    """A thread that was left behind while it opened a value closes that itself; its call has no flow any more."""
    entered, release, ended = threading.Event(), threading.Event(), threading.Event()
    log: list[object] = []

    def slow() -> Iterator[int]:
        entered.set()
        release.wait(30)
        try:
            yield 1
        except NoActiveFlowError:
            log.append("closed")
            raise

    @task
    def ask(value: int = Inject(slow, scope="flow")) -> int:
        return value

    def work() -> None:
        try:
            ask()
        except NoActiveFlowError as error:
            log.append(error.wanted)
        ended.set()

    with Flow[Any]():
        thread = threading.Thread(target=bind_context(work))
        thread.start()
        entered.wait(30)
    release.set()
    thread.join(30)
    assert log == ["closed", "provider 'slow'"]


async def test_no_value_is_kept_after_the_flow() -> None:
    """Neither the task of a provider nor its value outlives the run, also where the flow is kept, or fails to open it."""
    before = asyncio.all_tasks()
    values: list[weakref.ref[object]] = []

    class Value:
        """Something that can be seen to go."""

    async def provider() -> AsyncIterator[Value]:
        value = Value()
        values.append(weakref.ref(value))
        if len(values) == 1:
            raise OSError
        yield value

    @task
    async def ask(value: Value = Inject(provider, scope="flow")) -> bool:
        return value is values[-1]()

    @flow(flow_config=QUIET)
    async def outer() -> bool:
        return await ask()

    failed, made = await outer(), await outer()
    assert (failed.succeeded, made.return_value) == (False, True)
    assert asyncio.all_tasks() == before
    del failed
    gc.collect()
    assert [value() for value in values] == [None, None]
