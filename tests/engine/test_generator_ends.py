"""How generator tasks end: by a break, an exception, an interrupt, or badly."""

import asyncio
from collections.abc import AsyncGenerator, Generator, Iterator
from typing import Any

import pytest

from flowscope import Flow, RunStatus, current_task_or_none, task


@task
def step(n: int) -> int:
    return n


def statuses(made: Flow[Any], name: str) -> list[RunStatus]:
    """The statuses of the tasks of one name."""
    return [t.status for t in made.flow_run.tasks if t.task_name == name]


def test_breaking_out_closes_the_task() -> None:
    """Leaving the loop early runs the generator's `finally`, inside the task, and completes it."""
    seen: list[object] = []

    @task
    def endless() -> Generator[int, None, None]:
        try:
            while True:
                yield 1
        finally:
            seen.append(current_task_or_none())
            step(7)

    with Flow[None]() as made:
        stepping = endless()
        for _ in stepping:
            break
        stepping.close()
        assert current_task_or_none() is None
    assert statuses(made, "endless") == [RunStatus.COMPLETED]
    assert seen == [made.executed_tasks[0]]
    assert made.flow_run.tasks[1].parent_task_id == made.flow_run.tasks[0].task_id
    assert made.flow_run.tasks[0].return_value is None


def test_its_own_exception_propagates_with_one_note() -> None:
    """What the generator raises comes out of `next` as the very object, noted once; the task has failed."""
    boom = ValueError("boom")

    @task
    def broken() -> Iterator[int]:
        yield 1
        raise boom

    with Flow[None]() as made:
        stepping = broken()
        assert next(stepping) == 1
        with pytest.raises(ValueError) as caught:
            next(stepping)
        assert list(stepping) == []
    assert caught.value is boom
    assert len(boom.__notes__) == 1
    assert "broken" in boom.__notes__[0]
    assert statuses(made, "broken") == [RunStatus.FAILED]


def test_a_tolerant_one_just_ends() -> None:
    """With `raise_on_error=False` a failing generator ends its iteration; the failure is logged and recorded."""

    @task(raise_on_error=False)
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("boom")

    with Flow[None]() as made:
        iterator = broken()
        assert iterator is not None
        assert list(iterator) == [1]
    assert made.succeeded
    assert statuses(made, "broken") == [RunStatus.FAILED]
    assert [e.level for e in made.flow_run.logs] == ["ERROR"]


def test_an_interrupt_cancels_it() -> None:
    """A `KeyboardInterrupt` in a step passes through, and the task is cancelled."""

    @task
    def interrupted() -> Iterator[int]:
        yield 1
        raise KeyboardInterrupt

    made = Flow[None]()
    with pytest.raises(KeyboardInterrupt), made:
        list(interrupted())
    assert statuses(made, "interrupted") == [RunStatus.CANCELLED]
    assert made.status is RunStatus.CANCELLED


def test_what_is_raised_while_it_is_closed_propagates() -> None:
    """An exception of the generator's own clean-up comes out of `close`, and the task has failed."""
    boom = ValueError("boom")

    @task
    def untidy() -> Generator[int, None, None]:
        try:
            yield 1
        finally:
            raise boom

    with Flow[None]() as made:
        stepping = untidy()
        next(stepping)
        with pytest.raises(ValueError) as caught:
            stepping.close()
    assert caught.value is boom
    assert statuses(made, "untidy") == [RunStatus.FAILED]


def test_one_that_refuses_to_be_closed_fails_as_ever() -> None:
    """A generator that yields while it is closed gives Python's `RuntimeError`, and the task has failed."""

    @task
    def stubborn() -> Generator[int, None, None]:
        while True:
            try:
                yield 1
            except GeneratorExit:
                yield 2

    with Flow[None]() as made:
        stepping = stubborn()
        next(stepping)
        with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
            stepping.close()
        assert current_task_or_none() is None
        assert statuses(made, "stubborn") == [RunStatus.FAILED]


def test_one_that_is_advanced_inside_itself_fails_as_ever() -> None:
    """A generator that advances itself gives Python's `ValueError`, and the context is as it was."""
    made_here: list[Iterator[int]] = []

    @task
    def biting() -> Iterator[int]:
        yield 1
        yield next(made_here[0])

    with Flow[None]() as made:
        made_here.append(biting())
        assert next(made_here[0]) == 1
        with pytest.raises(ValueError, match="already executing"):
            next(made_here[0])
        assert current_task_or_none() is None
    assert statuses(made, "biting") == [RunStatus.FAILED]


def test_the_end_of_an_inner_iterator_is_an_error_as_ever() -> None:
    """A `StopIteration` that escapes inside the generator becomes Python's `RuntimeError`, not a silent end."""

    @task
    def careless() -> Iterator[int]:
        yield 1
        nothing: Iterator[int] = iter([])
        yield next(nothing)

    with Flow[None]() as made, pytest.raises(RuntimeError, match="StopIteration"):
        list(careless())
    assert statuses(made, "careless") == [RunStatus.FAILED]


def test_a_generator_may_delegate_to_another() -> None:
    """`yield from` a generator task inside one makes it a child, with values, sends and results passed on."""

    @task
    def inner() -> Generator[str, str, str]:
        received = yield "first"
        return received

    @task
    def outer() -> Generator[str, str, str]:
        return (yield from inner())

    with Flow[None]() as made:
        stepping = outer()
        assert next(stepping) == "first"
        with pytest.raises(StopIteration) as stopped:
            stepping.send("sent")
    assert stopped.value.value == "sent"
    parent, child = made.flow_run.tasks
    assert child.parent_task_id == parent.task_id
    assert (parent.return_value, child.return_value) == ("sent", "sent")


def test_a_thrown_exit_ends_it_like_a_close() -> None:
    """`throw(GeneratorExit)` ends the generator, and the task is completed or cancelled, never left open."""

    @task
    def plain() -> Generator[int, None, None]:
        yield 1

    with Flow[None]() as made:
        stepping = plain()
        next(stepping)
        with pytest.raises((GeneratorExit, StopIteration)):
            stepping.throw(GeneratorExit())
        assert statuses(made, "plain")[0] in {RunStatus.COMPLETED, RunStatus.CANCELLED}


async def test_a_cancellation_thrown_into_an_async_one_cancels_it() -> None:
    """A `CancelledError` thrown in at the `yield` passes through as the very object; the task is cancelled."""
    stop = asyncio.CancelledError("stop")

    @task
    async def waiting() -> AsyncGenerator[int, None]:
        yield 1

    async with Flow[None]() as made:
        stepping = waiting()
        await anext(stepping)
        with pytest.raises(asyncio.CancelledError) as caught:
            await stepping.athrow(stop)
        assert caught.value is stop
    assert statuses(made, "waiting") == [RunStatus.CANCELLED]


async def test_an_async_one_that_fails_while_it_is_closed() -> None:
    """An exception of an async generator's clean-up comes out of `aclose`, and the task has failed."""
    boom = ValueError("boom")

    @task
    async def untidy() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            raise boom

    async with Flow[None]() as made:
        stepping = untidy()
        await anext(stepping)
        with pytest.raises(ValueError) as caught:
            await stepping.aclose()
    assert caught.value is boom
    assert statuses(made, "untidy") == [RunStatus.FAILED]


def test_closing_twice_is_harmless() -> None:
    """A second `close`, or one after the end, does nothing and records nothing."""

    @task
    def plain() -> Generator[int, None, None]:
        yield step(1)

    with Flow[None]() as made:
        stepping = plain()
        assert list(stepping) == [1]
        stepping.close()
        stepping.close()
    assert statuses(made, "plain") == [RunStatus.COMPLETED]
    assert len(made.executed_tasks) == 2
