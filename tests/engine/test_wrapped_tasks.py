"""Tasks whose sync function returns a coroutine or generator of its own: a plain wrapper, a lambda or a mock."""

import asyncio
import functools
import gc
import inspect
import sys
import threading
import types
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from contextlib import aclosing, closing
from typing import Any, ParamSpec, TypeVar
from unittest.mock import AsyncMock, Mock

import pytest

from flowscope import (
    DefinitionError,
    EventType,
    Flow,
    FlowConfig,
    FlowEvent,
    Inject,
    NoActiveTaskError,
    ParameterError,
    RunStatus,
    Task,
    TaskRun,
    bind_context,
    current_task,
    current_task_or_none,
    flow,
    task,
)

P = ParamSpec("P")
R = TypeVar("R")


def passing_on(function: Callable[P, R]) -> Callable[P, R]:
    """A decorator that knows nothing of coroutines."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(*args, **kwargs)

    return wrapper


async def double(number: int) -> int:
    await asyncio.sleep(0)
    print(f"doubling {number}")
    return number * 2


class Doubling:
    def __call__(self, number: int) -> Coroutine[Any, Any, int]:
        return double(number)


class Doubler:
    @task
    @passing_on
    async def double(self, number: int) -> int:
        return await double(number)


def _marked() -> Callable[..., Any]:
    """A function that says of itself that it is a coroutine function, in the way of this version of Python."""

    def marked(number: int) -> Coroutine[Any, Any, int]:
        return double(number)

    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(marked)
    vars(marked)["_is_coroutine"] = vars(asyncio.coroutines)["_is_coroutine"]
    return marked


@types.coroutine
def _old_style(number: int) -> Generator[Any, Any, int]:
    result = yield from double(number).__await__()
    return result


def _in_front_of(function: Callable[[int], Any]) -> Callable[[int], Any]:
    return lambda number: function(number)


FORMS: dict[str, Callable[..., Any]] = {
    "wrapper": passing_on(double),
    "lambda": _in_front_of(double),
    "partial": functools.partial(passing_on(double)),
    "callable object": Doubling(),
    "async mock": AsyncMock(side_effect=double),
    "mock": Mock(side_effect=double),
    "method": Doubler().double.__wrapped__.__get__(Doubler()),  # type: ignore[attr-defined]
    "marked": _marked(),
    "generator coroutine": _in_front_of(_old_style),
}


def only(flow_: Flow[Any]) -> TaskRun:
    (call,) = flow_.flow_run.tasks
    return call


def executed(body: Callable[[], Coroutine[Any, Any, R]]) -> Flow[R]:
    """A flow of that body that has ended."""
    run: Flow[R] = flow(flow_config=FlowConfig(raise_flow_error=False))(body)()
    return run.execute()


@pytest.mark.parametrize("form", FORMS)
def test_a_task_of_every_form_lasts_until_its_coroutine_has_ended(form: str) -> None:
    """The value is that of the coroutine, the print inside belongs to the task, and there is one start and one end."""
    double_task = task(task_name="double")(FORMS[form])
    seen: list[FlowEvent] = []

    @flow
    async def outer() -> list[int]:
        return [await double_task(2), *await asyncio.gather(double_task(3), double_task(4))]

    run = outer()
    run.add_listener(seen.append, EventType.TASK_START, EventType.TASK_STOP)
    run.execute()
    assert run.return_value == [4, 6, 8]
    assert [(call.status, call.return_value) for call in run.flow_run.tasks] == [
        (RunStatus.COMPLETED, value) for value in (4, 6, 8)
    ]
    lines = {line.message: line.task_id for line in run.captured_logs() if line.source == "stdout"}
    assert [lines[f"doubling {number}"] for number in (2, 3, 4)] == [call.task_id for call in run.flow_run.tasks]
    assert len(seen) == 6
    assert inspect.iscoroutinefunction(double_task) == inspect.iscoroutinefunction(FORMS[form])


async def test_methods_behind_a_wrapper_are_awaited() -> None:
    """A wrapped async method is a task of its object."""

    @flow
    async def outer() -> int:
        return await Doubler().double(5)

    run = await outer()
    assert run.return_value == 10
    assert only(run).input_args == [5]


def test_the_context_is_the_task_inside_and_the_callers_outside() -> None:
    """The wrapper and the coroutine run in the task, what calls them does not, and tasks in them are its children."""

    @task
    async def inner() -> str:
        return current_task().task_name

    @task
    def outer_task() -> Coroutine[Any, Any, list[str]]:
        names = [current_task().task_name]

        async def rest() -> list[str]:
            return [*names, current_task().task_name, await inner(), current_task().task_name]

        return rest()

    @flow
    async def outer() -> list[str]:
        coroutine = outer_task()
        with pytest.raises(NoActiveTaskError):
            current_task()
        names = await coroutine
        with pytest.raises(NoActiveTaskError):
            current_task()
        return names

    run = outer().execute()
    assert run.return_value == ["outer_task", "outer_task", "inner", "outer_task"]
    first, second = run.flow_run.tasks
    assert second.parent_task_id == first.task_id


def test_errors_of_the_coroutine_are_those_of_the_task() -> None:
    """The very exception comes out, and the record has it."""
    error = ValueError("late")

    @task
    @passing_on
    async def broken() -> int:
        await asyncio.sleep(0)
        raise error

    async def outer() -> int:
        return await broken()

    run = executed(outer)
    assert run.flow_error is error
    assert only(run).status == RunStatus.FAILED


def test_errors_of_the_wrapper_are_raised_at_the_call() -> None:
    """A wrapper that raises before it has made anything fails the task at once; a tolerant task returns None."""

    @task(raise_on_error=False)
    def tolerant(fails: bool) -> Coroutine[Any, Any, int]:
        if fails:
            raise ValueError("early")
        return double(1)

    async def outer() -> Any:
        value: Any = tolerant(fails=True)
        return value

    run = executed(outer)
    assert run.return_value is None
    assert only(run).status == RunStatus.FAILED


def test_retries_call_the_wrapper_anew() -> None:
    """Each attempt calls the function again, whether the wrapper or its coroutine has failed, within the one task."""
    calls: list[str] = []

    @task(retries=3)
    def flaky() -> Coroutine[Any, Any, int]:
        calls.append("wrapper")
        if len(calls) == 1:
            raise ValueError("wrapper")

        async def rest() -> int:
            calls.append("coroutine")
            if len(calls) < 5:
                raise ValueError("coroutine")
            return len(calls)

        return rest()

    async def outer() -> int:
        return await flaky()

    run = executed(outer)
    assert run.return_value == 5
    assert calls == ["wrapper", "wrapper", "coroutine", "wrapper", "coroutine"]
    assert (only(run).status, only(run).attempts) == (RunStatus.COMPLETED, 3)


def test_an_attempt_may_return_a_plain_value_after_a_coroutine() -> None:
    """A function that returns a coroutine first and a value at its next attempt gives the value to who awaits."""
    calls: list[int] = []

    async def failing() -> int:
        raise ValueError("x")

    @task(retries=1)
    def either() -> Any:
        calls.append(1)
        return failing() if len(calls) == 1 else 7

    async def outer() -> int:
        return int(await either())

    assert executed(outer).return_value == 7


def test_a_tolerant_task_gives_none_for_its_coroutine() -> None:
    """`raise_on_error=False` holds for the coroutine."""

    @task(raise_on_error=False)
    @passing_on
    async def broken() -> int:
        raise ValueError("x")

    async def outer() -> int | None:
        return await broken()

    run = executed(outer)
    assert run.status == RunStatus.COMPLETED
    assert run.return_value is None
    assert only(run).status == RunStatus.FAILED


def test_a_timeout_ends_the_coroutine() -> None:
    """The time of an attempt holds for wrapper and coroutine: the task knows its deadline, and is timed out there."""
    remaining: list[float | None] = []

    @task(timeout=0.05)
    @passing_on
    async def slow() -> None:
        remaining.append(current_task().remaining)
        await asyncio.Event().wait()

    async def outer() -> None:
        await slow()

    run = executed(outer)
    assert isinstance(run.flow_error, TimeoutError)
    assert only(run).status == RunStatus.TIMED_OUT
    (left,) = remaining
    assert left is not None
    assert 0 < left <= 0.05


def test_a_cancelled_coroutine_is_a_cancelled_task() -> None:
    """Cancelling who awaits ends the record as cancelled."""

    async def outer() -> None:
        waiting = asyncio.Event()

        @task
        @passing_on
        async def endless() -> None:
            waiting.set()
            await asyncio.Event().wait()

        running = asyncio.ensure_future(endless())
        await waiting.wait()
        running.cancel()
        await asyncio.wait([running])

    assert only(executed(outer)).status == RunStatus.CANCELLED


@pytest.mark.parametrize("tolerates", [False, True])
def test_providers_are_open_until_the_coroutine_has_ended(tolerates: bool) -> None:
    """What is injected closes after the coroutine, with its error, and is opened anew for the next attempt."""
    seen: list[str] = []

    def resource() -> Iterator[str]:
        seen.append("open")
        try:
            yield "it"
        except ValueError as error:
            seen.append(str(error))
            raise
        finally:
            seen.append("closed")

    @task(retries=1, raise_on_error=not tolerates)
    def using(it: str = Inject(resource)) -> Coroutine[Any, Any, str]:
        async def rest() -> str:
            await asyncio.sleep(0)
            seen.append(it)
            if tolerates or seen.count("it") == 1:
                raise ValueError("failed")
            return it

        return rest()

    async def outer() -> str | None:
        return await using()

    run = executed(outer)
    last = ["failed"] if tolerates else []
    assert seen == ["open", "it", "failed", "closed", "open", "it", *last, "closed"]
    assert run.return_value == (None if tolerates else "it")


def test_arguments_are_checked_at_the_call() -> None:
    """`validate=True` coerces for the wrapper and its coroutine, and refuses at the call."""

    @task(validate=True)
    @passing_on
    async def typed(number: int) -> int:
        return number

    async def outer() -> int:
        wrong: Any = "x"
        with pytest.raises(ParameterError):
            await typed(wrong)
        text: Any = "4"
        return await typed(text)

    run = executed(outer)
    assert run.return_value == 4
    assert [call.status for call in run.flow_run.tasks] == [RunStatus.FAILED, RunStatus.COMPLETED]


def test_a_coroutine_that_nobody_awaits_leaves_an_abandoned_task() -> None:
    """The wrapper has run, so there is a record; its coroutine has not, so it has not completed."""

    @flow
    async def outer() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # that it was never awaited
            made = [task(lambda: double(1))()]
            made.clear()
            gc.collect()

    assert only(outer().execute()).status == RunStatus.ABANDONED


def test_a_task_may_be_timed_in_a_sync_flow() -> None:
    """A sync flow that runs the coroutine itself has the task in its record."""

    @flow
    def outer() -> int:
        return asyncio.run(task(passing_on(double))(3))

    run = outer().execute()
    assert run.return_value == 6
    assert only(run).return_value == 6


@pytest.mark.parametrize("sync", [False, True])
async def test_a_task_made_by_hand_gives_the_value(sync: bool) -> None:
    """`execute_sync` and `execute_async` run the coroutine to its end."""

    @flow
    async def outer() -> Any:
        made = Task(passing_on(double), 4)
        return made.execute_sync() if sync else await made.execute_async()

    run = await outer()
    assert run.return_value == 8
    assert only(run).status == RunStatus.COMPLETED


def _begun() -> Any:
    async def pausing() -> None:
        await asyncio.sleep(0)

    coroutine = pausing()
    coroutine.send(None)
    return coroutine


def _first(value: object) -> object:
    return value


def _first_of(values: list[object]) -> object:
    return values[0]


def test_what_is_not_its_own_is_a_value() -> None:
    """A coroutine, generator or async generator that has begun, is an argument, or is held elsewhere, comes as itself."""
    held: list[Any] = [double(1), (number for number in (1, 2)), _numbers(2)]
    begun = _begun()

    @flow
    async def outer() -> None:
        for value in (*held, begun, asyncio.get_running_loop().create_future()):
            assert task(_first)(value) is value
            assert task(_first_of)([value]) is value
        for index, value in enumerate(held):
            assert task(held.__getitem__)(index) is value
        fresh = asyncio.ensure_future(double(1))
        assert task(lambda: fresh)() is fresh
        assert await task(lambda: asyncio.ensure_future(double(1)))() == 2
        started = (number for number in (1, 2))
        next(started)
        made = [started]
        del started
        assert list(task(made.pop)()) == [2]

    run = outer().execute()
    assert {call.status for call in run.flow_run.tasks} == {RunStatus.COMPLETED}
    for coroutine in (held[0], begun):
        coroutine.close()


async def _numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        print(f"number {number}")
        yield number


def rows(count: int) -> Generator[int, str, str]:
    said = ""
    for number in range(count):
        print(f"row {number}")
        said += (yield number) or ""
    return said


def test_a_wrapped_generator_is_a_generator_task() -> None:
    """It lasts to its exhaustion, takes what is sent, returns its value, and leaves the consumer where it was."""

    @flow
    def outer() -> Any:
        generator = task(passing_on(rows))(2)
        seen = [next(generator)]
        assert current_task_or_none() is None
        seen.append(generator.send("a"))
        with pytest.raises(StopIteration) as stop:
            generator.send("b")
        return seen, stop.value.value

    run = outer().execute()
    assert run.return_value == ([0, 1], "ab")
    call = only(run)
    assert (call.status, call.return_value) == (RunStatus.COMPLETED, "ab")
    assert [line.task_id for line in run.captured_logs() if line.source == "stdout"] == [call.task_id] * 2


def test_a_wrapped_generator_that_is_closed_or_fails() -> None:
    """Closing completes the task, a failure fails it, and providers close with either."""
    seen: list[str] = []

    def resource() -> Iterator[int]:
        yield 1
        seen.append("closed")

    @task
    def numbers(end: int, start: int = Inject(resource)) -> Iterator[float]:
        return (start / (end - number) for number in range(end + 1))

    @flow(flow_config=FlowConfig(raise_flow_error=False))
    def outer() -> None:
        made: Any = numbers(3)
        with closing(made) as opened:
            next(opened)
            assert not seen
        assert seen == ["closed"]
        with pytest.raises(ZeroDivisionError):
            list(numbers(1))

    run = outer().execute()
    assert run.flow_error is None
    assert [call.status for call in run.flow_run.tasks] == [RunStatus.COMPLETED, RunStatus.FAILED]


async def test_a_wrapped_async_generator_is_an_async_generator_task() -> None:
    """It lasts to its exhaustion or close, and what it prints belongs to it."""
    numbers = task(passing_on(_numbers))
    seen: list[str] = []

    @task
    def injected(count: int, start: int = Inject(_sync_resource(seen))) -> AsyncIterator[int]:
        return _numbers(count + start)

    @flow
    async def outer() -> list[int]:
        found = [number async for number in numbers(2)]
        made: Any = numbers(2)
        async with aclosing(made) as opened:
            found.append(await anext(opened))
        found += [number async for number in injected(1)]
        return found

    run = await outer()
    assert run.return_value == [0, 1, 0, 0, 1]
    assert seen == ["closed"]
    calls = run.flow_run.tasks
    assert [call.status for call in calls] == [RunStatus.COMPLETED] * 3
    lines = [line.task_id for line in run.captured_logs() if line.source == "stdout"]
    assert lines == [calls[0].task_id] * 2 + [calls[1].task_id] + [calls[2].task_id] * 2


def _sync_resource(seen: list[str]) -> Callable[[], Iterator[int]]:
    def resource() -> Iterator[int]:
        yield 1
        seen.append("closed")

    return resource


def test_a_wrapped_generator_that_is_never_advanced_leaves_an_abandoned_task() -> None:
    """The wrapper has run, so that there is a record, unlike that of a generator function."""

    @flow
    def outer() -> None:
        task(passing_on(rows))(1)

    assert only(outer().execute()).status == RunStatus.ABANDONED


@pytest.mark.parametrize("options", [{"retries": 1}, {"timeout": 5.0}], ids=str)
def test_options_that_a_generator_cannot_have_fail_the_call(options: dict[str, Any]) -> None:
    """Retries and a timeout, refused at the definition of a generator, are refused where a wrapper returns one."""
    calls: list[int] = []

    def counted() -> Iterator[int]:
        calls.append(1)
        return (number for number in (1, 2))

    @flow(flow_config=FlowConfig(raise_flow_error=False))
    def outer() -> None:
        task(**options)(counted)()

    run = outer().execute()
    assert isinstance(run.flow_error, DefinitionError)
    assert "a generator can neither be retried" in str(run.flow_error)
    assert (only(run).status, len(calls)) == (RunStatus.FAILED, 1)


async def test_a_bound_wrapper_keeps_its_place() -> None:
    """`bind_context` holds for the coroutine or generator that a plain wrapper returns."""

    async def name() -> str:
        await asyncio.sleep(0)
        return current_task().task_name

    def names() -> Iterator[str]:
        yield current_task().task_name

    bound: list[Any] = []

    @task
    async def binding(done: asyncio.Event) -> None:
        bound.extend(bind_context(passing_on(function)) for function in (name, names))
        await done.wait()

    @flow
    async def outer() -> list[str]:
        done = asyncio.Event()
        running = asyncio.ensure_future(binding(done))
        while not bound:
            await asyncio.sleep(0)
        found = [await bound[0](), *bound[1]()]
        assert current_task_or_none() is None
        done.set()
        await running
        return found

    assert (await outer()).return_value == ["binding", "binding"]


def test_many_wrapped_tasks_at_once() -> None:
    """Coroutines of many threads and many asyncio tasks end as their own calls."""
    wrapped = task(passing_on(double))

    @flow
    async def outer() -> int:
        return sum(await asyncio.gather(*(wrapped(number) for number in range(200))))

    runs: list[Flow[int]] = [outer() for _ in range(4)]
    threads = [threading.Thread(target=run.execute) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for run in runs:
        assert run.return_value == 39_800
        assert [call.return_value for call in run.flow_run.tasks] == [number * 2 for number in range(200)]
