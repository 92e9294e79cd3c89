"""The record of a failure that passes through many tasks grows with their number, not with its square."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from flowscope import Flow, FlowConfig, flow, task

CONFIG: Final = FlowConfig(raise_flow_error=False, capture_events=True, print_error_stack_trace=True)


@task
def passing(depth: int) -> None:
    """Fail at the bottom."""
    if depth == 0:
        raise ValueError("at the bottom")
    passing(depth - 1)


@task
def wrapping(depth: int) -> None:
    """Fail at the bottom, with another error at each level."""
    if depth == 0:
        raise ValueError("at the bottom")
    try:
        wrapping(depth - 1)
    except ValueError as error:
        raise ValueError(f"at {depth}") from error


@task
def in_context(depth: int) -> None:
    """Fail at the bottom, with another error at each level, in the context of the one before."""
    if depth == 0:
        raise ValueError("at the bottom")
    try:
        in_context(depth - 1)
    except ValueError:
        raise ValueError(f"at {depth}")  # noqa: B904 - that is the point


@task
async def awaiting(depth: int) -> None:
    """Fail at the bottom of async tasks."""
    if depth == 0:
        raise ValueError("at the bottom")
    await awaiting(depth - 1)


def failing(step: Callable[[int], Any], depth: int) -> Flow[Any]:
    """A flow whose tasks fail one in another."""

    @flow(flow_config=CONFIG)
    async def work() -> None:
        outcome = step(depth)
        if outcome is not None:
            await outcome

    return work().execute()


@pytest.mark.parametrize("step", [passing, wrapping, in_context, awaiting], ids=lambda step: str(step.__name__))
def test_the_record_grows_with_the_length_of_the_chain(step: Callable[[int], Any]) -> None:
    """Four times the tasks, about four times the JSON: events, log and records included, also of chained errors."""
    short, long = (len(failing(step, depth).flow_run.model_dump_json()) for depth in (50, 200))
    assert long / short < 6


def test_each_task_tells_its_own_frames_and_note_and_the_flow_tells_all() -> None:
    """The line of a task that called the failing one is in its own error; the whole story is in the flow's."""
    run = failing(passing, 3)
    record = run.flow_run
    errors = [found.error for found in record.tasks]
    assert all(error is not None and error.message == "at the bottom" for error in errors)
    assert [error.traceback.count('File "') for error in errors if error is not None] == [1, 1, 1, 1]
    assert [len(error.notes) for error in errors if error is not None] == [1, 1, 1, 1]
    assert [found.task_id in error.notes[0] for found, error in zip(record.tasks, errors, strict=True) if error] == [
        True
    ] * 4
    assert record.error is not None
    assert record.error.traceback.count("in passing") == 4
    assert len(record.error.notes) == 4


def test_the_innermost_task_tells_the_causes() -> None:
    """Every error names its causes; the frames of one that another task has recorded are only there."""

    @task
    def broken() -> None:
        try:
            raise KeyError("cause")
        except KeyError as error:
            raise ValueError("effect") from error

    @task
    def outer() -> None:
        broken()

    @flow(flow_config=CONFIG)
    def work() -> None:
        outer()

    record = work().execute().flow_run
    around, inside = (found.error for found in record.tasks)
    assert around is not None
    assert inside is not None
    assert around.cause is not None
    assert inside.cause is not None
    assert (around.cause.type, around.cause.traceback) == ("KeyError", "")
    assert "raise KeyError" in inside.cause.traceback
    assert "raise KeyError" in inside.traceback
    assert record.error is not None
    assert "raise KeyError" in record.error.traceback
