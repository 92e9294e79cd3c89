"""Worker processes that cannot be made, die or hang before they are ready fail one call, and leave the executor as it was."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent, indent
from typing import Any, Final

import pytest

from flowscope import DefinitionError, ProcessExecutor

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="needs fork servers and limits on descriptors"),
]

METHODS: Final = pytest.mark.parametrize("method", ["forkserver", "spawn"])

HEAD: Final = """
    import gc, multiprocessing, os, pathlib, sys, threading, time
    import psutil

    TRAP = pathlib.Path(__file__).with_name("trap")

    def spring(name):
        if __name__ == "__mp_main__" and TRAP.exists() and TRAP.read_text() == name:
            if name == "die":
                os._exit(7)
            open(TRAP.with_name("hangs"), "w").close()  # a named pipe: it waits until somebody waits for it
            threading.Event().wait()

    spring("die")
    spring("hang")
    from flowscope import *

    @task
    def echo(value):
        return value

    class Bomb:
        def __reduce__(self):
            return explode, ()

    def explode():
        TRAP.write_text("die")
        os._exit(3)

    def say(*words):
        print(*words, file=sys.__stdout__, flush=True)

    def outcome(call):
        try:
            return call()
        except BaseException as error:
            return f"{type(error).__name__}: {error}"
"""


def run(folder: Path, body: str, *, argument: str = "spawn") -> list[str]:
    """The lines that a program prints."""
    os.mkfifo(folder / "hangs")
    script = folder / "program.py"
    script.write_text(f'{dedent(HEAD)}\nif __name__ == "__main__":\n{indent(dedent(body), "    ")}', "utf-8")
    done = subprocess.run(
        [sys.executable, str(script), argument], capture_output=True, text=True, timeout=50, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@METHODS
def test_one_that_dies_twice_before_it_begins(method: str, tmp_path: Path) -> None:
    """A process that dies reading its work, and whose successor dies in its imports, is a `WorkerDiedError`."""
    body = """
        with Flow(), use_executor(ProcessExecutor(1, start_method=sys.argv[1])):
            say(submit(echo, 1).result())
            say(outcome(submit(echo, Bomb()).result))
            TRAP.unlink()
            say(submit(echo, 2).result())
    """
    first, died, second = run(tmp_path, body, argument=method)
    assert (first, second) == ("1", "2")
    assert died.startswith(
        "WorkerDiedError: the worker process for task 'echo' ended (exit code 7) before it was ready."
    )


@METHODS
def test_one_that_is_not_ready_in_time(method: str, tmp_path: Path) -> None:
    """Imports that hang fail the call after `start_timeout`, and the next call finds a free slot."""
    body = """
        with Flow() as flow, use_executor(ProcessExecutor(1, start_method=sys.argv[1], start_timeout=3.0)):
            TRAP.write_text("hang")
            late = submit(echo, 1)
            open("hangs").close()
            say(outcome(late.result))
            say(late.exception().ready, late.status, flow.flow_run.tasks[0].attempts)
            TRAP.unlink()
            say(submit(echo, 2).result(), len(psutil.Process().children(recursive=True)) < 5)
    """
    late, details, after = run(tmp_path, body, argument=method)
    assert late.startswith("WorkerDiedError: there is no worker process for task 'echo': it was not ready 3 s after")
    assert (details, after) == ("False failed 0", "2 True")


def test_a_fork_server_that_hangs(tmp_path: Path) -> None:
    """A module that the fork server preloads, and that hangs, fails the call, too; without it the next one runs."""
    (tmp_path / "hanging.py").write_text("import threading; threading.Event().wait()", "utf-8")
    body = """
        multiprocessing.get_context("forkserver").set_forkserver_preload(["hanging"])
        with Flow(), use_executor(ProcessExecutor(1, start_method="forkserver", start_timeout=3.0)):
            say(outcome(submit(echo, 1).result))
            pathlib.Path("hanging.py").write_text("")
            say(submit(echo, 2).result())
    """
    late, after = run(tmp_path, body)
    assert late.startswith("WorkerDiedError: there is no worker process for task 'echo': it was not ready 3 s after")
    assert after == "2"


@METHODS
def test_one_that_hangs_for_a_cancelled_call(method: str, tmp_path: Path) -> None:
    """Cancelling a call ends the start of its process: the next call has the slot at once."""
    body = """
        with Flow(), use_executor(ProcessExecutor(1, start_method=sys.argv[1], start_timeout=1000.0)):
            TRAP.write_text("hang")
            hung = submit(echo, 1)
            open("hangs").close()
            say(hung.cancel(), hung.status)
            TRAP.unlink()
            say(submit(echo, 2).result())
    """
    assert run(tmp_path, body, argument=method) == ["True cancelled", "2"]


@METHODS
def test_failed_starts_keep_no_descriptors(method: str, tmp_path: Path) -> None:
    """Failures that are kept, with their tracebacks, keep no pipe of the processes that have failed."""
    body = """
        TRAP.write_text("die")
        kept, counts = [], []
        with Flow(), use_executor(ProcessExecutor(1, start_method=sys.argv[1])):
            for number in range(6):
                kept.append(submit(echo, number).exception())
                counts.append(psutil.Process().num_fds())
        say({type(one).__name__ for one in kept}, counts[-1] - counts[1])
    """
    assert run(tmp_path, body, argument=method) == ["{'WorkerDiedError'} 0"]


@METHODS
def test_a_system_without_descriptors(method: str, tmp_path: Path) -> None:
    """With none left at the first call, which cannot even import what it needs, that call fails; the next one runs."""
    body = """
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
        held = []
        with Flow(), use_executor(ProcessExecutor(1, start_method=sys.argv[1])):
            try:
                while True:
                    held.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                first = submit(echo, 1)
                error = first.exception()
            while held:
                os.close(held.pop())
            say(type(error).__name__, submit(echo, 2).result(), threading.active_count())
    """
    assert run(tmp_path, body, argument=method) == ["OSError 2 2"]


def test_a_platform_without_worker_processes(tmp_path: Path) -> None:
    """Where `multiprocessing` cannot be imported each call fails with what that says, and nothing waits."""
    body = """
        sys.modules["_multiprocessing"] = None
        with Flow(), use_executor("process"):
            say(*(type(submit(echo, 1).exception()).__name__ for _ in range(3)))
    """
    assert run(tmp_path, body) == ["ModuleNotFoundError ModuleNotFoundError ModuleNotFoundError"]


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), "3", None, True])
def test_a_start_timeout_that_cannot_work(seconds: Any) -> None:
    """It is refused when the executor is made."""
    with pytest.raises(DefinitionError, match="start_timeout"):
        ProcessExecutor(start_timeout=seconds)


def test_no_start_timeout_is_infinite(tmp_path: Path) -> None:
    """`math.inf` waits as long as it takes."""
    body = """
        with Flow(), use_executor(ProcessExecutor(1, start_timeout=float("inf"))):
            say(submit(echo, 2).result())
    """
    assert run(tmp_path, body) == ["2"]
