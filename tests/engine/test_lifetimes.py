"""What outlives a flow is in no flow, changes no record, and keeps nothing alive."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any

import pytest

from flowscope import (
    EventType,
    FlowEvent,
    NoActiveFlowError,
    RunStatus,
    bind_context,
    current_flow,
    current_flow_or_none,
    current_task_or_none,
    flow,
    flow_events,
    task,
)


@task
def note() -> None: ...


async def test_a_stray_asyncio_task_is_outside_once_its_flow_has_ended(capsys: pytest.CaptureFixture[str]) -> None:
    """Its open task is abandoned, its next task call raises, its print is real, and the record stays as it was."""
    resume = asyncio.Event()
    reached = asyncio.Event()
    strays: list[asyncio.Task[None]] = []

    @task
    async def lingering() -> None:
        print("before")
        reached.set()
        await resume.wait()
        print("after")
        assert current_flow_or_none() is None
        assert current_task_or_none() is None
        with pytest.raises(NoActiveFlowError, match="leaving"):
            note()
        with pytest.raises(NoActiveFlowError, match="leaving"):
            current_flow()

    @flow
    async def leaving() -> None:
        strays.append(asyncio.create_task(lingering()))
        await reached.wait()

    run = await leaving()
    before = run.flow_run.model_dump_json()
    resume.set()
    await strays[0]
    record = run.flow_run
    assert record.model_dump_json() == before
    assert [t.status for t in record.tasks] == [RunStatus.ABANDONED]
    assert record.tasks[0].end_time == record.end_time
    assert [e.message for e in record.logs if e.source == "stdout"] == ["before"]
    assert capsys.readouterr().out == "after\n"
    assert run.executed_tasks[0].status is RunStatus.ABANDONED


async def test_nothing_is_heard_or_kept_after_the_stop() -> None:
    """After FLOW_STOP no event of the run follows, and log lines, artifacts and prints of strays are not in it."""
    resume = asyncio.Event()
    events: list[FlowEvent] = []
    strays: list[asyncio.Task[None]] = []

    @flow
    async def leaving() -> None:
        here = current_flow()

        async def stray() -> None:
            await resume.wait()
            print("late", end="")
            here.log_info("late")
            with pytest.raises(NoActiveFlowError):
                here.add_flow_artifact(key="late")
            with pytest.raises(NoActiveFlowError):
                here.add_flow_result("late")

        strays.append(asyncio.create_task(stray()))

    with flow_events.subscribe(events.append):
        run = await leaving()
        before = run.flow_run.model_dump_json()
        resume.set()
        await strays[0]
    assert run.flow_run.model_dump_json() == before
    assert [e.event_type for e in events] == [EventType.FLOW_START, EventType.FLOW_STOP]


async def test_a_stray_that_fails_after_the_end_raises_its_own_error() -> None:
    """What a stray task raises reaches whoever awaits it, as the very object, and the record does not learn of it."""
    resume, reached = asyncio.Event(), asyncio.Event()
    boom = ValueError("late")
    strays: list[asyncio.Task[None]] = []

    @task
    async def lingering() -> None:
        reached.set()
        await resume.wait()
        raise boom

    @flow
    async def leaving() -> None:
        strays.append(asyncio.create_task(lingering()))
        await reached.wait()

    run = await leaving()
    resume.set()
    with pytest.raises(ValueError) as caught:
        await strays[0]
    assert caught.value is boom
    assert run.flow_run.tasks[0].error is None
    assert run.flow_run.tasks[0].status is RunStatus.ABANDONED


def test_open_tasks_of_every_kind_are_abandoned() -> None:
    """A thread's task that is running, and a generator task that nobody finishes, are abandoned at the end."""
    started, release = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []
    generators: list[Any] = []

    @task
    def blocked() -> None:
        started.set()
        release.wait()

    @task
    def endless() -> Any:
        while True:
            yield 1

    @flow
    def leave() -> None:
        thread = threading.Thread(target=bind_context(blocked))
        thread.start()
        threads.append(thread)
        started.wait()
        generators.append(endless())
        next(generators[0])

    run = leave().execute()
    release.set()
    threads[0].join()
    generators[0].close()
    assert {t.task_name: t.status for t in run.flow_run.tasks} == {
        "blocked": RunStatus.ABANDONED,
        "endless": RunStatus.ABANDONED,
    }
    assert all(t.end_time is not None for t in run.flow_run.tasks)


def test_bound_functions_and_copied_contexts_are_outside_after_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    """What was bound or copied inside a flow raises, prints for real and changes nothing once the flow has ended."""
    bound: list[Callable[[], object]] = []
    contexts: list[contextvars.Context] = []

    @flow
    def source() -> None:
        bound.extend((bind_context(note), bind_context(lambda: print("bound")), bind_context(current_flow_or_none)))
        contexts.append(contextvars.copy_context())

    run = source().execute()
    before = run.flow_run.model_dump_json()
    call, say, ask = bound
    with pytest.raises(NoActiveFlowError, match="source"):
        call()
    with pytest.raises(NoActiveFlowError, match="source"):
        contexts[0].run(note)
    say()
    contexts[0].run(print, "copied")
    assert ask() is None
    assert contexts[0].run(current_flow_or_none) is None
    assert capsys.readouterr().out == "bound\ncopied\n"
    assert run.flow_run.model_dump_json() == before


def test_a_function_bound_in_an_earlier_run_is_not_in_the_next_one() -> None:
    """Executing the same flow again does not revive what the first run left behind."""
    bound: list[Callable[[], None]] = []

    @flow
    def repeated() -> int:
        bound.append(bind_context(note))
        if len(bound) == 2:
            with pytest.raises(NoActiveFlowError):
                bound[0]()
            bound[1]()
        return len(bound)

    run = repeated()
    first = run.execute().flow_run
    second = run.execute().flow_run
    assert (first.return_value, second.return_value) == (1, 2)
    assert (len(first.tasks), len(second.tasks)) == (0, 1)
    assert first.flow_id != second.flow_id


def test_a_flow_started_by_a_stray_has_no_parent() -> None:
    """A flow executed in what is left of an ended flow is a flow of its own."""
    contexts: list[contextvars.Context] = []

    @flow
    def source() -> None:
        contexts.append(contextvars.copy_context())

    source().execute()
    later = contexts[0].run(source().execute)
    assert later.flow_run.parent_flow_id is None


def test_what_an_executed_flow_leaves_in_its_loop_is_cancelled_outside() -> None:
    """execute() of an async flow cancels strays with its loop: they end outside the flow, recorded as abandoned."""
    seen: list[object] = []
    bare: list[asyncio.Task[None]] = []

    @task
    async def lingering() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append(current_flow_or_none())
            with pytest.raises(NoActiveFlowError):
                note()

    @flow
    async def leaving() -> None:
        bare.append(asyncio.create_task(lingering()))
        await asyncio.sleep(0)

    run = leaving().execute()
    assert bare[0].cancelled()
    assert seen == [None]
    assert [(t.task_name, t.status) for t in run.flow_run.tasks] == [("lingering", RunStatus.ABANDONED)]


def test_an_inner_scope_that_outlives_its_flow_is_not_in_the_outer_one() -> None:
    """What an ended nested flow left behind is in no flow, though the outer flow is still running."""

    @flow
    def inner() -> Callable[[], None]:
        return bind_context(note)

    @flow
    def outer() -> None:
        bound = inner().execute().return_value
        with pytest.raises(NoActiveFlowError, match="inner"):
            bound()
        note()

    assert len(outer().execute().executed_tasks) == 1
