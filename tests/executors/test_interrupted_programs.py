"""Programs that are interrupted, killed or end amid tasks in worker processes leave nobody behind."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import psutil
import pytest

from support.executors.gate import Gate

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="needs process groups")]

METHODS: Final = pytest.mark.parametrize("method", ["forkserver", "spawn"])

INTERRUPTED: Final = (-signal.SIGINT, 1)
"""Exit codes after a `KeyboardInterrupt`; 1 where another thread happened to import something while it was told."""

HEAD: Final = """
    import asyncio, os, socket, subprocess, sys, threading
    from flowscope import *

    PORT = int(os.environ["GATE"])

    def pass_gate(name):
        with socket.create_connection(("127.0.0.1", PORT)) as connection:
            connection.sendall(f"{name}\\n".encode())
            connection.recv(1)

    @task
    def wait(name="task"):
        print(f"{name} waits")
        pass_gate(name)

    @task
    async def wait_async(name="task"):
        reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
        writer.write(f"{name}\\n".encode())
        await reader.read(1)

    @task(retries=5)
    def wait_again(name="task"):
        pass_gate(name)

    @task
    def wait_with_child():
        code = f"import socket; c = socket.create_connection(('127.0.0.1', {PORT})); c.sendall(b'child\\\\n'); c.recv(1)"
        subprocess.run([sys.executable, "-c", code])

    @task
    def one():
        return 1
"""

Start = Callable[[str, str], "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path, gate: Gate) -> Iterator[Start]:
    """Starts a program in a session of its own; afterwards nobody of that session may be left."""
    programs: list[subprocess.Popen[str]] = []

    def run(body: str, method: str) -> "subprocess.Popen[str]":
        script = tmp_path / "program.py"
        script.write_text(textwrap.dedent(HEAD) + textwrap.dedent(body))
        program = subprocess.Popen(
            [sys.executable, script, method],
            env={**os.environ, "GATE": str(gate.address[1])},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        programs.append(program)
        return program

    yield run
    for program in programs:
        for left in members(program.pid):
            left.kill()
        program.communicate()


def members(session: int) -> list[psutil.Process]:
    """The processes of a session that are alive."""
    found: list[psutil.Process] = []
    for one in psutil.process_iter():
        try:
            if os.getsid(one.pid) == session and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
        except (ProcessLookupError, psutil.Error):
            continue
    return found


def check_nobody_left(program: "subprocess.Popen[str]") -> None:
    """All processes of the program's session end, soon."""
    left = members(program.pid)
    _, alive = psutil.wait_procs(left, timeout=10)
    assert [one.cmdline() for one in alive] == []


EXECUTE: Final = """
    @flow
    def main():
        futures = [submit({task}), submit({task})]
        for future in futures:
            future.result()

    if __name__ == "__main__":
        with use_executor(ProcessExecutor(2, start_method=sys.argv[1])):
            made = main()
            try:
                made.execute()
            finally:
                print(made.status, *[one.status for one in made.flow_run.tasks], file=sys.stderr)
"""

EXECUTE_ASYNC: Final = """
    @flow
    async def main():
        await asyncio.gather(submit(wait_async), submit(wait_async))

    async def run():
        made = main()
        try:
            with use_executor(ProcessExecutor(2, start_method=sys.argv[1])):
                await made
        finally:
            print(made.status, *[one.status for one in made.flow_run.tasks], file=sys.stderr)

    if __name__ == "__main__":
        asyncio.run(run())
"""


@METHODS
@pytest.mark.parametrize(
    ("body", "name"),
    [
        (EXECUTE.format(task="wait"), "task"),
        (EXECUTE.format(task="wait_async"), "task"),
        (EXECUTE.format(task="wait_again"), "task"),
        (EXECUTE.format(task="wait_with_child"), "child"),
        (EXECUTE_ASYNC, "task"),
    ],
    ids=["tasks", "async tasks", "retried tasks", "children", "async flow"],
)
def test_ctrl_c_leaves_no_orphan(start: Start, gate: Gate, method: str, body: str, name: str) -> None:
    """An interrupt of the whole process group ends the flow as cancelled, by `KeyboardInterrupt`; nobody is left."""
    program = start(body, method)
    visitors = gate.wait_for(2)
    assert {one.name for one in visitors} == {name}
    os.killpg(program.pid, signal.SIGINT)
    _, errors = program.communicate(timeout=20)
    assert program.returncode in INTERRUPTED, errors
    assert ("cancelled" if name == "child" else "cancelled cancelled cancelled") in errors
    for visitor in visitors:
        visitor.wait_gone()
    check_nobody_left(program)


@METHODS
def test_ctrl_c_while_workers_start(start: Start, gate: Gate, method: str) -> None:
    """An interrupt of the group before any worker is ready ends the program, and nobody is left."""
    body = """
    @flow
    def main():
        futures = [submit(one) for _ in range(8)]
        pass_gate("submitted")
        for future in futures:
            future.result()

    if __name__ == "__main__":
        with use_executor(ProcessExecutor(8, start_method=sys.argv[1])):
            main().execute()
    """
    program = start(body, method)
    gate.wait_for()
    os.killpg(program.pid, signal.SIGINT)
    _, errors = program.communicate(timeout=20)
    assert program.returncode in INTERRUPTED, errors
    assert "KeyboardInterrupt" in errors
    check_nobody_left(program)


@METHODS
def test_a_second_ctrl_c_is_no_deadlock(start: Start, gate: Gate, method: str) -> None:
    """An impatient user who interrupts again and again ends the program too, and nobody is left."""
    program = start(EXECUTE.format(task="wait"), method)
    gate.wait_for(2)
    for _ in range(5):
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGINT)
    program.communicate(timeout=20)
    assert program.returncode != 0
    check_nobody_left(program)


@METHODS
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_workers_go_when_their_flow_is_killed(start: Start, gate: Gate, method: str, number: int) -> None:
    """When the flow's process is killed, its workers end: the idle one, and the one amid a task."""
    body = """
    @flow
    def main():
        busy = submit(wait, "busy")
        submit(one).result()
        pass_gate("flow")
        busy.result()

    if __name__ == "__main__":
        with use_executor(ProcessExecutor(2, start_method=sys.argv[1])):
            main().execute()
    """
    program = start(body, method)
    visitors = {one.name: one for one in gate.wait_for(2)}
    os.kill(program.pid, number)
    program.wait(20)
    visitors["busy"].wait_gone()
    check_nobody_left(program)


@METHODS
def test_leaving_amid_retried_tasks(start: Start, gate: Gate, method: str) -> None:
    """A program whose main thread ends while a daemon thread's flow has tasks with retries ends at once."""
    body = """
    @flow
    def main():
        submit(wait_again).result()

    def run():
        with use_executor(ProcessExecutor(2, start_method=sys.argv[1])):
            main().execute()

    if __name__ == "__main__":
        threading.Thread(target=run, daemon=True).start()
        pass_gate("main")
    """
    program = start(body, method)
    visitors = gate.wait_for(2)
    main = next(one for one in visitors if one.name == "main")
    main.let_go()
    _, errors = program.communicate(timeout=20)
    assert (program.returncode, errors) == (0, "")
    check_nobody_left(program)


@METHODS
def test_a_program_without_guard(start: Start, gate: Gate, method: str) -> None:
    """A program that starts its flow where workers import it gets an error that says what to do, and ends."""
    body = """
    with Flow(), use_executor(ProcessExecutor(1, start_method=sys.argv[1])):
        submit(one).result()
    """
    program = start(body, method)
    _, errors = program.communicate(timeout=30)
    assert program.returncode == 1
    assert "WorkerDiedError" in errors
    assert "if __name__ == '__main__':" in errors
    check_nobody_left(program)


@METHODS
def test_a_main_module_that_fails_to_import(start: Start, gate: Gate, method: str) -> None:
    """A main module that raises or exits where workers import it fails each task with an error; the flow goes on."""
    body = """
    if __name__ != "__main__":
        sys.exit(9)

    if __name__ == "__main__":
        with Flow(), use_executor(ProcessExecutor(1, start_method=sys.argv[1])):
            errors = [submit(one).exception() for _ in range(3)]
        for error in errors:
            print(type(error).__name__, error.ready, file=sys.stderr)
    """
    program = start(body, method)
    _, errors = program.communicate(timeout=30)
    assert errors.count("WorkerDiedError False") == 3
    assert program.returncode == 0
    check_nobody_left(program)


@METHODS
def test_a_task_of_the_main_module(start: Start, gate: Gate, method: str) -> None:
    """Tasks, classes and exceptions of a guarded main module work in workers."""
    body = """
    class Thing:
        def __init__(self, size):
            self.size = size

        @task
        def double(self):
            return Thing(2 * self.size)

    class Problem(Exception):
        pass

    @task
    def fail():
        raise Problem("x")

    if __name__ == "__main__":
        with Flow(), use_executor(ProcessExecutor(1, start_method=sys.argv[1])):
            size = submit(Thing(2).double).result().size
            arrives = isinstance(submit(fail).exception(), Problem)
        print(size, arrives, file=sys.stderr)
    """
    program = start(body, method)
    _, errors = program.communicate(timeout=30)
    assert (program.returncode, errors) == (0, "4 True\n")
    check_nobody_left(program)


@METHODS
def test_a_program_from_stdin(gate: Gate, method: str) -> None:
    """A program without a file cannot be imported by workers; its tasks fail with an error, or run, but nothing hangs."""
    code = textwrap.dedent("""
    import sys
    from flowscope import *

    @task
    def one():
        return 1

    with Flow() as made, use_executor(ProcessExecutor(1, start_method=sys.argv[1])):
        error = submit(one).exception()
    print(type(error).__name__)
    """)
    ended = subprocess.run(
        [sys.executable, "-", method], input=code, capture_output=True, text=True, timeout=40, check=False
    )
    assert ended.stdout.strip() in {"SerializationError", "WorkerDiedError"}, ended.stderr
    assert ended.returncode == 0


@METHODS
def test_an_async_program_is_told_to_stop(start: Start, gate: Gate, method: str) -> None:
    """A server that cancels its flow when it is told to stop has no worker left."""
    body = """
    import signal

    @flow
    async def main():
        await asyncio.gather(*(submit(wait, str(number)) for number in range(5)))

    async def run():
        loop = asyncio.get_running_loop()
        with use_executor(ProcessExecutor(2, start_method=sys.argv[1])):
            running = asyncio.create_task(main().execute_async())
            loop.add_signal_handler(signal.SIGTERM, running.cancel)
            try:
                await running
            except asyncio.CancelledError:
                print("stopped", file=sys.stderr)

    if __name__ == "__main__":
        asyncio.run(run())
    """
    program = start(body, method)
    gate.wait_for(2)
    os.kill(program.pid, signal.SIGTERM)
    _, errors = program.communicate(timeout=20)
    assert (program.returncode, errors) == (0, "stopped\n")
    check_nobody_left(program)
