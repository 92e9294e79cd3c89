"""Generator functions are tasks from their first step to their end."""

from collections.abc import Generator, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from flowscope import (
    INJECTED,
    DefinitionError,
    EventType,
    Flow,
    FlowEvent,
    Inject,
    NoActiveFlowError,
    ParameterError,
    RunStatus,
    Task,
    current_task_or_none,
    task,
)


@task
def step(n: int) -> int:
    return n


@task
def numbers(limit: int) -> Generator[int, None, str]:
    for n in range(limit):
        step(n)
        yield n
    return "end"


def statuses(made: Flow[Any], name: str) -> list[RunStatus]:
    """The statuses of the tasks of one name."""
    return [t.status for t in made.flow_run.tasks if t.task_name == name]


def test_it_yields_and_returns_as_ever() -> None:
    """A generator task yields what its function yields, and its return value is the value of the task."""

    def consume() -> Generator[int, None, str]:
        return (yield from numbers(3))

    with Flow[None]() as made:
        assert list(numbers(3)) == [0, 1, 2]
        consumer = consume()
        assert [next(consumer), next(consumer), next(consumer)] == [0, 1, 2]
        with pytest.raises(StopIteration) as stopped:
            next(consumer)
    assert stopped.value.value == "end"
    assert [t.return_value for t in made.flow_run.tasks if t.task_name == "numbers"] == ["end", "end"]
    assert statuses(made, "numbers") == [RunStatus.COMPLETED] * 2
    assert [t.input_args for t in made.flow_run.tasks if t.task_name == "numbers"] == [[3], [3]]


def test_it_lasts_from_the_first_step_to_the_end() -> None:
    """The task starts at the first `next`, runs while it is suspended, and ends at its exhaustion."""
    events: list[FlowEvent] = []
    made = Flow[None]()
    made.add_listener(events.append, EventType.TASK_START, EventType.TASK_STOP)
    with made:
        stepping = numbers(2)
        step(100)
        assert statuses(made, "numbers") == []
        next(stepping)
        assert statuses(made, "numbers") == [RunStatus.RUNNING]
        next(stepping)
        assert statuses(made, "numbers") == [RunStatus.RUNNING]
        with pytest.raises(StopIteration):
            next(stepping)
        assert statuses(made, "numbers") == [RunStatus.COMPLETED]
    told = [e.event_type for e in events if e.event_data.task_name == "numbers"]
    assert told == [EventType.TASK_START, EventType.TASK_STOP]
    by_name = {t.task_name: t for t in made.flow_run.tasks}
    assert by_name["numbers"].execution_order == 2


def test_one_that_is_never_advanced_leaves_no_record() -> None:
    """Making, closing or dropping a generator that was never advanced records nothing."""
    with Flow[None]() as made:
        numbers(1).close()
        kept = numbers(1)
    assert made.flow_run.tasks == []
    kept.close()


def test_the_context_never_leaks_to_the_consumer() -> None:
    """Between steps no task is current; a task of the consumer is not a child of the suspended generator."""
    with Flow[None]() as made:
        for _ in numbers(2):
            assert current_task_or_none() is None
            step(50)
    tasks = made.flow_run.tasks
    generator_id = tasks[0].task_id
    parents = [(t.input_args, t.parent_task_id) for t in tasks[1:]]
    assert parents == [([0], generator_id), ([50], None), ([1], generator_id), ([50], None)]


def test_interleaved_generators_do_not_mix() -> None:
    """Two generators advanced in turn each see their own task, and children belong to the right one."""
    with Flow[None]() as made:
        for _ in zip(numbers(3), numbers(3), strict=True):
            assert current_task_or_none() is None
    tasks = made.flow_run.tasks
    outer = [t.task_id for t in tasks if t.task_name == "numbers"]
    children = [[t.input_args[0] for t in tasks if t.parent_task_id == task_id] for task_id in outer]
    assert children[0] == [0, 1, 2]
    assert children[1] in ([0, 1], [0, 1, 2])


def test_values_can_be_sent() -> None:
    """`send` reaches the generator, falsy values included."""

    @task
    def echo() -> Generator[object, object, None]:
        received: object = "start"
        while True:
            received = yield received

    with Flow[None]():
        talking = echo()
        assert next(talking) == "start"
        assert [talking.send(value) for value in (1, 0, None, "x")] == [1, 0, None, "x"]
        with pytest.raises(TypeError):
            echo().send("not started")
        talking.close()


def test_exceptions_can_be_thrown_in() -> None:
    """`throw` raises the very object at the `yield`; one that is handled goes on, another fails the task."""
    caught: list[BaseException] = []

    @task
    def sturdy() -> Generator[str, None, None]:
        while True:
            try:
                yield "waiting"
            except KeyError as error:
                caught.append(error)
                assert current_task_or_none() is not None
                yield "handled"

    with Flow[None]() as made:
        stepping = sturdy()
        next(stepping)
        mild, fatal = KeyError("mild"), ValueError("fatal")
        assert stepping.throw(mild) == "handled"
        assert next(stepping) == "waiting"
        with pytest.raises(ValueError) as raised:
            stepping.throw(fatal)
        assert current_task_or_none() is None
    assert caught == [mild]
    assert raised.value is fatal
    assert statuses(made, "sturdy") == [RunStatus.FAILED]
    assert len(fatal.__notes__) == 1
    assert made.executed_tasks[0].task_error is fatal


def test_retries_and_timeouts_are_refused() -> None:
    """A generator can neither be retried nor timed: both options are refused where it is decorated."""

    def plain() -> Iterator[int]:
        yield 1

    options: list[dict[str, Any]] = [{"retries": 1}, {"timeout": 1.0}]
    decorator: Any = task
    for option in options:
        with pytest.raises(DefinitionError, match="generator"):
            decorator(**option)(plain)


def test_it_needs_a_flow_when_it_is_advanced() -> None:
    """Outside flows the first step raises `NoActiveFlowError`, and the function does not start."""
    stepping = numbers(1)
    with pytest.raises(NoActiveFlowError, match="numbers"):
        next(stepping)
    made_outside = numbers(1)
    with Flow[None]() as made:
        assert list(made_outside) == [0]
    assert statuses(made, "numbers") == [RunStatus.COMPLETED]


def test_injection_lasts_as_long_as_the_generator() -> None:
    """Providers are opened at the first step and closed at the end; the task is injected like any other."""
    log: list[str] = []

    def resource() -> Iterator[str]:
        log.append("open")
        yield "resource"
        log.append("closed")

    @task
    def using(used: str = Inject(resource), this_task: Task = INJECTED) -> Generator[str, None, None]:
        yield used
        yield this_task.task_name

    with Flow[None]():
        stepping = using()
        assert log == []
        assert next(stepping) == "resource"
        assert log == ["open"]
        assert list(stepping) == ["using"]
        assert log == ["open", "closed"]
        early = using()
        next(early)
        early.close()
    assert log == ["open", "closed"] * 2


def test_arguments_are_checked_at_the_first_step() -> None:
    """A checked generator task refuses a bad argument when it is first advanced, as a failed task."""

    @task(validate=True)
    def counted(limit: int) -> Iterator[int]:
        yield from range(limit)

    bad: Any = "many"
    text: Any = "2"
    with Flow[None]() as made:
        assert list(counted(text)) == [0, 1]
        with pytest.raises(ParameterError):
            next(counted(bad))
    assert statuses(made, "counted") == [RunStatus.COMPLETED, RunStatus.FAILED]


def test_other_context_variables_behave_as_in_plain_generators() -> None:
    """A context variable set by the consumer between steps is seen by the generator, and the other way round."""
    shared: ContextVar[str] = ContextVar("shared", default="nobody")

    @task
    def look() -> Iterator[str]:
        yield shared.get()
        shared.set("generator")
        yield shared.get()

    with Flow[None]():
        shared.set("consumer")
        stepping = look()
        assert next(stepping) == "consumer"
        assert next(stepping) == "generator"
        assert shared.get() == "generator"
