"""Async flows, concurrent tasks, threads and flows inside flows: every task finds the flow that runs it."""

import asyncio
import threading

from flowscope import bind_context, flow, task


def test_an_async_flow_is_awaited_or_executed() -> None:
    """`await flow` runs in the caller's event loop; `execute()` runs to the end in a loop of its own."""

    @task
    async def fetch(number: int) -> int:
        await asyncio.sleep(0)
        return number

    @flow
    async def collect(count: int) -> list[int]:
        return [await fetch(number) for number in range(count)]

    async def main() -> list[int]:
        run = await collect(3)
        return run.return_value

    assert asyncio.run(main()) == [0, 1, 2]
    assert collect(3).execute().return_value == [0, 1, 2]


def test_gathered_tasks_belong_to_their_flow() -> None:
    """Tasks started by `gather` or in a `TaskGroup` are recorded on the flow that started them."""

    @task
    async def fetch(number: int) -> int:
        await asyncio.sleep(0)
        return number

    @flow
    async def collect() -> list[int]:
        gathered = await asyncio.gather(*(fetch(number) for number in range(3)))
        async with asyncio.TaskGroup() as group:
            grouped = [group.create_task(fetch(number)) for number in range(3, 6)]
        return [*gathered, *(each.result() for each in grouped)]

    run = collect().execute()
    assert run.return_value == [0, 1, 2, 3, 4, 5]
    assert [call.return_value for call in run.flow_run.tasks] == run.return_value


def test_concurrent_flows_do_not_mix() -> None:
    """Two flows that take turns in one event loop keep their tasks and prints apart."""

    @task
    async def step(word: str) -> None:
        await asyncio.sleep(0)
        print(word)

    @flow
    async def repeat(word: str) -> None:
        await step(word)
        await step(word)

    async def main() -> list[list[str]]:
        runs = await asyncio.gather(repeat("left").execute_async(), repeat("right").execute_async())
        return [[entry.message for entry in run.captured_logs()] for run in runs]

    assert asyncio.run(main()) == [["left", "left"], ["right", "right"]]


def test_to_thread_carries_the_context() -> None:
    """A task called through `asyncio.to_thread` belongs to the flow that is waiting for it."""

    @task
    def parse(text: str) -> int:
        return int(text)

    @flow
    async def total(texts: list[str]) -> int:
        return sum(await asyncio.gather(*(asyncio.to_thread(parse, text) for text in texts)))

    run = total(["1", "2", "3"]).execute()
    assert run.return_value == 6
    assert len(run.executed_tasks) == 3


def test_a_thread_of_your_own_is_bound_to_the_flow() -> None:
    """A thread that you start yourself has no context; `bind_context` gives it the one you are in."""
    values: list[int] = []

    @task
    def parse(text: str) -> None:
        values.append(int(text))

    @flow
    def in_a_thread() -> None:
        thread = threading.Thread(target=bind_context(parse), args=("42",))
        thread.start()
        thread.join()

    run = in_a_thread().execute()
    assert values == [42]
    assert [call.task_name for call in run.executed_tasks] == ["parse"]


def test_a_flow_inside_a_flow_has_a_record_of_its_own() -> None:
    """A nested flow keeps its own tasks, and names the flow around it."""

    @task
    def square(number: int) -> int:
        return number**2

    @flow
    def inner(number: int) -> int:
        return square(number)

    inner_run = inner(3)

    @flow
    def outer() -> int:
        return square(2) + inner_run.execute().return_value

    run = outer().execute()
    assert run.return_value == 13
    assert len(run.executed_tasks) == 1
    assert len(inner_run.executed_tasks) == 1
    assert inner_run.flow_run.parent_flow_id == run.flow_id


def test_a_flow_that_is_merely_referenced_captures_nothing() -> None:
    """Only the flow that is running a task records it, whatever other flows are at hand."""

    @task
    def square(number: int) -> int:
        return number**2

    @flow
    def other() -> int:
        return 0

    @flow
    def main() -> int:
        bystander = other()
        value = square(2)
        assert list(bystander.executed_tasks) == []
        return value

    assert len(main().execute().executed_tasks) == 1
