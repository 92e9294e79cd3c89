"""A failed attempt is followed by another one, as often as asked."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from flowscope import (
    INJECTED,
    EventType,
    Flow,
    FlowEvent,
    Inject,
    InjectionError,
    ParameterError,
    RunStatus,
    Task,
    TaskTimeoutError,
    current_task,
    task,
)


def failing(times: int, value: str = "done", error: Callable[[int], BaseException] | None = None) -> Callable[[], str]:
    """A function that raises so many times before it returns."""
    attempts: list[int] = []

    def work() -> str:
        attempts.append(current_task().attempt)
        if len(attempts) <= times:
            raise error(len(attempts)) if error is not None else ValueError(f"failure {len(attempts)}")
        return value

    return work


class Watched:
    """A flow that keeps its task events."""

    def __init__(self) -> None:
        self.flow = Flow[None]()
        self.events: list[FlowEvent] = []
        self.flow.add_listener(self.events.append, EventType.TASK_START, EventType.TASK_RETRY, EventType.TASK_STOP)

    @property
    def kinds(self) -> list[str]:
        """What happened."""
        return [e.event_type.value for e in self.events]


def test_extra_attempts_follow_failed_ones() -> None:
    """`retries` is the number of extra attempts; the value is that of the first attempt that succeeds."""
    watched = Watched()
    with watched.flow as made:
        assert task(retries=5)(failing(2))() == "done"
    assert watched.kinds == ["task_start", "task_retry", "task_retry", "task_stop"]
    record = made.flow_run.tasks[0]
    assert (record.status, record.attempts, record.error, record.return_value) == (
        RunStatus.COMPLETED,
        3,
        None,
        "done",
    )
    assert len(made.flow_run.tasks) == 1
    assert watched.events[-1].event_data.data["attempt"] == 3


def test_the_last_failure_is_the_error_of_the_call() -> None:
    """When all attempts have failed, the exception of the last propagates, as the very object, with one note."""
    watched, raised = Watched(), [ValueError(str(n)) for n in range(4)]
    with pytest.raises(ValueError) as caught, watched.flow:
        task(retries=2)(failing(4, error=lambda n: raised[n - 1]))()
    assert caught.value is raised[2]
    assert [len(getattr(error, "__notes__", [])) for error in raised] == [0, 0, 1, 0]
    assert watched.kinds == ["task_start", "task_retry", "task_retry", "task_stop"]
    record = watched.flow.flow_run.tasks[0]
    assert (record.status, record.attempts) == (RunStatus.FAILED, 3)
    assert record.error is not None
    assert record.error.message == "2"


def test_one_exception_object_raised_by_every_attempt_gets_one_note() -> None:
    """An exception object that each attempt raises again is noted once for the call."""
    boom = ValueError("same")
    with pytest.raises(ValueError) as caught, Flow[None]():
        task(retries=3)(failing(9, error=lambda _: boom))()
    assert caught.value is boom
    assert len(boom.__notes__) == 1


def test_each_failed_attempt_that_is_retried_is_logged_and_told() -> None:
    """Each of them is a WARNING in the log and a `task_retry` event with attempt, delay and error."""
    watched = Watched()
    with watched.flow as made:
        task(task_name="shaky", retries=3)(failing(2))()
    retries = [e for e in watched.events if e.event_type is EventType.TASK_RETRY]
    assert [e.event_data.data["attempt"] for e in retries] == [1, 2]
    assert [e.event_data.data["error"].message for e in retries] == ["failure 1", "failure 2"]
    assert {e.event_data.task_name for e in retries} == {"shaky"}
    task_id = made.flow_run.tasks[0].task_id
    assert {e.event_data.task_run_id for e in retries} == {task_id}
    logged = [(e.level, e.task_id) for e in made.flow_run.logs]
    assert logged == [("WARNING", task_id)] * 2
    assert all("shaky" in e.message and "failure" in e.message for e in made.flow_run.logs)


@pytest.mark.parametrize("retry_on", [KeyError, (KeyError,), (OSError, LookupError)])
def test_only_the_given_exceptions_are_retried(retry_on: Any) -> None:
    """`retry_on` takes a class or a tuple; an exception outside it ends the call at once."""
    errors = [KeyError("retried"), ValueError("not retried")]
    with pytest.raises(ValueError), Flow[None]() as made:
        task(retries=5, retry_on=retry_on)(failing(9, error=lambda n: errors[n - 1]))()
    assert made.flow_run.tasks[0].attempts == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), asyncio.CancelledError()], ids=repr)
def test_interrupts_are_never_retried(error: BaseException) -> None:
    """An interrupt, exit or cancellation ends the call at its attempt."""
    made = Flow[None]()
    with pytest.raises(type(error)) as caught, made:
        task(retries=5)(failing(9, error=lambda _: error))()
    assert caught.value is error
    record = made.flow_run.tasks[0]
    assert (record.attempts, record.status) == (1, RunStatus.CANCELLED)


def test_the_attempt_is_known_inside() -> None:
    """`this_task.attempt` counts from 1, and the status is `running` in every attempt."""
    seen: list[tuple[int, RunStatus]] = []

    @task(retries=2)
    def look(this_task: Task = INJECTED) -> None:
        seen.append((this_task.attempt, this_task.status))
        if this_task.attempt < 3:
            raise ValueError

    with Flow[None]():
        look()
    assert seen == [(n, RunStatus.RUNNING) for n in (1, 2, 3)]


async def test_providers_are_opened_and_closed_for_each_attempt() -> None:
    """Each attempt has providers of its own, closed, with its exception thrown in, before the next begins."""
    log: list[str] = []

    def opened(name: str) -> Iterator[int]:
        log.append(f"open {name}")
        try:
            yield len(log)
        except ValueError as error:
            log.append(f"{name} saw {error}")
            raise
        finally:
            log.append(f"close {name}")

    def resource() -> Iterator[int]:
        yield from opened("sync")

    async def later() -> AsyncIterator[int]:
        for value in opened("async"):
            yield value

    work = failing(1)

    @task(retries=1)
    def shaky(used: int = Inject(resource)) -> str:
        log.append("attempt")
        return work()

    with Flow[None]():
        assert shaky() == "done"
    assert log == ["open sync", "attempt", "sync saw failure 1", "close sync", "open sync", "attempt", "close sync"]
    log.clear()
    again = failing(1)

    @task(retries=1)
    async def shaky_later(used: int = Inject(later)) -> str:
        return again()

    async with Flow[None]():
        assert await shaky_later() == "done"
    assert log.count("open async") == 2
    assert log.count("close async") == 2


def test_what_would_only_fail_again_is_not_retried() -> None:
    """A bad argument of a checked task, or a parameter that nobody provides, is no reason to try again."""

    @task(retries=3, validate=True)
    def checked(count: int) -> None: ...

    @task(retries=3)
    def wanting(tool: str = INJECTED) -> None: ...

    bad: Any = "many"
    with Flow[None]() as made:
        with pytest.raises(ParameterError):
            checked(bad)
        with pytest.raises(InjectionError):
            wanting()
    assert [t.attempts for t in made.flow_run.tasks] == [1, 1]


async def test_a_timed_out_attempt_is_retried_if_that_is_covered() -> None:
    """`retry_on` covers `TaskTimeoutError` by default and as `TimeoutError`, and not where it names others."""
    never = asyncio.Event()

    async def slow_once(this_task: Task = INJECTED) -> str:
        if this_task.attempt == 1:
            await never.wait()
        return "in time"

    watched = Watched()
    async with watched.flow as made:
        for covered in (Exception, TimeoutError, TaskTimeoutError):
            assert await task(retries=1, timeout=0.01, retry_on=covered)(slow_once)() == "in time"
        with pytest.raises(TaskTimeoutError):
            await task(retries=1, timeout=0.01, retry_on=ValueError)(slow_once)()
    assert [(t.status, t.attempts) for t in made.flow_run.tasks] == [(RunStatus.COMPLETED, 2)] * 3 + [
        (RunStatus.TIMED_OUT, 1)
    ]
