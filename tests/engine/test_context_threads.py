"""The context in threads: carried by asyncio.to_thread and by `bind_context`, and by nothing else."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from flowscope import (
    Flow,
    NoActiveFlowError,
    bind_context,
    current_flow_or_none,
    current_task,
    current_task_or_none,
    flow,
    task,
)


@task
def note(value: int = 0) -> int:
    print(f"note {value}")
    return value


def prints_by_task(run: Flow[Any]) -> dict[str | None, str]:
    return {entry.task_id: entry.message for entry in run.captured_logs() if entry.source == "stdout"}


def in_thread(function: Callable[[], object]) -> list[object]:
    """What the function returned or raised in a thread of its own."""
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(function())
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return outcome


async def test_to_thread_stays_in_the_task() -> None:
    """asyncio.to_thread carries the flow and the task that called it."""

    @task
    async def hop() -> str:
        await asyncio.to_thread(note, 1)
        return (await asyncio.to_thread(current_task)).task_id

    @flow
    async def hopping() -> str:
        return await hop()

    run = await hopping()
    first, second = run.flow_run.tasks
    assert run.return_value == first.task_id == second.parent_task_id


async def test_a_bare_executor_thread_is_outside() -> None:
    """run_in_executor carries no context: a task there raises and is not recorded, and with a bound one it is."""

    @flow
    async def pooled() -> int:
        loop = asyncio.get_running_loop()
        with pytest.raises(NoActiveFlowError):
            await loop.run_in_executor(None, note)
        return await loop.run_in_executor(None, bind_context(note), 5)

    run = await pooled()
    assert run.return_value == 5
    assert len(run.executed_tasks) == 1


def test_a_bare_thread_is_outside_and_a_bound_one_inside() -> None:
    """A raw thread has no flow, says so, and prints to the real stdout; a bound function has flow and task."""

    @task
    def spawn() -> list[object]:
        bare = in_thread(note)
        bound = in_thread(bind_context(lambda: note(7)))
        return [*bare, *bound, *in_thread(current_task_or_none), *in_thread(bind_context(current_task))]

    @flow
    def threads() -> list[object]:
        return spawn()

    run = threads().execute()
    error, value, without, within = run.return_value
    assert isinstance(error, NoActiveFlowError)
    assert "bind_context" in str(error)
    assert value == 7
    assert without is None
    assert within is run.executed_tasks[0]
    assert [t.task_name for t in run.flow_run.tasks] == ["spawn", "note"]
    assert run.flow_run.tasks[1].parent_task_id == run.flow_run.tasks[0].task_id


def test_one_bound_function_serves_many_threads_at_once() -> None:
    """The same bound function may run in many threads at the same time, and leaves no scope behind in any."""
    together = threading.Barrier(8)

    def work(i: int) -> int:
        together.wait()
        return note(i)

    @flow
    def pool() -> list[object]:
        with ThreadPoolExecutor(8) as executor:
            values = list(executor.map(bind_context(work), range(64)))
            left = [executor.submit(current_flow_or_none).result() for _ in range(16)]
        return [values, left]

    run = pool().execute()
    values, left = run.return_value
    assert values == list(range(64))
    assert left == [None] * 16
    assert prints_by_task(run) == {t.task_id: f"note {t.return_value}" for t in run.flow_run.tasks}
    assert sorted(t.execution_order for t in run.flow_run.tasks) == list(range(1, 65))


async def test_bound_functions_keep_their_kind() -> None:
    """A bound async function, partial, async callable object, generator and async generator run inside the flow."""

    class AsyncCallable:
        async def __call__(self) -> object:
            await asyncio.sleep(0)
            return current_flow_or_none()

    async def ask(_: int) -> object:
        await asyncio.sleep(0)
        return current_flow_or_none()

    def steps() -> Iterator[object]:
        yield current_flow_or_none()

    async def asteps() -> AsyncIterator[object]:
        yield current_flow_or_none()

    @flow
    async def keep_open(opened: asyncio.Event, release: asyncio.Event) -> None:
        functions: list[Any] = [ask, partial(ask, 1), AsyncCallable(), steps, asteps]
        bound.extend(bind_context(function) for function in functions)
        opened.set()
        await release.wait()

    bound: list[Any] = []
    opened, release = asyncio.Event(), asyncio.Event()
    running = keep_open(opened, release)
    ending = asyncio.create_task(running.execute_async())
    await opened.wait()
    seen = [await bound[0](1), await bound[1](), await bound[2]()]
    seen.extend(bound[3]())
    seen.extend([item async for item in bound[4]()])
    outside = current_flow_or_none()
    release.set()
    await ending
    assert [s is running for s in seen] == [True] * 5
    assert outside is None


def test_flows_in_bound_threads_are_nested_flows() -> None:
    """A flow executed in a bound thread has the binding flow as parent, one in a bare thread has none."""

    @flow
    def inner(i: int) -> int:
        return note(i)

    @flow
    def outer() -> tuple[list[Flow[int]], list[Flow[int]]]:
        def execute(i: int) -> Flow[int]:
            return inner(i).execute()

        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(bind_context(execute), range(16))), list(pool.map(execute, range(16)))

    run = outer().execute()
    bound, bare = run.return_value
    assert {f.flow_run.parent_flow_id for f in bound} == {run.flow_id}
    assert {f.flow_run.parent_flow_id for f in bare} == {None}
    assert [f.return_value for f in (*bound, *bare)] == [*range(16), *range(16)]
    assert all(len(f.executed_tasks) == 1 for f in (*bound, *bare))
    assert len(run.executed_tasks) == 0


async def test_a_generator_task_may_be_advanced_from_many_threads() -> None:
    """Each step runs inside the generator's task, whatever thread asks for it, and leaves nothing there."""

    @task
    def steps() -> Iterator[str]:
        for _ in range(3):
            print("step")
            yield current_task().task_name

    @flow
    async def stepping() -> list[object]:
        generator = steps()
        seen: list[object] = []
        for _ in range(3):
            seen.append(await asyncio.to_thread(next, generator))
            seen.append(await asyncio.to_thread(current_task_or_none))
        seen.append(await asyncio.to_thread(next, generator, "end"))
        return seen

    run = await stepping()
    assert run.return_value == ["steps", None, "steps", None, "steps", None, "end"]
    [recorded] = run.flow_run.tasks
    assert [e.task_id for e in run.captured_logs() if e.message == "step"] == [recorded.task_id] * 3


def test_the_present_scope_may_be_none() -> None:
    """A function bound outside all flows runs outside them, wherever it is called; one bound in a task runs in it."""
    outside = bind_context(current_flow_or_none)

    @task
    def bind() -> Callable[[], object]:
        return bind_context(current_task_or_none)

    @flow
    def binding() -> list[object]:
        bound = bind()
        return [outside(), bound(), current_task_or_none(), current_flow_or_none()]

    run = binding().execute()
    assert run.return_value == [None, run.executed_tasks[0], None, run]
    assert bind_context(note).__name__ == "note"
