"""Tasks that start processes, or turn their worker upside down, and what comes after them."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from flowscope import Flow, FlowRun, ProcessExecutor, WorkerDiedError, submit, use_executor
from support.executors import process_failures as trouble
from support.executors.gate import Gate
from support.executors.process_tasks import LOUD, echo, leaf, pid

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX")]


@pytest.fixture
def running(worker: ProcessExecutor) -> Iterator[Flow[None]]:
    """A flow that submits to a worker of its own."""
    with Flow[None]() as made, use_executor(worker):
        yield made
        assert [submit(echo, number).result(20) for number in range(3)] == [0, 1, 2]


def said(record: FlowRun[Any]) -> list[str]:
    return [entry.message for entry in record.logs if entry.source in {"stdout", "logging"}]


def test_a_forked_child_is_in_no_flow(running: Flow[None]) -> None:
    """What a forked child prints and logs is not the task's; a task called there is in no flow."""
    assert submit(trouble.fork_and_wait).result() == 7
    assert submit(trouble.fork_and_call).result() == 7
    assert said(running.flow_run) == []
    assert [one.task_name for one in running.flow_run.tasks] == ["fork_and_wait", "fork_and_call"]


@pytest.mark.parametrize("form", [trouble.fork_and_return, trouble.fork_and_raise])
def test_a_forked_child_does_not_answer(running: Flow[None], form: Any) -> None:
    """A forked child that returns from the task, or raises out of it, gives no answer, and serves no task."""
    for number in range(3):
        assert submit(form, f"by the parent {number}").result() == f"by the parent {number}"
        assert submit(echo, number).result() == number
    (worker,) = {submit(pid).result() for _ in range(5)}
    assert psutil.Process(worker).children() == []


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_task_uses_multiprocessing(running: Flow[None], method: str) -> None:
    """A task may use a pool of processes of its own."""
    assert submit(trouble.use_multiprocessing, method).result() == [2, 4, 6]


def test_a_task_uses_subprocess(running: Flow[None]) -> None:
    """A task may run programs, and gets their output and exit code."""
    assert submit(trouble.use_subprocess).result() == (5, "to the pipe\n")


def test_a_task_leaves_a_program(running: Flow[None], gate: Gate) -> None:
    """A program that a task has started and left goes on, and hurts nobody."""
    left = submit(trouble.start_and_leave, gate.address).result()
    (visitor,) = gate.wait_for()
    assert submit(leaf, 1).result() == 1
    assert psutil.pid_exists(left)
    visitor.let_go()


def test_all_files_are_closed(running: Flow[None]) -> None:
    """A task that closes all file descriptors fails as one whose worker died, and the next one gets a new worker."""
    assert isinstance(submit(trouble.close_all_files).exception(20), WorkerDiedError)


@pytest.mark.parametrize("form", [trouble.close_standard_streams, trouble.close_descriptors_1_and_2])
def test_standard_streams_are_closed(running: Flow[None], form: Any) -> None:
    """With its standard streams closed a worker goes on, and prints are recorded."""
    assert submit(form).result(20) == "closed"
    submit(trouble.say, "afterwards").result(20)
    assert said(running.flow_run)[-2:] == ["afterwards", "logged afterwards"]


def test_stdout_is_replaced(running: Flow[None]) -> None:
    """A task that puts its own object in the place of `sys.stdout` prints there; later tasks are captured as ever."""
    assert submit(trouble.replace_stdout).result() == "to the task's own\n"
    submit(trouble.say, "afterwards").result()
    assert submit(trouble.replaced_text).result() == "to the task's own\n"
    assert said(running.flow_run) == ["afterwards", "logged afterwards"]


def test_stdout_is_dropped(running: Flow[None]) -> None:
    """A task that sets `sys.stdout` to None does not keep its worker from serving."""
    submit(trouble.drop_stdout).result()
    submit(trouble.say, "afterwards").result()
    assert "logged afterwards" in said(running.flow_run)


def test_stdout_is_redirected_for_a_moment(running: Flow[None]) -> None:
    """What a task prints into a string of its own is not recorded, and what it prints afterwards is."""
    assert submit(trouble.swap_stdout_and_back).result() == "inside\n"
    assert said(running.flow_run) == ["outside"]


def test_logging_is_upset(running: Flow[None]) -> None:
    """A task that upsets the logging of its worker hurts nothing but what is logged there."""
    submit(trouble.upset_logging).result()
    submit(trouble.say, "afterwards").result()
    assert said(running.flow_run)[0] == "afterwards"
    submit(trouble.calm_logging).result()
    submit(trouble.say, "at last").result()
    assert said(running.flow_run)[-2:] == ["at last", "logged at last"]


def test_levels_are_set_there(running: Flow[None]) -> None:
    """Levels that a task sets in its worker hold for that task, and then those of the submitting process hold again."""
    submit(trouble.set_levels).result()
    submit(trouble.say, "afterwards").result()
    assert said(running.flow_run) == ["afterwards", "logged afterwards"]
    assert LOUD.level


def test_the_directory_is_changed(running: Flow[None], tmp_path: Path) -> None:
    """A worker in another directory, or one that is gone, goes on, and so does this process in its own."""
    here = Path.cwd()
    (tmp_path / "gone").mkdir()
    assert submit(trouble.change_directory, str(tmp_path / "gone")).result() == str(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    submit(trouble.say, "afterwards").result()
    assert Path.cwd() == here
    assert said(running.flow_run) == ["afterwards", "logged afterwards"]


def test_signal_handlers_are_changed(running: Flow[None]) -> None:
    """A worker whose signal handlers were changed goes on, and can be replaced."""
    submit(trouble.upset_signals).result()
    submit(trouble.say, "afterwards").result()
    assert isinstance(submit(trouble.die, "SIGKILL").exception(), WorkerDiedError)
    assert said(running.flow_run) == ["afterwards", "logged afterwards"]


def test_the_interpreter_is_upset(running: Flow[None]) -> None:
    """A worker whose interpreter was set otherwise, without path and environment, goes on."""
    submit(trouble.upset_interpreter).result()
    submit(trouble.say, "afterwards").result()
    submit(trouble.calm_interpreter).result()
    assert said(running.flow_run) == ["afterwards", "logged afterwards"]


def test_the_bus_of_the_worker_is_its_own(running: Flow[None]) -> None:
    """A listener that a task adds to the bus there hears nothing of the flow here, and says nothing into it."""
    submit(trouble.listen_to_everything).result()
    submit(leaf, 1).result()
    assert said(running.flow_run) == ["leaf 1"]


def test_context_variables_do_not_leak(running: Flow[None]) -> None:
    """What a task sets is not seen by the next task of its worker."""
    assert [submit(trouble.change_variable).result() for _ in range(3)] == ["default"] * 3
