"""Every executor: cancelling, deadlines, and closing without loss."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from typing import Any

import pytest

from flowscope import (
    EventType,
    Executor,
    Flow,
    FlowEvent,
    RunStatus,
    TaskFuture,
    TaskTimeoutError,
    current_flow,
    submit,
    use_executor,
)
from support.executors.gate import Gate
from support.executors.scenarios import Here
from support.executors.task_forms import Tasks

from .conftest import Perform, perform_on


def cancelled_result(future: TaskFuture[Any]) -> None:
    """Ask a cancelled future for all that it has."""
    with pytest.raises(asyncio.CancelledError):
        future.result()
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(0)
    with pytest.raises(asyncio.CancelledError):
        future.exception()
    assert future.done()
    assert future.status is RunStatus.CANCELLED
    assert not future.cancel()


def test_a_running_call_is_cancelled(perform: Perform, tasks: Tasks, here: Here, gate: Gate) -> None:
    """A call that runs ends as cancelled when its future is cancelled, and the flow goes on."""
    stops: list[FlowEvent] = []

    async def scenario() -> Any:
        current_flow().add_listener(stops.append, EventType.TASK_STOP)
        future = submit(tasks.hold_talking, gate.address, "a")
        await here.visitors(gate)
        assert (future.status, future.done()) == (RunStatus.RUNNING, False)
        assert future.cancel()
        error = await here.error(future)
        cancelled_result(future)
        return error

    made = perform(scenario)
    assert isinstance(made.return_value, asyncio.CancelledError)
    assert made.status is RunStatus.COMPLETED
    (task,) = made.flow_run.tasks
    assert (task.status, task.attempts) == (RunStatus.CANCELLED, 1)
    assert task.error is not None
    assert task.error.type == "CancelledError"
    assert [entry.message for entry in made.flow_run.logs if entry.source == "stdout"] == ["a before"]
    assert [(event.event_data.task_run_id, event.event_data.data["status"]) for event in stops] == [
        (task.task_id, RunStatus.CANCELLED)
    ]


def test_a_cancelled_call_is_gone(perform: Perform, tasks: Tasks, here: Here, gate: Gate, executor: Executor) -> None:
    """An async call, or one in another process, has really ended when it was cancelled; a thread is named."""

    async def scenario() -> None:
        future = submit(tasks.hold, gate.address)
        (visitor,) = await here.visitors(gate)
        future.cancel()
        await here.error(future)
        if tasks.suffix or executor.remote:
            await here.gone(visitor)
            assert current_flow().flow_run.tasks[0].abandoned_thread is None
        else:
            assert current_flow().flow_run.tasks[0].abandoned_thread

    perform(scenario)


def test_the_others_go_on(perform: Perform, tasks: Tasks, here: Here, gate: Gate) -> None:
    """Cancelling one call leaves those at its side, and those that come after it, alone."""

    async def scenario() -> list[Any]:
        futures = {name: submit(tasks.hold, gate.address, name) for name in ("a", "b")}
        visitors = {visitor.name: visitor for visitor in await here.visitors(gate, 2)}
        futures["a"].cancel()
        later = [submit(tasks.add, number) for number in range(10)]
        visitors["b"].let_go()
        return [await here.value(futures["b"]), *await here.values(later)]

    made = perform(scenario)
    assert made.return_value == ["b", *range(10, 20)]
    statuses = [task.status for task in made.flow_run.tasks]
    assert statuses == [RunStatus.CANCELLED, *[RunStatus.COMPLETED] * 11]


def test_cancelling_comes_too_late(perform: Perform, tasks: Tasks, here: Here) -> None:
    """A call that has ended cannot be cancelled, and keeps its value."""

    async def scenario() -> tuple[Any, bool, Any]:
        future = submit(tasks.echo, 1)
        return await here.value(future), future.cancel(), await here.value(future)

    made = perform(scenario)
    assert made.return_value == (1, False, 1)
    assert made.flow_run.tasks[0].status is RunStatus.COMPLETED


def test_the_wait_for_a_retry_is_cancelled(perform: Perform, tasks: Tasks, here: Here, gate: Gate) -> None:
    """A call that waits for its next attempt is cancelled at once."""

    async def scenario() -> Any:
        retried = threading.Event()
        current_flow().add_listener(lambda _: retried.set(), EventType.TASK_RETRY)
        future = submit(tasks.wait_long_before_retry, gate.address)
        (visitor,) = await here.visitors(gate)
        visitor.let_go()
        await asyncio.to_thread(retried.wait, 20) if here.awaits else retried.wait(20)
        assert future.cancel()
        return await here.error(future)

    made = perform(scenario)
    assert isinstance(made.return_value, asyncio.CancelledError)
    (task,) = made.flow_run.tasks
    assert task.status is RunStatus.CANCELLED
    assert made.flow_run.duration < 25


def test_nested_tasks_are_cancelled_with_theirs(
    perform: Perform, tasks: Tasks, here: Here, gate: Gate, executor: Executor
) -> None:
    """A nested task of a cancelled one does not count as completed, and has an end."""

    async def scenario() -> None:
        future = submit(tasks.hold_inside, gate.address)
        await here.visitors(gate)
        future.cancel()
        await here.error(future)

    outer, inner = perform(scenario).flow_run.tasks
    assert outer.status is RunStatus.CANCELLED
    assert inner.parent_task_id == outer.task_id
    assert inner.status in {RunStatus.CANCELLED, RunStatus.ABANDONED}
    assert inner.end_time is not None


def test_a_failing_flow_cancels_what_it_submitted(perform: Perform, tasks: Tasks, here: Here, gate: Gate) -> None:
    """Calls that run, and that wait, when the flow's function raises are cancelled, and the flow fails with its own error."""

    async def scenario() -> None:
        for name in "abcdefghij":
            submit(tasks.hold, gate.address, name)
        await here.visitors(gate, 2)
        raise LookupError("the flow's own")

    made = perform(scenario, raise_flow_error=False)
    assert made.status is RunStatus.FAILED
    assert isinstance(made.flow_error, LookupError)
    record = made.flow_run
    assert [task.status for task in record.tasks] == [RunStatus.CANCELLED] * 10
    assert all(task.end_time is not None for task in record.tasks)


def test_the_flow_waits_for_its_calls(perform: Perform, tasks: Tasks, here: Here, gate: Gate) -> None:
    """A flow whose function has returned ends when its last call has ended."""

    def open_gate() -> None:
        gate.wait_for()[0].let_go()

    waits = threading.Thread(target=open_gate)

    async def scenario() -> str:
        submit(tasks.hold, gate.address, "late")
        waits.start()
        return "returned"

    made = perform(scenario)
    waits.join()
    assert made.return_value == "returned"
    (task,) = made.flow_run.tasks
    assert (task.status, task.return_value) == (RunStatus.COMPLETED, "late")


def test_a_call_that_passes_its_deadline(
    perform: Perform, tasks: Tasks, here: Here, gate: Gate, executor: Executor
) -> None:
    """At its deadline a call ends as timed out, with what it said before, and the flow goes on."""

    async def scenario() -> Any:
        future = submit(tasks.expire, gate.address)
        (visitor,) = await here.visitors(gate)
        error = await here.error(future)
        if tasks.suffix or executor.remote:
            await here.gone(visitor)
        return error, future.status

    made = perform(scenario)
    error, status = made.return_value
    assert isinstance(error, TaskTimeoutError)
    assert (error.task_name, error.timeout, status) == (tasks.name("expire"), 0.2, RunStatus.TIMED_OUT)
    (task,) = made.flow_run.tasks
    assert (task.status, task.attempts) == (RunStatus.TIMED_OUT, 1)
    assert task.error is not None
    assert task.error.type == "TaskTimeoutError"
    assert 0.2 <= task.duration < 10
    assert [entry.message for entry in made.flow_run.logs if entry.source == "stdout"] == ["started"]


def test_a_timed_out_attempt_is_retried(perform: Perform, tasks: Tasks, here: Here, gate: Gate) -> None:
    """Each attempt has its own deadline, and the last one decides."""

    async def scenario() -> list[str]:
        future = submit(tasks.expire_twice, gate.address)
        visitors = await here.visitors(gate, 2)
        assert await here.value(future) is None
        return [visitor.name for visitor in visitors]

    made = perform(scenario)
    assert made.return_value == ["1", "2"]
    (task,) = made.flow_run.tasks
    assert (task.status, task.attempts) == (RunStatus.TIMED_OUT, 2)


def test_an_attempt_in_time_is_not_late(perform: Perform, tasks: Tasks, here: Here) -> None:
    """A call that ends before its deadline returns, and knows how much time it has."""

    async def scenario() -> list[Any]:
        return await here.values([submit(tasks.in_time, number) for number in range(5)])

    assert perform(scenario).return_value == [(number, True) for number in range(5)]


def test_closing_loses_nothing(own_executor: Executor, tasks: Tasks, here: Here) -> None:
    """What was submitted before an executor is closed has ended, and is recorded, when `close` returns."""

    async def scenario() -> list[Any]:
        futures = [submit(tasks.nest, number) for number in range(12)]
        if here.awaits:
            await asyncio.to_thread(own_executor.close)
        else:
            own_executor.close()
        assert all(future.done() for future in futures)
        return await here.values(futures)

    made = perform_on(own_executor, here, scenario)
    assert made.return_value == [sum(one * one for one in range(number + 1)) for number in range(12)]
    assert {task.status for task in made.flow_run.tasks} == {RunStatus.COMPLETED}
    assert len(made.flow_run.tasks) == 12 + sum(range(12))


def test_a_closed_executor_works_again(own_executor: Executor, tasks: Tasks, here: Here) -> None:
    """An executor may be closed, twice too, and used again, inside one flow and from one to the next."""

    async def scenario() -> list[Any]:
        values = [await here.value(submit(tasks.add, 1))]
        await asyncio.to_thread(own_executor.close) if here.awaits else own_executor.close()
        own_executor.close(wait=False)
        return [*values, await here.value(submit(tasks.add, 2))]

    for _ in range(2):
        with own_executor:
            assert perform_on(own_executor, here, scenario).return_value == [11, 12]
        own_executor.close()


def test_threads_submit_at_once(executor: Executor, tasks: Tasks, here: Here) -> None:
    """Many threads, each with a flow of its own, submit to one executor, and nothing is mixed."""
    count = 8
    ready = threading.Barrier(count)
    found: dict[int, Flow[Any]] = {}

    def work(number: int) -> None:
        async def scenario() -> list[Any]:
            ready.wait(20)
            return await here.values([submit(tasks.say, f"{number}-{one}") for one in range(6)])

        found[number] = perform_on(executor, here, scenario)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, made in found.items():
        words = [f"{number}-{one}" for one in range(6)]
        assert made.return_value == words
        assert [task.return_value for task in made.flow_run.tasks] == words
        said = {task.task_id: task.return_value for task in made.flow_run.tasks}
        lines = [(said[entry.task_id], entry.message) for entry in made.flow_run.logs if entry.task_id]
        assert len(lines) == 6 * 7
        assert all(line.startswith(f"{word} ") for word, line in lines)
    assert len(found) == count


def test_it_says_how_much_it_does_at_once(executor: Executor) -> None:
    """An executor has a name, workers, and tells how many calls `map_tasks` keeps in flight."""
    assert executor.name
    assert executor.workers >= 1
    assert executor.in_flight >= executor.workers
    with use_executor(executor) as chosen:
        assert chosen is executor


def test_making_and_closing_starts_nothing(factory: Callable[[], Executor]) -> None:
    """An executor that nobody has used starts no thread."""
    before = set(threading.enumerate())
    made = factory()
    assert set(threading.enumerate()) <= before
    made.close()
    made.close(wait=False)
