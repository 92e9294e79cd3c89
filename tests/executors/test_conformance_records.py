"""Every executor: what submitted calls log, print, find, call and repeat is in the record of their flow."""

import logging
from typing import Any

import pytest

from flowscope import (
    Executor,
    FlowRun,
    LogEntry,
    RemoteDataError,
    RunStatus,
    TaskRun,
    current_flow,
    submit,
)
from support.executors.recording_tasks import LOGGER, Seen
from support.executors.scenarios import Here, said
from support.executors.task_forms import Tasks

from .conftest import Perform


def spoken(entry: LogEntry) -> tuple[str, str, str, str]:
    """What there is to compare of a log entry."""
    return entry.level, entry.source, entry.logger, entry.message


def test_all_that_a_task_says_is_recorded(perform: Perform, tasks: Tasks, here: Here) -> None:
    """Logs, prints, standard logging and partial lines are in the flow's record, in order, as the task's own."""

    async def scenario() -> None:
        await here.value(submit(tasks.say, "a"))

    record = perform(scenario).flow_run
    assert [spoken(entry) for entry in said(record)] == [
        ("DEBUG", "log", "flowscope", "a debug"),
        ("ERROR", "log", "flowscope", "a error"),
        ("INFO", "stdout", "stdout", "a printed"),
        ("INFO", "stderr", "stderr", "a to stderr"),
        ("WARNING", "logging", "support.executors.tasks", "a by logging"),
        ("INFO", "log", "flowscope", "a by the flow"),
        ("INFO", "stdout", "stdout", "a without end"),
    ]
    (task,) = record.tasks
    assert task.end_time is not None
    assert {entry.task_id for entry in said(record)} == {task.task_id}
    times = [entry.timestamp for entry in said(record)]
    assert times == sorted(times)
    assert record.start_time is not None
    assert record.start_time <= task.start_time <= times[0] <= times[-2] <= task.end_time


def test_nothing_is_echoed(perform: Perform, tasks: Tasks, here: Here, capfd: pytest.CaptureFixture[str]) -> None:
    """What tasks print reaches neither terminal, in whatever process they run."""

    async def scenario() -> None:
        await here.values([submit(tasks.say, "a"), submit(tasks.spell, "abc")])

    perform(scenario)
    assert capfd.readouterr() == ("", "")


def test_prints_are_echoed_where_the_config_says_so(
    perform: Perform, tasks: Tasks, here: Here, capsys: pytest.CaptureFixture[str]
) -> None:
    """With `log_to_console` what tasks print appears on the streams of the flow's own process, too."""

    async def scenario() -> None:
        await here.value(submit(tasks.say, "a"))

    made = perform(scenario, log_to_console=True)
    out, err = capsys.readouterr()
    assert "a printed\n" in out
    assert "a without end" in out
    assert "a to stderr\n" in err
    assert [entry.message for entry in said(made.flow_run)].count("a printed") == 1


def test_partial_prints_are_joined(perform: Perform, tasks: Tasks, here: Here) -> None:
    """Text that tasks print bit by bit, at the same time, is joined to the line of each."""

    async def scenario() -> None:
        await here.values([submit(tasks.spell, letter * 5) for letter in "abcdef"])

    record = perform(scenario).flow_run
    assert sorted(entry.message for entry in said(record)) == [letter * 5 for letter in "abcdef"]
    words = {task.task_id: task.input_args[0] for task in record.tasks}
    assert [words[entry.task_id or ""] for entry in said(record)] == [entry.message for entry in said(record)]


def test_what_many_tasks_say_is_told_apart(perform: Perform, tasks: Tasks, here: Here) -> None:
    """Each of many tasks at once has its own lines, each of them once."""

    async def scenario() -> None:
        await here.values([submit(tasks.say, f"w{number}") for number in range(25)])

    record = perform(scenario).flow_run
    for task in record.tasks:
        lines = [entry.message for entry in said(record) if entry.task_id == task.task_id]
        assert [line.split()[0] for line in lines] == [task.return_value] * 7
    assert len(said(record)) == 25 * 7


def test_levels_are_those_of_the_submitting_process(perform: Perform, tasks: Tasks, here: Here) -> None:
    """What the logger here would not let through is not recorded, and what it would is, wherever the task runs."""

    async def scenario() -> None:
        LOGGER.setLevel(logging.ERROR)
        try:
            await here.value(submit(tasks.say, "quiet"))
        finally:
            LOGGER.setLevel(logging.NOTSET)
        await here.value(submit(tasks.say, "loud"))

    record = perform(scenario).flow_run
    assert [entry.message for entry in said(record) if entry.source == "logging"] == ["loud by logging"]


def test_the_log_level_of_the_config_holds(perform: Perform, tasks: Tasks, here: Here) -> None:
    """Entries below the flow's `log_level` are not recorded."""

    async def scenario() -> None:
        await here.value(submit(tasks.say, "a"))

    record = perform(scenario, log_level="WARNING").flow_run
    assert [entry.message for entry in said(record)] == ["a error", "a by logging"]


def test_artifacts_and_results_are_recorded(perform: Perform, tasks: Tasks, here: Here) -> None:
    """What a task finds, through itself or its flow, is in the record, in order, as the task's own."""

    async def scenario() -> None:
        await here.values([submit(tasks.discover, "a"), submit(tasks.discover, "b")])

    record = perform(scenario).flow_run
    for task in record.tasks:
        (name,) = task.input_args
        artifacts = [one for one in record.artifacts if one.task_id == task.task_id]
        assert [(one.key, one.description, one.artifact_type, one.data) for one in artifacts] == [
            (name, "of the task", "table", {"name": name}),
            (f"{name} flow", None, None, 1),
        ]
        results = [one for one in record.results if one.task_id == task.task_id]
        assert [(one.key, one.description, one.value) for one in results] == [
            (name, "of the task", [name]),
            (f"{name} flow", "", 2),
        ]
        assert min(one.timestamp for one in artifacts) >= task.start_time
        assert min(one.timestamp for one in results) >= task.start_time
    assert (len(record.artifacts), len(record.results)) == (4, 4)


def tree(record: FlowRun[Any], parent: str | None = None) -> list[Any]:
    """The tasks below one, with theirs."""
    below = [task for task in record.tasks if task.parent_task_id == parent]
    return [(task.task_name, tree(record, task.task_id)) for task in below]


def test_nested_tasks_are_recorded(perform: Perform, tasks: Tasks, here: Here) -> None:
    """Tasks that a submitted one calls are in the record below it, with all that belongs to them."""

    async def scenario() -> int:
        return await here.value(submit(tasks.nest, 3))

    made = perform(scenario)
    assert made.return_value == 14
    record = made.flow_run
    assert tree(record) == [(tasks.name("nest"), [(tasks.name("inner"), [])] * 3)]
    outer, *inners = record.tasks
    assert [task.execution_order for task in record.tasks] == [1, 2, 3, 4]
    assert len({task.task_id for task in record.tasks}) == 4
    assert [(task.input_args, task.return_value, task.tags) for task in inners] == [
        ([number], number**2, ("inner",)) for number in (1, 2, 3)
    ]
    assert {task.executor for task in inners} == {"inline"}
    assert outer.tags == ("outer",)
    assert {task.status for task in record.tasks} == {RunStatus.COMPLETED}
    assert [(entry.message, entry.task_id) for entry in said(record)] == [
        ("before", outer.task_id),
        *((f"inner {number}", task.task_id) for number, task in enumerate(inners, 1)),
    ]
    assert all(is_within(task, outer) for task in inners)


def is_within(task: TaskRun, outer: TaskRun) -> bool:
    """Whether a task began and ended while another one ran."""
    assert outer.end_time is not None
    assert task.end_time is not None
    return outer.start_time <= task.start_time <= task.end_time <= outer.end_time


def test_nested_tasks_may_be_deep(perform: Perform, tasks: Tasks, here: Here) -> None:
    """Each call of a recursive task is below the one that called it."""

    async def scenario() -> int:
        return await here.value(submit(tasks.recurse, 20))

    made = perform(scenario)
    assert made.return_value == 20
    record = made.flow_run
    assert [task.parent_task_id for task in record.tasks] == [None, *(task.task_id for task in record.tasks[:-1])]


def test_failing_nested_tasks_are_recorded(perform: Perform, tasks: Tasks, here: Here) -> None:
    """Of a failure in a nested task both records tell, and a tolerated one leaves its parent alone."""

    async def scenario() -> BaseException:
        return await here.error(submit(tasks.inner_crash, "deep"))

    made = perform(scenario)
    record = made.flow_run
    outer, tolerated, inner = record.tasks
    assert [task.status for task in record.tasks] == [RunStatus.FAILED] * 3
    for task in (tolerated, inner):
        assert task.parent_task_id == outer.task_id
        assert task.error is not None
        assert (task.error.type, task.error.message) == ("Crash", "('deep', 7)")
        assert "in deep" in task.error.traceback
    notes = [
        f"in task {task.task_name!r} ({task.task_id}) of flow 'scenario' ({made.flow_id})" for task in (inner, outer)
    ]
    assert made.return_value.__notes__ == notes
    assert [(entry.level, entry.task_id) for entry in said(record)] == [
        ("ERROR", tolerated.task_id),
        ("ERROR", inner.task_id),
        ("ERROR", outer.task_id),
    ]


def test_tasks_submit_tasks(perform: Perform, tasks: Tasks, here: Here) -> None:
    """What a submitted task submits is recorded below it, more at once than there are workers."""

    async def scenario() -> list[Any]:
        return await here.values([submit(tasks.submit_more, 3) for _ in range(6)])

    made = perform(scenario)
    assert made.return_value == [14] * 6
    record = made.flow_run
    assert sorted(tree(record)) == [(tasks.name("submit_more"), [(tasks.name("inner"), [])] * 3)] * 6
    assert {task.status for task in record.tasks} == {RunStatus.COMPLETED}
    assert sorted(entry.message for entry in said(record)) == sorted(
        f"inner {one}" for one in (1, 2, 3) for _ in range(6)
    )


def test_what_a_task_submits_and_leaves_is_waited_for(perform: Perform, tasks: Tasks, here: Here) -> None:
    """A child that its parent does not wait for ends before the flow does."""

    async def scenario() -> None:
        await here.value(submit(tasks.submit_and_leave, 5))

    record = perform(scenario).flow_run
    assert tree(record) == [(tasks.name("submit_and_leave"), [(tasks.name("inner"), [])])]
    assert [task.status for task in record.tasks] == [RunStatus.COMPLETED] * 2
    assert record.tasks[1].return_value == 25


def test_values_are_injected(perform: Perform, tasks: Tasks, here: Here, executor: Executor) -> None:
    """The flow, the task, their data, provided values and providers are injected as into a direct call."""

    async def scenario() -> Seen:
        current_flow().flow_data["item"] = {"shared": [1]}
        current_flow().provide(provided=[1, 2])
        return await here.value(submit(tasks.see))

    made = perform(scenario)
    (task,) = made.flow_run.tasks
    assert made.return_value == Seen(
        flow_id=made.flow_id,
        flow_name="scenario",
        task_id=task.task_id,
        task_name=tasks.name("see"),
        task_data={"own": 1},
        item={"shared": [1]},
        provided=[1, 2],
        opened=5,
        same_flow=True,
        same_task=True,
    )
    assert task.input_args == []
    assert task.input_kwargs == {}
    assert [entry.message for entry in said(made.flow_run)] == ["opened", "closed"]


def test_the_shared_data_is_shared_or_read_only(perform: Perform, tasks: Tasks, here: Here, executor: Executor) -> None:
    """In this process a task writes to `flow_data`; in another one that is refused."""

    async def scenario() -> Any:
        future = submit(tasks.write, "key", 1)
        return await here.error(future) if executor.remote else await here.value(future)

    made = perform(scenario)
    if executor.remote:
        assert isinstance(made.return_value, RemoteDataError)
        assert made.return_value.key == "key"
    assert made.flow_data == ({} if executor.remote else {"key": 1})
