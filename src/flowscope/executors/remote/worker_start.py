"""Starting worker processes, and ending them with the process that they work for."""

import math
import multiprocessing
import multiprocessing.util
import os
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from traceback import clear_frames
from typing import Any, Final
from weakref import WeakSet

from ...concurrency.fork import call_in_forked_children
from .interpreter_exit import begin_exit, forget_exit, is_leaving, refuse_at_exit
from .worker_flag import MAIN_FILE
from .worker_main import serve

__all__ = ["LateError", "forget_process", "start_context", "start_process"]

_FAREWELL_SECONDS: Final = 3.0
_DESCRIPTORS: Final = 20
"""At least as many as a start takes, with that of a fork server and of multiprocessing's resource tracker."""


class LateError(Exception):
    """Something has not come in time: a signal between modules of this package."""


_starting = threading.Lock()
"""Held to start a process, so that none is missed when all are ended."""
_running: Final["WeakSet[Any]"] = WeakSet()
_ends_with: Final[list[int]] = []
"""The process whose exit ends the workers."""
_forked: Final[list[bool]] = []
"""Not empty in a forked process, whose fork server is its parent's."""


def start_context(method: str) -> Any:
    """What makes processes in that way."""
    return multiprocessing.get_context("spawn" if _forked else method)


def start_process(context: Any, task_name: str, seconds: float) -> tuple[Any, Any]:
    """A new worker process, and this end of the pipe to it; where this raises, nothing is left of it.

    Raises:
        LateError: It could not be started in that time.
        WorkerDiedError: The interpreter is leaving.
    """
    with _starting:
        if not is_leaving():
            return _start_again(context, seconds)
    refuse_at_exit(task_name)
    raise AssertionError  # an interpreter that is leaving does not stay


def forget_process(process: Any) -> int | None:
    """Kill and reap a process; return its exit code.

    Its descriptors go with the last reference to it: `close()` would let multiprocessing fail which waits for it at exit.
    """
    process.kill()
    process.join()
    code: int | None = process.exitcode
    _running.discard(process)
    return code


def _start_again(context: Any, seconds: float) -> tuple[Any, Any]:
    """Start a process; once more, if the fork server ends just now, as it does when a start has failed midway."""
    try:
        return _start(context, seconds)
    except (EOFError, ConnectionError):
        if context.get_start_method() != "forkserver":
            raise
    _kill_fork_server()
    return _start(context, seconds)


def _start(context: Any, seconds: float) -> tuple[Any, Any]:
    _end_workers_at_exit()
    _name_main_file()
    _check_descriptors()
    ours, theirs = context.Pipe()
    try:
        process = context.Process(target=serve, args=(theirs,), name="flowscope-worker")
        with theirs, _fork_server_watched(context, seconds):
            process.start()
    except BaseException as error:
        ours.close()
        clear_frames(error.__traceback__)  # they hold what has descriptors, as long as somebody keeps the error
        raise
    _running.add(process)
    return process, ours


def _check_descriptors() -> None:
    """Raise here, where nothing has been made, if there are too few: multiprocessing keeps some when it fails midway.

    Raises:
        OSError: There are too few.
    """
    taken: list[int] = []
    try:
        for _ in range(_DESCRIPTORS):
            taken.append(os.open(os.devnull, os.O_RDONLY))  # noqa: PERF401 - those that were opened are closed
    finally:
        for descriptor in taken:
            os.close(descriptor)


def _name_main_file() -> None:
    """Say again where the main module is: a script that has ended does not, and threads may outlive it."""
    main: Any = sys.modules.get("__main__")
    if main is not None and MAIN_FILE is not None and getattr(main, "__spec__", None) is None:
        main.__dict__.setdefault("__file__", MAIN_FILE)


@contextmanager
def _fork_server_watched(context: Any, seconds: float) -> Generator[None]:
    """A block that waits for the fork server, which is killed if it does not answer: it may import what hangs.

    Raises:
        LateError: It was killed.
    """
    if context.get_start_method() != "forkserver" or math.isinf(seconds):
        yield
        return
    late = threading.Event()

    def give_up() -> None:
        late.set()
        _kill_fork_server()

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (EOFError, OSError) as error:
        if late.is_set():
            raise LateError from error
        raise
    finally:
        timer.cancel()
        timer.join()


def _kill_fork_server() -> None:
    from multiprocessing import forkserver  # noqa: PLC0415 - not everywhere

    server: Any = getattr(forkserver, "_forkserver", None)
    pid: int | None = getattr(server, "_forkserver_pid", None)
    if pid is not None:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            if hasattr(os, "waitid"):  # the next start looks whether it has ended, which takes a moment, and reaps it
                os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def _end_workers_at_exit() -> None:
    """Let the exit of this process end its workers: before multiprocessing waits for them, also in its own children."""
    here = os.getpid()
    if _ends_with != [here]:
        multiprocessing.util.Finalize(None, _end_workers, exitpriority=100)
        _ends_with[:] = [here]


def _end_workers() -> None:
    """Nobody waits for them any more, and the interpreter would."""
    begin_exit()
    if _starting.acquire(timeout=_FAREWELL_SECONDS):  # one that is just being started would complain
        _starting.release()
    for process in list(_running):
        process.kill()


@call_in_forked_children
def _forget_in_child() -> None:
    global _starting  # noqa: PLW0603 - nobody holds it here
    _starting = threading.Lock()
    _running.clear()  # they are not the child's to kill
    _forked.append(True)
    forget_exit()
