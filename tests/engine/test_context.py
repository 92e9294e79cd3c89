"""Which flow and which task is this code running in?"""

from collections.abc import Callable
from typing import Any

import pytest

from flowscope import (
    INJECTED,
    AlreadyRunningError,
    Flow,
    NoActiveFlowError,
    NoActiveTaskError,
    RunStatus,
    current_flow,
    current_flow_or_none,
    current_task,
    current_task_or_none,
    flow,
    task,
)


@task
def where() -> tuple[str, str]:
    """The flow's name and the task's id."""
    return current_flow().flow_name, current_task().task_id


@flow
def visited() -> tuple[str, str]:
    return where()


def test_outside_a_flow_nothing_is_current() -> None:
    """Outside flows the asking functions raise, and their tolerant forms give None."""
    with pytest.raises(NoActiveFlowError):
        current_flow()
    with pytest.raises(NoActiveTaskError):
        current_task()
    assert current_flow_or_none() is None
    assert current_task_or_none() is None


def test_a_task_without_a_flow_says_what_to_do() -> None:
    """A task called outside flows does not run, and the error names it and the ways out."""
    with pytest.raises(NoActiveFlowError) as caught:
        where()
    text = str(caught.value)
    assert "'where'" in text
    assert "@flow" in text
    assert "bind_context" in text


async def test_an_async_task_without_a_flow_raises_too() -> None:
    """An async task awaited outside flows raises the same error, and its body never starts."""
    started: list[int] = []

    @task
    async def lonely() -> None:
        started.append(1)

    with pytest.raises(NoActiveFlowError, match="lonely"):
        await lonely()
    assert started == []


def test_inside_a_flow_but_outside_tasks_there_is_no_task() -> None:
    """The flow's own function has a flow and no task; a task has both; afterwards it is as before."""
    seen: list[object] = []

    @task
    def inner() -> None:
        seen.append(current_task().task_name)
        seen.append(current_flow())

    @flow
    def outer() -> None:
        seen.append(current_task_or_none())
        inner()
        seen.append(current_task_or_none())
        with pytest.raises(NoActiveTaskError):
            current_task()

    run = outer().execute()
    assert seen == [None, "inner", run, None]
    assert current_flow_or_none() is None


def test_a_flow_that_is_only_held_captures_nothing() -> None:
    """A flow that is made, set up, stored or finished inside another records none of the other's tasks."""
    held: list[Flow[Any]] = []

    @flow
    def outer() -> list[tuple[str, str]]:
        pending = visited()
        bare = Flow[None]()
        finished = visited().execute()
        held.extend((pending, bare, finished))
        return [where(), where()]

    run = outer().execute()
    pending, bare, finished = held
    assert [name for name, _ in run.return_value] == ["outer", "outer"]
    assert len(run.executed_tasks) == 2
    assert len(pending.executed_tasks) == len(bare.executed_tasks) == 0
    assert len(finished.executed_tasks) == 1
    assert pending.status is bare.status is RunStatus.PENDING


def test_tasks_know_who_called_them() -> None:
    """A task called by a task names it as parent; one called by the flow names none; order is the order of start."""

    @task
    def leaf() -> None: ...

    @task
    def branch() -> None:
        leaf()
        leaf()

    @flow
    def tree() -> None:
        branch()
        leaf()

    tasks = tree().execute().flow_run.tasks
    assert [t.task_name for t in tasks] == ["branch", "leaf", "leaf", "leaf"]
    assert [t.execution_order for t in tasks] == [1, 2, 3, 4]
    assert [t.parent_task_id for t in tasks] == [None, tasks[0].task_id, tasks[0].task_id, None]


def test_recursion_builds_a_chain() -> None:
    """A task that calls itself is a new call of its own each time, each the child of the one before."""

    @task
    def countdown(n: int) -> int:
        return 0 if n == 0 else 1 + countdown(n - 1)

    @flow
    def count() -> int:
        return countdown(50)

    run = count().execute()
    tasks = run.flow_run.tasks
    assert run.return_value == 50
    assert [t.parent_task_id for t in tasks] == [None, *(t.task_id for t in tasks[:-1])]


def test_nested_flows_form_a_chain_and_keep_their_records_apart() -> None:
    """A recursive flow makes one record a level, each naming the level above, with its own tasks and prints alone."""
    made: list[Flow[int]] = []

    @flow
    def descend(depth: int) -> int:
        made.append(current_flow())
        print(f"in {depth}")
        where()
        below = descend(depth - 1).execute().return_value if depth else 0
        where()
        print(f"out {depth}")
        return below + 1

    top = descend(4).execute()
    records = [f.flow_run for f in made]
    assert top.return_value == 5
    assert [r.parent_flow_id for r in records] == [None, *(r.flow_id for r in records[:-1])]
    assert [len(r.tasks) for r in records] == [2] * 5
    for depth, record in zip(range(4, -1, -1), records, strict=True):
        printed = [e.message for e in record.logs if e.source == "stdout"]
        assert printed == [f"in {depth}", f"out {depth}"]


def test_sync_inside_async_inside_sync() -> None:
    """Flows of both kinds nest by `execute()`, and each task belongs to the innermost running one."""

    @flow
    def bottom() -> tuple[str, str]:
        return where()

    @flow
    async def middle() -> list[str]:
        before, _ = where()
        below = bottom().execute().return_value[0]
        after, _ = where()
        return [before, below, after]

    @flow
    def top() -> list[str]:
        inner = middle().execute()
        assert inner.flow_run.parent_flow_id == current_flow().flow_id
        return [where()[0], *inner.return_value, where()[0]]

    assert top().execute().return_value == ["top", "middle", "bottom", "middle", "top"]


def test_a_nested_flow_has_its_own_error_policy() -> None:
    """A nested flow that fails leaves the outer one in its own context, recorded as it ends itself."""

    @flow
    def broken() -> None:
        where()
        raise LookupError("inner")

    @flow
    def outer() -> tuple[str, str]:
        with pytest.raises(LookupError):
            broken().execute()
        return where()

    run = outer().execute()
    assert run.return_value[0] == "outer"
    assert run.status is RunStatus.COMPLETED
    assert [t.task_name for t in run.flow_run.tasks] == ["where"]


def test_a_flow_cannot_run_inside_itself() -> None:
    """Executing the running flow object raises, and the run it is in goes on undisturbed."""

    @flow
    def again() -> str:
        running = current_flow()
        with pytest.raises(AlreadyRunningError):
            running.execute()
        with pytest.raises(AlreadyRunningError), running:
            pass
        return where()[0]

    run = again().execute()
    assert run.return_value == "again"
    assert len(run.executed_tasks) == 1


def test_an_injected_flow_may_be_annotated_with_its_result() -> None:
    """`this_flow: Flow[Any]`, `Flow[int]` and an optional one all receive the flow that is running."""

    @task
    def asks(this_flow: Flow[Any] = INJECTED, other: Flow[int] | None = None) -> bool:
        return this_flow is current_flow() and other is this_flow

    @flow
    def asked(this_flow: Flow[Any] | None = None, typed: Flow[int] = INJECTED) -> bool:
        return this_flow is current_flow() and typed is this_flow and asks()

    assert asked().execute().return_value


def test_the_context_is_as_before_after_any_end() -> None:
    """However a task or a flow ends, the code after it is where it was."""

    class Stop(BaseException):
        pass

    def raiser(error: BaseException) -> Callable[[], None]:
        @task
        def raising() -> None:
            raise error

        return raising

    @flow
    def survive() -> list[bool]:
        here = current_flow()
        kept: list[bool] = []
        for error in (ValueError(), KeyboardInterrupt(), SystemExit(), Stop(), GeneratorExit()):
            with pytest.raises(type(error)):
                raiser(error)()
            kept.append(current_flow() is here and current_task_or_none() is None)
        return kept

    assert survive().execute().return_value == [True] * 5
    assert current_flow_or_none() is None


def test_a_block_is_a_running_flow() -> None:
    """Inside `with flow:` the flow is current, tasks belong to it, and it is over with the block."""
    with Flow[None](flow_name="block") as block:
        assert current_flow() is block
        assert where()[0] == "block"
    assert current_flow_or_none() is None
    assert len(block.executed_tasks) == 1
    with pytest.raises(NoActiveFlowError):
        where()
