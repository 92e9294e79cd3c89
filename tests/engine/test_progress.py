"""Progress of tasks, the numbers of items of generators, and default configs."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pytest

from flowscope import (
    EventType,
    Flow,
    FlowConfig,
    FlowEvent,
    NoActiveFlowError,
    ProcessExecutor,
    Progress,
    Task,
    current_task,
    flow,
    set_default_config,
    submit,
    task,
    use_executor,
)
from support.logging_tasks import progress_there


@task
def report(count: int) -> None:
    """Report each step."""
    for number in range(count):
        current_task().progress(number + 1, count, f"item {number + 1}")


def progress_events(made: Flow[Any]) -> list[FlowEvent]:
    """The progress events of a run."""
    heard: list[FlowEvent] = []
    with made.add_listener(heard.append):
        made.execute()
    kinds = [event.event_type for event in heard]
    assert kinds.index(EventType.TASK_STOP) > max(i for i, kind in enumerate(kinds) if kind is EventType.TASK_PROGRESS)
    return [event for event in heard if event.event_type is EventType.TASK_PROGRESS]


@pytest.mark.parametrize("is_elsewhere", [False, True])
def test_the_record_has_the_last_progress_and_events_are_thinned(is_elsewhere: bool) -> None:
    """The first and the last one always go out."""

    @flow
    def work() -> None:
        if is_elsewhere:
            with ProcessExecutor(1) as workers, use_executor(workers):
                submit(progress_there, 1_000).result()
        else:
            report(1_000)

    made = work()
    events = progress_events(made)
    last = Progress(done=1_000.0, total=1_000.0, message="item 1000")
    assert made.flow_run.tasks[0].progress == last
    assert events[0].event_data.data["done"] == 1.0
    assert events[-1].event_data.data == last.model_dump()
    assert events[-1].event_data.task_run_id == made.flow_run.tasks[0].task_id
    seconds = made.flow_run.tasks[0].duration
    assert len(events) <= 12 + 10 * seconds


def test_numbers_alone_are_progress() -> None:
    """Of any library; and only while the task runs."""
    kept: list[Task] = []

    @task
    def work() -> None:
        kept.append(current_task())
        with pytest.raises(TypeError, match="wanted numbers"):
            current_task().progress("half")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="wanted numbers"):
            current_task().progress(True, 2)
        for number in (float("nan"), float("inf")):
            with pytest.raises(ValueError, match="wanted finite numbers"):
                current_task().progress(1, number)
        current_task().progress(np.float32(0.5), np.int64(1))  # type: ignore[arg-type]

    @flow
    def around() -> None:
        work()
        with pytest.raises(NoActiveFlowError):
            kept[0].progress(1)

    made = around().execute()
    assert made.flow_run.tasks[0].progress == Progress(done=0.5, total=1.0)
    with pytest.raises(NoActiveFlowError):
        kept[0].progress(1)


def test_the_items_of_generators_are_counted() -> None:
    """Exhausted, closed, failed and tolerated ones, sync and async; None for other tasks and for open generators."""

    @task
    def numbers(count: int) -> Iterator[int]:
        yield from range(count)

    @task(raise_on_error=False)
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError

    @task
    async def numbers_async(count: int) -> AsyncIterator[int]:
        for number in range(count):
            yield number

    @task
    def plain() -> int:
        return 1

    @flow
    async def work() -> None:
        list(numbers(3))
        closed = numbers(3)
        next(iter(closed))
        closed.close()  # type: ignore[attr-defined]
        list(failing())
        assert [number async for number in numbers_async(2)] == [0, 1]
        list(numbers(0))
        plain()

    made = asyncio.run(work().execute_async())
    assert [call.yield_count for call in made.flow_run.tasks] == [3, 1, 1, 2, 0, None]


@pytest.fixture
def restored_config() -> Iterator[None]:
    """Restore the default config."""
    yield
    set_default_config(None)


@pytest.mark.usefixtures("restored_config")
def test_the_default_config_is_that_of_flows_made_after_it() -> None:
    """Whenever their functions were decorated; a config of their own replaces it whole."""

    @flow
    def plain() -> None: ...

    @flow(flow_config=FlowConfig(max_logs=1))
    def own() -> None: ...

    class Subclass(Flow[None]):
        def run(self) -> None: ...

    before = plain()
    config = FlowConfig(log_level="ERROR", record_inputs=False)
    set_default_config(config)
    assert before.flow_config == FlowConfig()
    assert plain().flow_config is config
    assert Flow[None]().flow_config is config
    assert Subclass().flow_config is config
    assert own().flow_config == FlowConfig(max_logs=1)
    with pytest.raises(TypeError, match="wanted a FlowConfig"):
        set_default_config({"log_level": "ERROR"})  # type: ignore[arg-type]
    assert plain().flow_config is config
    set_default_config(None)
    assert plain().flow_config == FlowConfig()
