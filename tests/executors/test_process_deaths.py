"""Worker processes that die, of themselves or killed, busy or idle, take nothing with them but their own task."""

import os
import signal
import sys
import threading
import time
from functools import partial
from typing import Any

import psutil
import pytest

from flowscope import (
    EventType,
    Executor,
    Flow,
    ProcessExecutor,
    RunStatus,
    TaskTimeoutError,
    WorkerDiedError,
    submit,
    use_executor,
)
from support.executors import process_failures as trouble
from support.executors.gate import Gate, Visitor
from support.executors.process_tasks import echo, leaf, pid, print_lines

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")]


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("exit 0", 0),
        ("exit 3", 3),
        ("abort", -signal.SIGABRT),
        ("segfault", -signal.SIGSEGV),
        ("SIGKILL", -signal.SIGKILL),
        ("SIGTERM", -signal.SIGTERM),
    ],
)
def test_a_death_names_task_and_exit_code(workers: Executor, how: str, code: int) -> None:
    """However a worker dies, its task fails with a `WorkerDiedError` that has the exit code, and the next is served."""
    with Flow[None]() as made, use_executor(workers):
        error = submit(trouble.die, how).exception()
        assert isinstance(error, WorkerDiedError)
        assert (error.task_name, error.exit_code, error.ready) == ("die", code, True)
        assert "die" in str(error)
        assert [submit(echo, number).result() for number in range(4)] == [0, 1, 2, 3]
    first = made.flow_run.tasks[0]
    assert first.status is RunStatus.FAILED
    assert first.error is not None
    assert first.error.type == "WorkerDiedError"


def test_a_busy_worker_is_killed(worker: ProcessExecutor, gate: Gate) -> None:
    """A worker that is killed from outside amid a task fails that task alone."""
    with Flow[None](), use_executor(worker):
        victim = submit(pid).result()
        future = submit(trouble.wait_at, gate.address)
        waiting = [submit(echo, number) for number in range(5)]
        gate.wait_for()
        os.kill(victim, signal.SIGKILL)
        error = future.exception()
        assert isinstance(error, WorkerDiedError)
        assert error.exit_code == -signal.SIGKILL
        assert [one.result() for one in waiting] == list(range(5))
        assert submit(pid).result() != victim


def _set(event: threading.Event, _: object) -> None:
    event.set()


def test_a_busy_worker_is_killed_while_it_talks(worker: ProcessExecutor) -> None:
    """A worker that is killed amid a message fails that task alone, and the lines it told are whole."""
    with Flow[None]() as made, use_executor(worker):
        for _ in range(5):
            victim = submit(pid).result()
            said = threading.Event()
            subscription = made.add_listener(partial(_set, said), EventType.FLOW_MESSAGE)
            future = submit(print_lines, 100_000, 1_000)
            assert said.wait(20)
            os.kill(victim, signal.SIGKILL)
            assert isinstance(future.exception(), WorkerDiedError)
            subscription.close()
    lines = {entry.message.split(" ", 1)[1] for entry in made.flow_run.logs if entry.source == "stdout"}
    assert lines == {"x" * 1_000}


def test_a_worker_killed_while_idle_hurts_nobody(worker: ProcessExecutor) -> None:
    """A worker that is killed between two tasks is replaced, however soon the next one comes."""
    with Flow[None]() as made, use_executor(worker):
        for number in range(10):
            os.kill(submit(pid).result(), signal.SIGKILL)
            assert submit(echo, number).result() == number
    assert {one.status for one in made.flow_run.tasks} == {RunStatus.COMPLETED}
    assert {one.attempts for one in made.flow_run.tasks} == {1}


def test_a_worker_killed_while_idle_hurts_no_big_call(worker: ProcessExecutor) -> None:
    """The same where the next call has 5 MB of arguments, so that it dies amid the sending."""
    with Flow[None](), use_executor(worker):
        for _ in range(5):
            os.kill(submit(pid).result(), signal.SIGKILL)
            assert len(submit(echo, b"x" * 5_000_000).result()) == 5_000_000


def test_a_worker_ended_kindly_while_idle_hurts_nobody(worker: ProcessExecutor) -> None:
    """A worker that SIGTERM ends between two tasks is replaced."""
    with Flow[None](), use_executor(worker):
        for number in range(5):
            os.kill(submit(pid).result(), signal.SIGTERM)
            assert submit(echo, number).result() == number


def test_a_timer_that_fires_late_hurts_no_other_task(worker: ProcessExecutor) -> None:
    """A worker that a former task has doomed dies at whatever moment: a task it was working for fails, and no other."""
    with Flow[None](), use_executor(worker):
        for number in range(8):
            dooming = submit(trouble.set_a_deadly_timer, 0.001 * number + 0.0005)
            outcomes = [dooming.exception(), *[submit(echo, one).exception() for one in range(20)]]
            assert [one for one in outcomes if one is not None and not isinstance(one, WorkerDiedError)] == []
            assert sum(one is not None for one in outcomes) <= 1


def test_a_stopped_worker_goes_on(worker: ProcessExecutor, gate: Gate) -> None:
    """A worker that is stopped for a while, idle or busy, is waited for."""
    with Flow[None](), use_executor(worker):
        victim = submit(pid).result()
        os.kill(victim, signal.SIGSTOP)
        future = submit(echo, 1)
        with pytest.raises(TimeoutError):
            future.result(0.3)
        os.kill(victim, signal.SIGCONT)
        assert future.result() == 1


@pytest.mark.slow
def test_killed_again_and_again(workers: Executor) -> None:
    """Workers that die one after the other while many tasks wait fail only those that they were working for."""
    with Flow[None]() as made, use_executor(workers):
        futures = [submit(trouble.die if number % 4 == 0 else echo, "exit 3") for number in range(60)]
        errors = [future.exception() for future in futures]
    for number, error in enumerate(errors):
        assert isinstance(error, WorkerDiedError) if number % 4 == 0 else error is None
    statuses = [one.status for one in made.flow_run.tasks]
    assert statuses == [RunStatus.FAILED if number % 4 == 0 else RunStatus.COMPLETED for number in range(60)]


@pytest.mark.parametrize("how", ["die", "wait"])
def test_a_forked_child_does_not_hide_a_death(worker: ProcessExecutor, gate: Gate, how: str) -> None:
    """A worker that dies, or is cancelled, is noticed at once though a child that its task forked lives on."""
    with Flow[None](), use_executor(worker):
        submit(leaf, 1).result()
        started = time.monotonic()
        future = submit(trouble.fork_and_end, gate.address, how)
        if how == "wait":
            visitors = gate.wait_for(2)
            assert future.cancel()
        else:
            visitors = gate.wait_for(1)
        child = next(one for one in visitors if one.name == "child")
        try:
            error = future.exception(10)
        except BaseException as cancelled:
            assert how == "wait", cancelled  # noqa: PT017
        else:
            assert isinstance(error, WorkerDiedError)
        assert submit(leaf, 2).result(10) == 2
        assert time.monotonic() - started < 4
        child.let_go()


def test_a_forked_child_does_not_delay_a_deadline(worker: ProcessExecutor, gate: Gate) -> None:
    """A task that has forked a child, which lives on, ends at its deadline."""
    with Flow[None](), use_executor(worker):
        submit(leaf, 1).result()
        started = time.monotonic()
        assert isinstance(submit(trouble.fork_and_expire, gate.address).exception(15), TaskTimeoutError)
        assert submit(leaf, 2).result(10) == 2
        assert time.monotonic() - started < 4
        child = next(one for one in gate.wait_for(2) if one.name == "child")
        child.let_go()


def test_a_forked_child_that_is_left_hurts_nobody(worker: ProcessExecutor, gate: Gate) -> None:
    """A task that leaves a forked child behind returns, the next one is served, and closing does not wait for the child."""
    with worker, Flow[None](), use_executor(worker):
        assert submit(trouble.fork_and_end, gate.address, "return").result() is None
        (child,) = gate.wait_for()
        assert submit(leaf, 2).result() == 2
        started = time.monotonic()
        worker.close()
        assert time.monotonic() - started < 4
        child.let_go()


@pytest.mark.parametrize("daemon", [True, False], ids=["daemon", "other"])
def test_closing_does_not_wait_for_a_thread_left_by_a_task(worker: ProcessExecutor, gate: Gate, daemon: bool) -> None:
    """Closing the executor ends a worker in which a task has left a thread, soon."""
    with Flow[None](), use_executor(worker):
        victim = submit(pid).result()
        submit(trouble.leave_a_thread, gate.address, daemon).result()
        (visitor,) = gate.wait_for()
    started = time.monotonic()
    worker.close()
    assert time.monotonic() - started < 8
    visitor.wait_gone()
    assert not psutil.pid_exists(victim)


@pytest.mark.slow
def test_a_dead_worker_leaves_nothing(worker: ProcessExecutor) -> None:
    """Workers that die, are killed, expire and are cancelled leave no process, thread or file handle."""
    me = psutil.Process()
    with Flow[None](), use_executor(worker):
        submit(trouble.die, "exit 3").exception()
        submit(leaf, 1).result()
        handles, threads = me.num_fds(), threading.active_count()
        children = len(me.children(recursive=True))
        for _ in range(6):
            submit(trouble.die, "SIGKILL").exception()
            submit(trouble.swallow_everything).exception()
            future = submit(trouble.wait_at, ("127.0.0.1", 9))
            future.cancel()
        submit(leaf, 1).result()
        assert me.num_fds() <= handles
        assert threading.active_count() <= threads
        assert len(me.children(recursive=True)) <= children


def test_workers_end_with_the_flow_that_fails(worker: ProcessExecutor, gate: Gate) -> None:
    """A flow that fails kills the workers of its tasks; those that wait never start."""
    made = Flow[None]()
    futures: list[Any] = []
    visitors: list[Visitor] = []
    with pytest.raises(LookupError), made, use_executor(worker):
        futures += [submit(trouble.wait_at, gate.address, str(number)) for number in range(3)]
        visitors += gate.wait_for()
        raise LookupError
    visitors[0].wait_gone()
    assert {future.status for future in futures} == {RunStatus.CANCELLED}
    assert [one.attempts for one in made.flow_run.tasks] == [1, 0, 0]
