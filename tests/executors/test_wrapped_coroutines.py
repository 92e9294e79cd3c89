"""Submitted and placed calls of sync functions that return a coroutine or generator of their own."""

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

from flowscope import (
    DefinitionError,
    Flow,
    FlowConfig,
    RunStatus,
    SerializationError,
    TaskTimeoutError,
    flow,
    map_tasks,
    submit,
    use_executor,
)
from support.executors import wrapped_tasks as wrapped
from support.executors.gate import Gate
from support.executors.scenarios import Here
from support.executors.third_party import ThreadPerCall

from .conftest import Perform

QUIET = FlowConfig(raise_flow_error=False)


def test_a_submitted_call_lasts_until_its_coroutine_has_ended(perform: Perform, here: Here) -> None:
    """Value, prints, nested and submitted tasks are those of the one task, on every executor."""

    async def scenario() -> list[int]:
        future = submit(wrapped.double, 2)
        return [await here.value(future), *await here.items(map_tasks(wrapped.double, [3, 4]))]

    run = perform(scenario)
    assert run.return_value == [4, 6, 8]
    doubles = [call for call in run.flow_run.tasks if call.task_name == "double"]
    assert [(call.status, call.return_value) for call in doubles] == [(RunStatus.COMPLETED, n) for n in (4, 6, 8)]
    lines = {line.message: line.task_id for line in run.captured_logs() if line.source == "stdout"}
    assert [lines[f"doubling {number}"] for number in (2, 3, 4)] == [call.task_id for call in doubles]
    parents = [call.parent_task_id for call in run.flow_run.tasks if call.task_name == "inner"]
    assert sorted(map(str, parents)) == sorted(call.task_id for call in doubles for _ in range(2))


def test_errors_retries_and_tolerance_hold_for_the_coroutine(perform: Perform, here: Here) -> None:
    """A failing coroutine fails its task, is retried, or gives None, on every executor."""

    async def scenario() -> tuple[int, int | None, str]:
        error = await here.error(submit(wrapped.broken))
        return await here.value(submit(wrapped.flaky, 7)), await here.value(submit(wrapped.tolerated)), repr(error)

    run = perform(scenario)
    assert run.return_value == (7, None, "ValueError('broken')")
    assert [(call.status, call.attempts) for call in run.flow_run.tasks] == [
        (RunStatus.FAILED, 1),
        (RunStatus.COMPLETED, 2),
        (RunStatus.FAILED, 1),
    ]


def test_a_generator_that_is_submitted_is_refused(perform: Perform, here: Here) -> None:
    """A wrapper that returns a generator fails its task: it runs where it is iterated over, and cannot travel."""
    generators: list[Callable[..., Any]] = [wrapped.rows, wrapped.rows_async]

    async def scenario() -> list[BaseException]:
        return [await here.error(submit(generator)) for generator in generators]

    for error in perform(scenario).return_value:
        assert isinstance(error, DefinitionError | SerializationError)
        assert "cannot be submitted" in str(error) or "cannot pickle" in str(error)


def test_a_coroutine_is_cancelled_at_its_await(perform: Perform, here: Here, gate: Gate) -> None:
    """`cancel` ends the coroutine, which leaves the gate, and the task is cancelled."""

    async def scenario() -> BaseException:
        future = submit(wrapped.at_gate, gate.address)
        (visitor,) = await here.visitors(gate)
        assert future.cancel()
        error = await here.error(future)
        await here.gone(visitor)
        return error

    run = perform(scenario)
    assert isinstance(run.return_value, asyncio.CancelledError)
    assert [call.status for call in run.flow_run.tasks] == [RunStatus.CANCELLED]


def test_a_coroutine_ends_at_the_deadline(perform: Perform, here: Here, gate: Gate) -> None:
    """`timeout` holds for the coroutine: it leaves the gate, and the task is timed out."""

    async def scenario() -> BaseException:
        future = submit(wrapped.late, gate.address)
        (visitor,) = await here.visitors(gate)
        error = await here.error(future)
        await here.gone(visitor)
        return error

    run = perform(scenario)
    assert isinstance(run.return_value, TaskTimeoutError)
    assert [call.status for call in run.flow_run.tasks] == [RunStatus.TIMED_OUT]


def _loop_of_the_flow() -> None:
    wrapped.flow_loops[:] = [asyncio.get_running_loop()]


@pytest.mark.parametrize(
    ("executor", "recorded", "in_flow"),
    [(None, "asyncio", True), ("asyncio", "asyncio", True), ("thread", "thread", False)],
)
def test_it_runs_where_an_async_task_would(executor: Any, recorded: str, in_flow: bool) -> None:
    """By default, and on asyncio, in the loop of the async flow; in a thread in a loop of its own."""

    @flow
    async def outer() -> wrapped.Place:
        _loop_of_the_flow()
        if executor is None:
            return await submit(wrapped.place)
        with use_executor(executor):
            return await submit(wrapped.place)

    run = outer().execute()
    pid, thread, found_in_flow = run.return_value
    assert pid == os.getpid()
    assert found_in_flow is in_flow
    assert (thread == threading.current_thread().name) is in_flow
    assert [call.executor for call in run.flow_run.tasks] == [recorded]


def test_from_a_sync_flow_it_runs_in_the_background_loop() -> None:
    """A sync flow has no loop: the coroutine runs in that of the library, beside async tasks."""

    @flow
    def outer() -> wrapped.Place:
        return submit(wrapped.place).result()

    _, thread, _ = outer().execute().return_value
    assert thread == "flowscope-loop"


def test_blocking_in_the_loop_that_it_would_run_in_does_not_hang() -> None:
    """`result()` in an async flow waits while the coroutine runs in the background loop."""

    @flow
    async def outer() -> wrapped.Place:
        _loop_of_the_flow()
        await asyncio.sleep(0)
        return submit(wrapped.place).result()

    try:
        _, thread, in_flow = outer().execute().return_value
    except RuntimeError as error:  # it had gone on in the flow's loop before the wait
        assert "would wait for itself" in str(error)
    else:
        assert (thread, in_flow) == ("flowscope-loop", False)


@pytest.mark.parametrize(("placed", "recorded"), [(wrapped.in_thread, "thread"), (wrapped.in_process, "process")])
def test_a_direct_call_that_runs_elsewhere_is_awaited(placed: Any, recorded: str) -> None:
    """A call of a task with an executor gives a coroutine, with which the event loop goes on."""

    @flow
    async def outer() -> list[int]:
        return list(await asyncio.gather(*(placed(number) for number in range(3))))

    run = outer().execute()
    assert run.return_value == [0, 1, 2]
    assert [(call.status, call.executor) for call in run.flow_run.tasks] == [(RunStatus.COMPLETED, recorded)] * 3


def test_direct_calls_in_threads_run_at_the_same_time() -> None:
    """One that waits for another that is called after it does not hold up its caller."""
    first, second = threading.Event(), threading.Event()

    @flow
    async def outer() -> list[bool]:
        calls = [wrapped.meeting(first=first, second=second), wrapped.meeting(first=second, second=first)]
        return list(await asyncio.gather(*calls))

    assert outer().execute().return_value == [True, True]


def test_errors_of_direct_calls_elsewhere() -> None:
    """The coroutine raises what it raises there; a wrapper that fails raises at the call."""

    @flow
    async def outer() -> None:
        coroutine = wrapped.broken_in_process()
        with pytest.raises(ValueError, match="broken"):
            await coroutine
        with pytest.raises(ValueError, match="early"):
            wrapped.failing_early()

    run = outer().execute()
    assert [call.status for call in run.flow_run.tasks] == [RunStatus.FAILED] * 2


def test_many_are_cancelled_on_their_way() -> None:
    """A call that is cancelled at any moment, also between its wrapper and its coroutine, ends once and for good."""

    @flow(flow_config=QUIET)
    async def outer() -> int:
        futures = [submit(wrapped.double, number) for number in range(100)]
        await asyncio.gather(*(asyncio.to_thread(future.cancel) for future in futures))
        done = await asyncio.gather(*futures, return_exceptions=True)
        return sum(isinstance(one, asyncio.CancelledError) for one in done)

    for _ in range(5):
        run: Flow[int] = outer().execute()
        ends = [call.status for call in run.flow_run.tasks if call.task_name == "double"]
        assert ends.count(RunStatus.CANCELLED) == run.return_value
        assert set(ends) <= {RunStatus.CANCELLED, RunStatus.COMPLETED}


def test_an_executor_by_somebody_else_needs_nothing_for_it() -> None:
    """One that only knows `job.run()` runs the coroutine in its thread."""

    @flow
    async def outer() -> wrapped.Place:
        _loop_of_the_flow()
        with use_executor(ThreadPerCall()):
            return await submit(wrapped.place)

    _, thread, in_flow = outer().execute().return_value
    assert (thread, in_flow) == ("one call", False)
