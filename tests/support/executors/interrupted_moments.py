"""A program that interrupts a flow, or a thread of an executor, at each moment in this library, one after the other.

    python interrupted_moments.py SCENARIO

The moments are those at which Python hears a signal: where a function begins, and where a built-in one has returned. It
prints a line of JSON for each interrupt after which something was not as before, and last how many moments there were.
"""

import faulthandler
import json
import sys
import threading
from collections.abc import Callable
from contextvars import copy_context
from pathlib import Path
from types import FrameType
from typing import Any, Final

import flowscope
from flowscope import (
    Executor,
    Flow,
    FlowConfig,
    ProcessExecutor,
    RunStatus,
    ThreadExecutor,
    current_flow_or_none,
    flow,
    map_tasks,
    submit,
    task,
    use_executor,
)

SOURCES: Final = str(Path(flowscope.__file__).parent)
SECONDS: Final = 20
"""How long one interrupted run, and the one after it, may take."""


@task
def double(value: int) -> int:
    """A task."""
    return 2 * value


@task
async def double_async(value: int) -> int:
    """An async task."""
    return 2 * value


@flow
def direct() -> int:
    """A flow with direct calls and prints."""
    print("here")
    return double(double(1))


@flow
async def awaiting() -> int:
    """An async flow."""
    return await double_async(2)


@flow
def submitting() -> int:
    """A flow that waits for what it submits."""
    futures = [submit(double, 1), submit(double, 2)]
    submit(double, 3)
    return futures[0].result() + futures[1].result() - 2


@flow
def mapping() -> int:
    """A flow that maps, and leaves early."""
    results = iter(map_tasks(double, range(2, 100), limit=2))
    return next(results)


@flow
def cancelling() -> int:
    """A flow that cancels what it has submitted."""
    futures = [submit(double, 1), submit(double, 2)]
    for future in futures:
        future.cancel()
    return 4


def submitting_one() -> int:
    """What waits for one submitted call."""
    return submit(double, 2).result()


class Interrupter:
    """Raises at the moment with a number, counted in some files."""

    def __init__(self, error: type[BaseException], files: tuple[str, ...]) -> None:
        self._error = error
        self._files = files
        self.wanted = 0
        self.count = 0
        self.place = ""

    def hear(self, frame: FrameType, event: str, _argument: object) -> None:
        """What a profiler hears."""
        code = frame.f_code
        if not self.wanted or event not in {"call", "c_return"} or not code.co_filename.startswith(self._files):
            return
        self.count += 1
        if self.count == self.wanted:
            self.wanted = 0
            self.place = f"{event} {Path(code.co_filename).stem}:{frame.f_lineno} {code.co_name}"
            raise self._error("now")


def in_main_thread(make: Callable[[], Flow[Any]], executor: Executor) -> None:
    """Interrupt the thread that executes a flow."""
    interrupter = Interrupter(KeyboardInterrupt, (SOURCES,))

    def attempt() -> list[str]:
        made = make()
        sys.setprofile(interrupter.hear)
        try:
            made.execute()
        except KeyboardInterrupt:
            pass
        finally:
            sys.setprofile(None)
        return ["the flow stays running"] if made.status is RunStatus.RUNNING else []

    interrupt_all(interrupter, attempt, make, executor)


def in_worker_thread(make: Callable[[], Flow[Any]], executor: Executor) -> None:
    """Let the memory end at each moment at which a thread starts a worker process and talks to it."""
    modules = ("backends/process_executor", "remote/worker_process", "remote/worker_start")
    files = tuple(f"{SOURCES}/executors/{module}.py" for module in modules)
    interrupter = Interrupter(MemoryError, files)

    def attempt() -> list[str]:
        made = make()
        executor.close()
        threading.setprofile(interrupter.hear)
        try:
            made.execute()
        finally:
            threading.setprofile(None)
        return []

    interrupt_all(interrupter, attempt, make, executor)


def interrupt_all(
    interrupter: Interrupter, attempt: Callable[[], list[str]], make: Callable[[], Flow[Any]], executor: Executor
) -> None:
    """Interrupt one moment after the other, until a run has no more."""
    with use_executor(executor):
        assert make().execute().return_value == 4
        threads = threading.active_count()
        for number in range(1, 100_000):
            faulthandler.dump_traceback_later(SECONDS, exit=True)
            interrupter.wanted, interrupter.count, interrupter.place = number, 0, ""
            context = copy_context()
            wrong = context.run(attempt)
            interrupter.wanted = 0
            wrong += context.run(told_wrong, make, threads)
            if wrong:
                say({"moment": number, "place": interrupter.place, "wrong": wrong})
            if not interrupter.place:
                break
    faulthandler.cancel_dump_traceback_later()
    executor.close()
    say({"moments": interrupter.count})


def told_wrong(make: Callable[[], Flow[Any]], threads: int) -> list[str]:
    """What is not as it was before an interrupt."""
    wrong: list[str] = []
    if current_flow_or_none() is not None:
        wrong.append("the thread is inside a flow")
    after = make().execute()
    if after.return_value != 4:
        wrong.append(f"the next flow returned {after.return_value!r}, {after.flow_error!r}")
    if threading.active_count() > threads + 2:
        wrong.append(f"{threading.active_count()} threads")
    return wrong


def say(told: dict[str, Any]) -> None:
    """Print, past all capture."""
    assert sys.__stdout__ is not None
    sys.__stdout__.write(json.dumps(told) + "\n")
    sys.__stdout__.flush()


QUIET: Final = FlowConfig(raise_flow_error=False)
SCENARIOS: Final[dict[str, Callable[[], None]]] = {
    "direct": lambda: in_main_thread(direct, ThreadExecutor(2)),
    "awaiting": lambda: in_main_thread(awaiting, ThreadExecutor(2)),
    "submitting": lambda: in_main_thread(submitting, ThreadExecutor(2)),
    "mapping": lambda: in_main_thread(mapping, ThreadExecutor(2)),
    "cancelling": lambda: in_main_thread(cancelling, ThreadExecutor(2)),
    "worker": lambda: in_worker_thread(
        flow(flow_config=QUIET)(submitting_one),
        ProcessExecutor(1, start_method="forkserver"),
    ),
}


if __name__ == "__main__":
    SCENARIOS[sys.argv[1]]()
