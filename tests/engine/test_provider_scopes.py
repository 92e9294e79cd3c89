"""`Inject(provider, scope="flow")`: one value for a whole run."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from flowscope import INJECTED, Flow, FlowConfig, Inject, RunStatus, Task, bind_context, flow, task

LOG: list[str] = []


@pytest.fixture(autouse=True)
def empty_log() -> None:
    """Forget what other tests have opened."""
    LOG.clear()


def pool() -> Iterator[object]:
    LOG.append("open pool")
    try:
        yield object()
    except BaseException as error:
        LOG.append(f"pool saw {error!r}")
        raise
    finally:
        LOG.append("close pool")


async def pool_later() -> AsyncIterator[object]:
    await asyncio.sleep(0)
    LOG.append("open later")
    try:
        yield object()
    finally:
        await asyncio.sleep(0)
        LOG.append("close later")


@task
def use(shared: object = Inject(pool, scope="flow")) -> object:
    return shared


@task
async def use_later(shared: object = Inject(pool_later, scope="flow")) -> object:
    return shared


def test_one_value_serves_the_whole_run() -> None:
    """Every task, and the flow's function, gets the same value, which is closed when the flow has ended."""

    @task
    def other(mine: object = Inject(pool, scope="flow")) -> object:
        return mine

    @flow
    def run(shared: object = Inject(pool, scope="flow")) -> bool:
        same = [use(), use(), other(), shared]
        LOG.append("run")
        return len({id(each) for each in same}) == 1

    assert run().execute().return_value is True
    assert LOG == ["open pool", "run", "close pool"]


def test_it_is_opened_only_if_it_is_asked_for() -> None:
    """A flow none of whose tasks asks opens nothing; an explicit argument does not ask."""
    with Flow[None]():
        given = object()
        assert use(given) is given
    assert LOG == []


def test_each_run_has_its_own() -> None:
    """Two flows, and two runs of one flow, have a value each; so has a nested flow."""
    values: list[object] = []
    made = Flow[None]().setup(lambda: values.append(use()))
    made.execute()
    made.execute()
    with Flow[None]():
        values.append(use())
        with Flow[None]():
            values.append(use())
    assert len({id(value) for value in values}) == 4
    assert LOG.count("open pool") == LOG.count("close pool") == 4


def test_threads_that_ask_at_once_share_one_value() -> None:
    """When many threads ask at the same moment, the provider is called once."""
    barrier, values = threading.Barrier(16), list[object]()

    def work() -> None:
        barrier.wait(30)
        values.append(use())

    with Flow[None]():
        threads = [threading.Thread(target=bind_context(work), daemon=True) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(values) == 16
    assert len({id(value) for value in values}) == 1
    assert LOG == ["open pool", "close pool"]


async def test_asyncio_tasks_that_ask_at_once_share_one_value() -> None:
    """When many asyncio tasks ask while the provider is still opening, it is called once."""

    @flow
    async def run() -> list[object]:
        return [*await asyncio.gather(*(use_later() for _ in range(50)))]

    values = (await run()).return_value
    assert len({id(value) for value in values}) == 1
    assert LOG == ["open later", "close later"]


def test_event_loops_that_ask_at_once_share_one_value() -> None:
    """Async tasks in the loops of several threads share one value of an async provider, opened once."""
    entered, release, opened = threading.Event(), threading.Event(), list[int]()

    async def slow_pool() -> AsyncIterator[object]:
        opened.append(1)
        entered.set()
        await asyncio.to_thread(release.wait, 30)
        yield object()

    @task
    async def ask(shared: object = Inject(slow_pool, scope="flow")) -> object:
        return shared

    values, errors = list[object](), list[BaseException]()

    def work() -> None:
        try:
            values.append(asyncio.run(ask()))
        except BaseException as error:
            errors.append(error)

    with Flow[None]():
        threads = [threading.Thread(target=bind_context(work), daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        entered.wait(30)
        release.set()
        for thread in threads:
            thread.join(5)
    assert errors == []
    assert len(values) == 3
    assert len({id(value) for value in values}) == 1
    assert opened == [1]


def test_an_async_value_outlives_the_loop_it_was_opened_in() -> None:
    """In a sync flow a value opened in the loop of one async task is not closed before the flow ends."""

    @task
    async def ask(shared: object = Inject(pool_later, scope="flow")) -> object:
        LOG.append("ask")
        return shared

    with Flow[None]():
        first = asyncio.run(ask())
        second = asyncio.run(ask())
        LOG.append("end of block")
    assert first is second
    assert LOG == ["open later", "ask", "ask", "end of block", "close later"]


async def test_values_are_closed_in_reverse_order_of_their_opening() -> None:
    """At the end of the flow what was opened last is closed first; providers that need others are closed before them."""

    def session(base: object = Inject(pool, scope="flow")) -> Iterator[object]:
        LOG.append("open session")
        yield base
        LOG.append("close session")

    @task
    async def work(s: object = Inject(session, scope="flow"), l: object = Inject(pool_later, scope="flow")) -> None: ...

    async with Flow[None]():
        await work()
        await work()
    assert LOG == ["open pool", "open session", "open later", "close later", "close session", "close pool"]


def test_the_failure_of_the_flow_is_thrown_in() -> None:
    """A flow that fails throws its error in at the `yield`; a task that fails, and is caught, does not."""
    boom = ValueError("boom")

    @task
    def fails(shared: object = Inject(pool, scope="flow")) -> None:
        raise KeyError("caught")

    @flow(flow_config=FlowConfig(raise_flow_error=False))
    def run() -> None:
        with pytest.raises(KeyError):
            fails()
        LOG.append("went on")
        raise boom

    made = run().execute()
    assert made.flow_error is boom
    assert LOG == ["open pool", "went on", "pool saw ValueError('boom')", "close pool"]


def test_a_failing_close_fails_the_flow() -> None:
    """What is raised while a flow-wide value is closed is the flow's error, unless it has one already."""
    bad = OSError("cannot close")

    def untidy() -> Iterator[int]:
        yield 1
        raise bad

    @task
    def work(shared: int = Inject(untidy, scope="flow")) -> int:
        return shared

    made = Flow[int]().setup(work)
    with pytest.raises(OSError) as caught:
        made.execute()
    assert caught.value is bad
    assert made.status is RunStatus.FAILED
    assert made.flow_error is bad
    block = Flow[None]()
    with pytest.raises(OSError), block:
        work()
    assert block.status is RunStatus.FAILED


def test_a_failing_open_fails_the_call_and_is_tried_again_by_the_next() -> None:
    """A provider that fails to open fails the call that asked; the next call that asks opens it."""
    outcomes: list[Any] = [OSError("not yet"), "ready"]

    def shy() -> str:
        outcome = outcomes.pop(0)
        if isinstance(outcome, OSError):
            raise outcome
        text: str = outcome
        return text

    @task
    def work(shared: str = Inject(shy, scope="flow")) -> str:
        return shared

    with Flow[None]() as made:
        with pytest.raises(OSError):
            work()
        assert work() == work() == "ready"
    assert made.succeeded
    assert [t.status for t in made.flow_run.tasks] == [RunStatus.FAILED, RunStatus.COMPLETED, RunStatus.COMPLETED]


def test_retries_share_the_value() -> None:
    """The attempts of a retried call share a flow-wide value, which sees none of their failures."""
    seen: set[int] = set()

    @task(retries=2)
    def shaky(this_task: Task = INJECTED, shared: object = Inject(pool, scope="flow")) -> None:
        seen.add(id(shared))
        if this_task.attempt < 3:
            raise ValueError

    with Flow[None]():
        shaky()
    assert len(seen) == 1
    assert LOG == ["open pool", "close pool"]


def test_values_are_open_while_tasks_run_and_tasks_may_be_called_while_they_open() -> None:
    """A flow-wide provider may itself call tasks, which are recorded, while it opens and while it closes."""

    @task
    def step(name: str) -> None:
        LOG.append(name)

    def busy() -> Iterator[int]:
        step("opening")
        yield 1
        step("closing")

    @task
    def work(shared: int = Inject(busy, scope="flow")) -> None:
        step("working")

    with Flow[None]() as made:
        work()
    assert LOG == ["opening", "working", "closing"]
    assert [t.status for t in made.flow_run.tasks] == [RunStatus.COMPLETED] * 4
