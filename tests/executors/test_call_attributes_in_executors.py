"""`this_task.task_name` and `this_task.raise_on_error`, set where an executor runs the call."""

from collections.abc import Iterator

import pytest

from flowscope import EventType, Executor, Flow, FlowEvent, ProcessExecutor, ThreadExecutor, submit, use_executor
from support.executors import revised_tasks as tasks


@pytest.fixture(params=[ThreadExecutor, ProcessExecutor], scope="module")
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    """An executor with one worker."""
    with request.param(max_workers=1) as made:
        yield made


def test_a_call_that_renames_itself_elsewhere_renames_no_other(executor: Executor) -> None:
    """The name comes to the record and events of that call; the next call in the same worker has that of the task."""
    events: list[FlowEvent] = []
    with Flow[None]() as made, use_executor(executor):
        made.add_listener(events.append, EventType.FLOW_MESSAGE, EventType.TASK_STOP)
        assert [submit(tasks.renamed, x).result() for x in range(3)] == ["renamed", "renamed-1", "renamed"]
    assert [call.task_name for call in made.flow_run.tasks] == ["renamed", "renamed-1", "renamed"]
    assert made.durations().calls["renamed-1"].count == 1
    assert [e.event_data.task_name for e in events if e.event_type is EventType.FLOW_MESSAGE] == ["renamed-1"]
    assert [e.event_data.task_name for e in events if e.event_type is EventType.TASK_STOP] == [
        "renamed",
        "renamed-1",
        "renamed",
    ]


def test_a_call_inside_a_call_elsewhere_renames_itself_alone(executor: Executor) -> None:
    """A task that a task calls in its worker has the name that it gave itself in the record."""
    with Flow[None]() as made, use_executor(executor):
        assert submit(tasks.call_renamed).result() == ["renamed", "renamed-1", "renamed"]
    assert [call.task_name for call in made.flow_run.tasks] == ["call_renamed", "renamed", "renamed-1", "renamed"]


def test_a_call_elsewhere_tolerates_its_own_failure_alone(executor: Executor) -> None:
    """`raise_on_error=False` that is set in a worker makes that call return None; the next one raises."""
    with Flow[None](), use_executor(executor):
        assert submit(tasks.tolerant_once, True).result() is None
        with pytest.raises(ValueError, match="boom"):
            submit(tasks.tolerant_once, False).result()


def test_the_next_attempt_elsewhere_has_the_name(executor: Executor) -> None:
    """A retry of a call, which may run in another worker, has the name that the first attempt gave it."""
    with Flow[None]() as made, use_executor(executor):
        assert submit(tasks.renamed_once).result() == "second"
    assert [(call.task_name, call.attempts) for call in made.flow_run.tasks] == [("second", 2)]
