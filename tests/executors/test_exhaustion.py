"""A system that gives no more threads fails a task, and nothing else."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from textwrap import dedent

import pytest

from flowscope import (
    AsyncioExecutor,
    Executor,
    Flow,
    ProcessExecutor,
    RunStatus,
    ThreadExecutor,
    submit,
    task,
    use_executor,
)
from support.executors.tasks import add, locate

EXECUTORS: dict[str, Callable[[], Executor]] = {
    "asyncio": AsyncioExecutor,
    "thread": lambda: ThreadExecutor(2),
    "process": lambda: ProcessExecutor(1),
}


@pytest.fixture
def more_threads() -> Iterator[Callable[[], int]]:
    """Let the system give no more threads, until this is called."""
    before = threading.stack_size(2**44)  # more than there is
    yield lambda: threading.stack_size(before)
    threading.stack_size(before)


@pytest.mark.parametrize("make", EXECUTORS.values(), ids=EXECUTORS)
def test_no_thread_for_a_task(make: Callable[[], Executor], more_threads: Callable[[], int]) -> None:
    """A task for which no thread can be started fails before its start; later ones run."""
    with make() as executor, Flow[None]() as made, use_executor(executor):
        future = submit(add, 1)
        with pytest.raises(RuntimeError, match="start new thread"):
            future.result(20)
        more_threads()
        assert submit(add, 1).result(20) == 11
    assert [(one.status, one.attempts) for one in made.flow_run.tasks] == [
        (RunStatus.FAILED, 0),
        (RunStatus.COMPLETED, 1),
    ]


def test_the_threads_that_are_there_do_the_work(more_threads: Callable[[], int]) -> None:
    """Where a second thread cannot be started, the first one does all the work."""
    with ThreadExecutor(4) as executor, Flow[None](), use_executor(executor):
        more_threads()
        _, name = submit(locate).result(20)
        threading.stack_size(2**44)
        places = [future.result(20) for future in [submit(locate) for _ in range(10)]]
    assert {thread for _, thread in places} == {name}


def test_no_thread_in_place_of_one_that_is_left_behind(more_threads: Callable[[], int]) -> None:
    """Where the last thread is left behind, and cannot be replaced, those that wait for it fail; later ones run."""
    running, go_on = threading.Event(), threading.Event()

    @task
    def hold() -> None:
        running.set()
        go_on.wait(20)

    with ThreadExecutor(1) as executor, Flow[None](), use_executor(executor):
        more_threads()
        held, waiting = submit(hold), submit(add, 1)
        assert running.wait(20)
        threading.stack_size(2**44)
        assert held.cancel()
        with pytest.raises(RuntimeError, match="start new thread"):
            waiting.result(20)
        more_threads()
        assert submit(add, 1).result(20) == 11
        go_on.set()


LOOP = """
import threading
from flowscope import *

@task
async def one():
    return 1

with Flow() as flow:
    threading.stack_size(2**44)
    future = submit(one)
    error = future.exception(20)
    threading.stack_size(0)
    later = submit(one).result(20)
print(type(error).__name__, later, *(task.status for task in flow.flow_run.tasks))
"""


def test_no_thread_for_the_background_loop() -> None:
    """An async task for which no loop can be started fails; later ones get one."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", dedent(LOOP)], capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.stdout, done.stderr) == ("RuntimeError 1 failed completed\n", "")
