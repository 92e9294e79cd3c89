"""A program that lets the system refuse one allocation while work is submitted, and says what came of it.

    python failing_allocations.py SCENARIO NUMBER

The allocations are files, pipes, sockets, threads, processes and renames, in the order in which they are made; number 0
refuses none.
"""

import _posixsubprocess
import asyncio
import errno
import faulthandler
import gc
import json
import os
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

import psutil

from flowscope import (
    AsyncioExecutor,
    Executor,
    Flow,
    FlowConfig,
    ProcessExecutor,
    ThreadExecutor,
    current_flow_or_none,
    map_tasks,
    submit,
    task,
    use_executor,
)
from flowscope.coordination import FlowCoordinator, FlowType, WorkerPool

QUIET: Final = FlowConfig(raise_flow_error=False)


@task
def double(value: int) -> int:
    """A sync task."""
    return 2 * value


@task
async def double_async(value: int) -> int:
    """An async task."""
    return 2 * value


def plain(value: int) -> int:
    """A function of no flow."""
    return 2 * value


class Here(threading.local):
    """What a thread is about."""

    inside = False
    """Whether it is in a function that counts as one allocation."""


class Allocations:
    """Counts what is allocated, and refuses one."""

    def __init__(self, refused: int) -> None:
        self._refused = refused
        self._lock = threading.RLock()
        self._here = Here()
        self.watched = False
        self.made: list[str] = []

    def take(self, kind: str) -> None:
        """One more; raises what the system would."""
        with self._lock:
            if not self.watched:
                return
            self.made.append(kind)
            if len(self.made) != self._refused:
                return
        if "thread" in kind:
            raise RuntimeError("can't start new thread")
        raise OSError(errno.EAGAIN if "fork" in kind else errno.EMFILE, f"no more for {kind}")

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """What Python tells of by itself."""
        if self._here.inside or (event == "open" and isinstance(arguments[0], int)):
            return  # what has a descriptor already takes none
        if event in {"open", "os.rename", "socket.__new__"}:
            self.take(f"{event} {arguments[0]}" if event == "open" else event)

    def wrap(self, owner: Any, name: str) -> None:
        """A function that Python does not tell of."""
        function: Callable[..., Any] = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.take(f"{owner.__name__}.{name}")
            self._here.inside = True
            try:
                return function(*args, **kwargs)
            finally:
                self._here.inside = False

        setattr(owner, name, call)


def submitted(executor: Executor, function: Callable[[int], Any] = double) -> Callable[[], object]:
    """A flow that submits one task."""

    def call() -> object:
        with Flow[Any](flow_config=QUIET), use_executor(executor):
            return submit(function, 2).result()

    return call


def mapped(executor: Executor) -> Callable[[], object]:
    """A flow that submits a task for each item."""

    def call() -> object:
        with Flow[Any](flow_config=QUIET), use_executor(executor):
            return list(map_tasks(double, range(3), limit=2))

    return call


def awaited(executor: Executor) -> Callable[[], object]:
    """An async flow that submits a task."""

    async def main() -> object:
        async with Flow[Any](flow_config=QUIET):
            with use_executor(executor):
                return await submit(double, 2)

    loop = asyncio.new_event_loop()
    return lambda: loop.run_until_complete(main())


def pooled(flow_type: FlowType) -> Callable[[], object]:
    """A call of a worker pool."""
    pool = WorkerPool(1, 1)
    loop = asyncio.new_event_loop()
    return lambda: loop.run_until_complete(pool.submit_task("one", flow_type, plain, 2))


def coordinated(flow_type: FlowType) -> Callable[[], object]:
    """A flow of a coordinator."""
    coordinator = FlowCoordinator(max_processes=1)
    loop = asyncio.new_event_loop()

    def call() -> object:
        flow_id = coordinator.register_flow(Flow[int]().setup(plain, 2), flow_type=flow_type)
        record = loop.run_until_complete(coordinator.execute_flow(flow_id))
        if record.error is not None:
            raise OSError(record.error.type, record.error.message)
        return record.return_value

    return call


def scenario(name: str) -> Callable[[], object]:
    """What is done, by its name."""
    makers: dict[str, Callable[[], Callable[[], object]]] = {
        "thread": lambda: submitted(ThreadExecutor(1)),
        "asyncio": lambda: submitted(AsyncioExecutor()),
        "background loop": lambda: submitted(AsyncioExecutor(), double_async),
        "async in a thread": lambda: submitted(ThreadExecutor(1), double_async),
        "forkserver": lambda: submitted(ProcessExecutor(1, start_method="forkserver")),
        "spawn": lambda: submitted(ProcessExecutor(1, start_method="spawn")),
        "mapped threads": lambda: mapped(ThreadExecutor(2)),
        "awaited thread": lambda: awaited(ThreadExecutor(1)),
        "pooled thread": lambda: pooled(FlowType.THREAD),
        "pooled process": lambda: pooled(FlowType.PROCESS),
        "coordinated thread": lambda: coordinated(FlowType.THREAD),
        "coordinated process": lambda: coordinated(FlowType.PROCESS),
    }
    return makers[name]()


def main() -> None:
    """Do it with the refusal, and once more without."""
    faulthandler.dump_traceback_later(30, exit=True)
    allocations = Allocations(int(sys.argv[2]))
    sys.addaudithook(allocations.hear)
    starter = "_start_joinable_thread" if sys.version_info >= (3, 13) else "_start_new_thread"
    functions: list[tuple[Any, str]] = [
        (os, "pipe"),
        (os, "dup"),
        (socket, "socketpair"),
        (_posixsubprocess, "fork_exec"),
        (threading, starter),
    ]
    for owner, name in functions:
        allocations.wrap(owner, name)
    with Flow[Any]():
        pass
    call = scenario(sys.argv[1])
    allocations.watched = True
    kept: list[BaseException] = []
    try:
        outcome: object = call()
    except BaseException as error:
        outcome = [type(error).__name__, str(error).partition("\n")[0]]
        kept.append(error)  # as a program does that logs it later
    allocations.watched = False
    after = call()
    gc.collect()
    told = {
        "made": allocations.made,
        "outcome": outcome,
        "after": after,
        "threads": sorted(one.name.rstrip("-0123456789") for one in threading.enumerate()),
        "descriptors": psutil.Process().num_fds(),
        "flow": str(current_flow_or_none()),
    }
    assert sys.__stdout__ is not None
    sys.__stdout__.write(json.dumps(told))


if __name__ == "__main__":
    main()
