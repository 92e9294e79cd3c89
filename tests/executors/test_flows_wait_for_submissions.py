"""A flow does not end before what it has submitted has ended or been cancelled."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from flowscope import (
    Flow,
    FlowConfig,
    Inject,
    NoActiveFlowError,
    RunStatus,
    bind_context,
    current_flow,
    flow,
    submit,
    task,
    use_executor,
)
from support.executors.gate import Gate
from support.executors.structures import BLOCKS, let_go_later, run, statuses
from support.executors.task_forms import FORMS, PLACES, Tasks
from support.executors.tasks import Crash, add, add_async, crash
from support.executors.waiting_tasks import hold, hold_async


@BLOCKS
@PLACES
@FORMS
def test_a_flow_waits_for_its_children(block: str, place: Any, tasks: Tasks, gate: Gate) -> None:
    """A flow whose function, or block, has ended goes on until its last child has ended."""

    async def body() -> None:
        for name in ("a", "b"):
            submit(tasks.hold, gate.address, name)

    opener = let_go_later(gate, 2)
    made = run(block, body, place)
    opener.join()
    assert made.status is RunStatus.COMPLETED
    assert statuses(made) == [RunStatus.COMPLETED] * 2
    assert [task.return_value for task in made.flow_run.tasks] == ["a", "b"]


def test_a_child_of_a_child_is_waited_for(gate: Gate) -> None:
    """What a submitted task submits, after the flow's function has returned, is waited for as well."""

    @task
    def parent(name: str) -> None:
        hold(gate.address, name)
        submit(hold, gate.address, f"child of {name}")

    def body() -> None:
        submit(parent, "a")

    opener = let_go_later(gate, 2)
    made = Flow[None]().setup(body).execute()
    opener.join()
    assert [task.task_name for task in made.flow_run.tasks] == ["parent", "hold", "hold"]
    assert statuses(made) == [RunStatus.COMPLETED] * 3
    assert {task.parent_task_id for task in made.flow_run.tasks[1:]} == {made.flow_run.tasks[0].task_id}


def test_nested_flows_wait_for_their_own_children(gate: Gate) -> None:
    """A nested flow waits for what it has submitted, and not for what its parent has."""

    @flow
    def inner() -> str:
        submit(add, 1)
        submit(add_async, 1)
        return "inner"

    @flow
    def outer() -> str:
        submit(hold, gate.address, "of the outer")
        (visitor,) = gate.wait_for()
        nested = inner().execute()
        assert statuses(nested) == [RunStatus.COMPLETED] * 2
        assert statuses(current_flow()) == [RunStatus.RUNNING]
        visitor.let_go()
        return nested.return_value

    made = outer().execute()
    assert made.return_value == "inner"
    assert statuses(made) == [RunStatus.COMPLETED]


def test_a_failing_nested_flow_cancels_only_its_own(gate: Gate) -> None:
    """The children of a nested flow that fails are cancelled, those of its parent go on."""

    @flow(flow_config=FlowConfig(raise_flow_error=False))
    def inner() -> None:
        submit(hold, gate.address, "inner")
        gate.wait_for()
        raise LookupError

    @flow
    def outer() -> None:
        submit(hold, gate.address, "outer")
        (visitor,) = gate.wait_for()
        nested = inner().execute()
        assert statuses(nested) == [RunStatus.CANCELLED]
        visitor.let_go()

    assert statuses(outer().execute()) == [RunStatus.COMPLETED]


@PLACES
def test_a_nested_flow_inside_a_submitted_task(place: Any) -> None:
    """A flow that runs inside a submitted task has children of its own, and a record of its own."""
    with Flow[None]() as made, use_executor(place):
        status, names = submit(run_nested, 3).result()
    assert status is RunStatus.COMPLETED
    assert names == ["add"] * 3
    assert [task.task_name for task in made.flow_run.tasks] == ["run_nested"]


@task
def run_nested(count: int) -> tuple[RunStatus, list[str]]:
    """Run a flow that leaves its children to its end."""
    parent = current_flow().flow_id

    @flow
    def nested() -> None:
        for number in range(count):
            submit(add, number)

    made = nested().execute()
    assert made.flow_run.parent_flow_id == parent
    assert [task.return_value for task in made.flow_run.tasks] == [10 + number for number in range(count)]
    return made.status, [task.task_name for task in made.flow_run.tasks]


def test_blocks_may_be_left_with_children_running(gate: Gate) -> None:
    """Leaving a `with` block waits, and a task that is submitted afterwards has no flow."""
    opener = let_go_later(gate)
    with Flow[None]() as made:
        submit(hold, gate.address, "a")
    opener.join()
    assert statuses(made) == [RunStatus.COMPLETED]
    with pytest.raises(NoActiveFlowError):
        submit(add, 1)


def test_an_execution_inside_a_block_waits_for_the_block_s_children(gate: Gate) -> None:
    """`flow.execute()` inside `with flow:` is the run; what the block had submitted is waited for by it."""
    made = Flow[str]().setup(lambda: "value")
    opener = let_go_later(gate)
    with made:
        submit(hold, gate.address, "a")
        made.execute()
        assert made.status is RunStatus.COMPLETED
    opener.join()
    assert statuses(made) == [RunStatus.COMPLETED]
    assert made.return_value == "value"


def test_hundreds_of_children_are_waited_for() -> None:
    """Nothing is lost when a flow leaves hundreds of children of both kinds to its end."""

    def body() -> None:
        for number in range(300):
            submit(add, number)
            submit(add_async, number)

    made = Flow[None]().setup(body).execute()
    record = made.flow_run
    assert [task.return_value for task in record.tasks] == [10 + number for number in range(300) for _ in "ab"]
    assert record.end_time is not None
    assert all(task.end_time is not None and task.end_time <= record.end_time for task in record.tasks)


async def test_a_sync_block_in_a_running_loop() -> None:
    """A `with` block in a coroutine waits for children of both kinds, though it holds up the loop."""
    with Flow[None]() as made:
        futures = [submit(add, 1), submit(add_async, 1)]
    assert statuses(made) == [RunStatus.COMPLETED] * 2
    assert [await future for future in futures] == [11, 11]


async def test_a_sync_flow_in_a_running_loop() -> None:
    """A sync flow that is awaited, or executed, in a running loop waits for its children."""

    def body() -> list[int]:
        submit(add_async, 2)
        return [submit(add, 1).result(), submit(add_async, 1).result()]

    assert (await Flow[list[int]]().setup(body)).return_value == [11, 11]
    assert Flow[list[int]]().setup(body).execute().return_value == [11, 11]


@pytest.mark.filterwarnings("ignore::flowscope.BlockedLoopWarning")
async def test_an_async_flow_executed_in_a_running_loop(gate: Gate) -> None:
    """`execute()` of an async flow, in a loop of its own beside the running one, waits for its children."""

    async def body() -> int:
        submit(add_async, 2)
        submit(hold_async, gate.address, "a")
        return await submit(add, 1)

    opener = let_go_later(gate)
    made = Flow[int]().setup(body).execute()
    opener.join()
    assert made.return_value == 11
    assert statuses(made) == [RunStatus.COMPLETED] * 3


@pytest.mark.parametrize("place", ["thread", "asyncio"])
def test_threads_go_on_submitting_as_the_flow_ends(place: Any) -> None:
    """A thread that submits without end either belongs to the flow or has none; what it gets ends, and none hangs."""
    wrong: list[BaseException] = []

    def stray() -> None:
        while True:
            try:
                future = submit(add, 1)
            except NoActiveFlowError:
                return
            try:
                assert future.result(20) == 11
            except asyncio.CancelledError:
                continue
            except BaseException as error:
                wrong.append(error)
                return

    for _ in range(40):
        with Flow[None]() as made, use_executor(place):
            threads = [threading.Thread(target=bind_context(stray)) for _ in range(3)]
            for thread in threads:
                thread.start()
            submit(add, 1).result()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        record = made.flow_run
        assert all(task.end_time is not None for task in record.tasks)
        assert {task.status for task in record.tasks} <= {
            RunStatus.COMPLETED,
            RunStatus.CANCELLED,
            RunStatus.ABANDONED,
        }
    assert wrong == []


@BLOCKS
@pytest.mark.parametrize("closing", [add, crash], ids=["fine", "failing"])
def test_what_a_closing_provider_submits_is_waited_for(block: str, closing: Any) -> None:
    """A flow-wide provider that submits when it is closed, at the flow's end, is a part of the flow like any."""

    def connection() -> Iterator[int]:
        yield 5
        anything: Any = closing
        submit(anything, "a" if anything is crash else 1)

    @task
    def use(connected: int = Inject(connection, scope="flow")) -> int:
        return connected

    async def body() -> None:
        submit(use).result()

    if closing is add:
        made = run(block, body)
        assert made.status is RunStatus.COMPLETED
        assert statuses(made) == [RunStatus.COMPLETED] * 2
    else:
        with pytest.raises(Crash):
            run(block, body, raises=True)
