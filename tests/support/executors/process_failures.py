"""Tasks that do to their worker process what tasks should not, and those that look what is left of it."""

import contextvars
import ctypes
import gc
import io
import logging
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any, Final

from flowscope import current_task, flow_events, task

from .gate import Address, pass_gate
from .process_tasks import LOUD, Boom, leaf

__all__ = ["REPLACED"]


@task(timeout=0.3)
def sleep_in_c() -> None:
    """Wait in a C function that never returns to Python, and lets nobody else in."""
    ctypes.PyDLL(None).sleep(60)


@task(timeout=0.3)
def compute_in_c() -> int:
    """Compute for minutes in one C call."""
    found: int = pow(3, 10**9)
    return found.bit_length()


@task(timeout=0.3)
def ignore_signals(gate: Address) -> None:
    """Ignore all signals that can be ignored, and wait."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM, signal.SIGUSR1, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP})
    pass_gate(gate, "ignoring")


@task(timeout=0.3)
def swallow_everything() -> None:
    """Catch whatever is raised, for ever."""
    while True:
        try:
            time.sleep(60)
        except BaseException:
            continue


@task(timeout=0.3)
def stop_oneself() -> None:
    """Be stopped by a signal that cannot be ignored."""
    os.kill(os.getpid(), signal.SIGSTOP)


@task(timeout=0.5)
def talk_for_ever() -> None:
    while True:
        print("on and on")
        LOUD.info("and on")


@task(timeout=0.5)
def call_for_ever() -> None:
    number = 0
    while True:
        number = leaf(number) + 1


@task(timeout=5, retries=2)
def expire_at_first(gate: Address, until: int) -> int:
    """Wait at the gate, in attempts before that one."""
    attempt = current_task().attempt
    print(f"attempt {attempt}")
    if attempt < until:
        pass_gate(gate, str(attempt))
    return attempt


@task(timeout=0.3, retries=2)
def expire_quickly_at_first(gate: Address, until: int) -> int:
    attempt = current_task().attempt
    print(f"attempt {attempt}")
    if attempt < until:
        pass_gate(gate, str(attempt))
    return attempt


@task(retries=2)
def die_at_first(until: int) -> int:
    attempt = current_task().attempt
    print(f"attempt {attempt}")
    if attempt < until:
        os._exit(attempt)
    return attempt


@task(retries=1, retry_on=Boom)
def die_unretried() -> None:
    os._exit(1)


@task(raise_on_error=False)
def die_tolerated() -> None:
    os._exit(1)


@task
def die(how: str) -> None:
    """End the process in some way."""
    match how:
        case "exit 0":
            os._exit(0)
        case "exit 3":
            os._exit(3)
        case "abort":
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            os.abort()
        case "segfault":
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            ctypes.string_at(0)
        case _:
            os.kill(os.getpid(), getattr(signal, how))
            time.sleep(60)


@task
def wait_at(gate: Address, name: str = "") -> str:
    pass_gate(gate, name)
    return name


@task
def wait_then_burn(gate: Address, rounds: int) -> int:
    """Wait, and then be busy for a moment."""
    pass_gate(gate)
    return sum(range(rounds))


@task
def burn(rounds: int) -> int:
    return sum(range(rounds))


@task
def mark(path: Path, value: Any = None) -> None:
    """Leave a mark that the task has run."""
    path.touch()


@task(retries=1)
def die_then_mark(path: Path, value: Any = None) -> None:
    if current_task().attempt == 1:
        os._exit(1)
    path.touch()


# Processes that a task starts.


@task
def fork_and_wait() -> int:
    """Fork a child that prints, and wait for it."""
    child = os.fork()
    if child == 0:
        print("by the child")
        LOUD.error("by the child")
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@task
def fork_and_call() -> int:
    """Fork a child that calls a task, which is in no flow."""
    child = os.fork()
    if child == 0:
        try:
            leaf(1)
        except RuntimeError as error:
            os._exit(7 if "no" in str(error) else 8)
        os._exit(9)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@task
def fork_and_return(value: str) -> str:
    """Fork a child that returns from the task as well, as does its parent when it has ended."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return value
    return "by the child"


@task
def fork_and_raise(value: str) -> str:
    """Fork a child that raises out of the task."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return value
    raise Boom("by the child")


def _hold(gate: Address, name: str) -> None:
    try:
        pass_gate(gate, name)
    finally:
        os._exit(0)


@task
def fork_and_end(gate: Address, how: str) -> None:
    """Fork a child that waits, and end without it."""
    if os.fork() == 0:
        _hold(gate, "child")
    if how == "die":
        os._exit(3)
    if how == "wait":
        pass_gate(gate, "parent")


@task(timeout=1.0)
def fork_and_expire(gate: Address) -> None:
    if os.fork() == 0:
        _hold(gate, "child")
    pass_gate(gate, "parent")


def double_in_child(number: int) -> int:
    """Run in a process that a task has started."""
    print("by a child of the task")
    return 2 * number


@task
def use_multiprocessing(method: str) -> list[int]:
    context: Any = multiprocessing.get_context(method)
    with context.Pool(2) as pool:
        found: list[int] = pool.map(double_in_child, [1, 2, 3])
        return found


@task
def use_subprocess() -> tuple[int, str]:
    ended = subprocess.run(
        [sys.executable, "-c", "import sys; print('to the pipe'); sys.exit(5)"],
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout


@task
def start_and_leave(gate: Address) -> int:
    """Start a process and leave it."""
    code = f"import socket; s = socket.create_connection({gate!r}); s.sendall(b'grandchild\\n'); s.recv(1)"
    return subprocess.Popen([sys.executable, "-c", code]).pid


# What a task changes in its worker.


@task
def close_all_files() -> str:
    """Close every file descriptor."""
    os.closerange(0, 256)
    return "closed"


@task
def close_standard_streams() -> str:
    sys.stdout.close()
    sys.stderr.close()
    print("after the end")
    return "closed"


@task
def close_descriptors_1_and_2() -> str:
    os.close(1)
    os.close(2)
    print("printed with no descriptor")
    return "closed"


REPLACED: Final = io.StringIO()


@task
def replace_stdout() -> str:
    sys.stdout = REPLACED
    print("to the task's own")
    return REPLACED.getvalue()


@task
def replaced_text() -> str:
    return REPLACED.getvalue()


@task
def drop_stdout() -> None:
    none: Any = None
    sys.stdout = sys.stderr = none
    print("to nowhere")


@task
def swap_stdout_and_back() -> str:
    """Print into a string for a moment, as `redirect_stdout` does."""
    kept, sys.stdout = sys.stdout, io.StringIO()
    print("inside")
    found, sys.stdout = sys.stdout.getvalue(), kept
    print("outside")
    return found


@task
def say(text: str) -> None:
    print(text)
    LOUD.warning("logged %s", text)


def _drop(record: logging.LogRecord) -> bool:
    return False


@task
def upset_logging() -> None:
    """Change the logging of the worker in all ways."""
    logging.disable(logging.CRITICAL)
    LOUD.setLevel(logging.CRITICAL)
    LOUD.disabled = True
    LOUD.addFilter(_drop)
    logging.getLogger().setLevel(logging.CRITICAL)
    logging.getLogger().handlers.clear()
    logging.shutdown()
    logging.raiseExceptions = True


@task
def calm_logging() -> None:
    """Undo what setting levels does not."""
    logging.disable(logging.NOTSET)
    LOUD.disabled = False
    LOUD.filters.clear()


@task
def set_levels() -> None:
    LOUD.setLevel(logging.CRITICAL)
    logging.getLogger().setLevel(logging.CRITICAL)
    LOUD.error("not heard")


@task
def change_directory(path: str) -> str:
    os.chdir(path)
    return str(Path.cwd())


@task
def directory() -> str:
    return str(Path.cwd())


@task
def upset_signals() -> None:
    """Install handlers, and a timer that fires when the task is over."""

    def raises(*_: object) -> None:
        raise Boom("by a signal")

    signal.signal(signal.SIGTERM, raises)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


@task
def set_a_deadly_timer(seconds: float) -> None:
    """Have the process killed by a timer, most likely when the task is over."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)


@task
def upset_interpreter() -> None:
    """Change settings of the interpreter."""
    sys.setrecursionlimit(300)
    sys.setswitchinterval(0.5)
    gc.disable()
    warnings.simplefilter("error")
    threading.excepthook = threading.__excepthook__
    sys.path.clear()
    sys.argv.clear()
    os.environ.clear()
    os.nice(1)


@task
def calm_interpreter() -> None:
    sys.setrecursionlimit(1000)
    sys.setswitchinterval(0.005)
    gc.enable()


@task
def listen_to_everything() -> int:
    """Subscribe to the bus of the worker."""
    flow_events.subscribe(print)
    return len(flow_events.event_listeners)


@task
def leave_a_thread(gate: Address, daemon: bool) -> None:
    """Leave a thread behind that waits."""

    def work() -> None:
        pass_gate(gate, "left behind")

    threading.Thread(target=work, daemon=daemon).start()


VARIABLE: Final = contextvars.ContextVar("VARIABLE", default="default")


@task
def change_variable() -> str:
    found = VARIABLE.get()
    VARIABLE.set("changed")
    return found
