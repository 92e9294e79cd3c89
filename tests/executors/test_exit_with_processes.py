"""Process work while an interpreter leaves, and in children of `multiprocessing`, runs or is refused: nothing hangs."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Final

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="needs fork")]

SECONDS: Final = 40.0
"""Below the minute after which idle workers go by themselves."""

MODULE: Final = """
    import asyncio, sys, threading
    from flowscope import *
    from flowscope.coordination import FlowCoordinator, FlowType, WorkerPool

    @task
    def double(x):
        return 2 * x

    @task
    def forever(path):
        open(path, "w").close()  # a named pipe: it waits until somebody waits for it
        threading.Event().wait()

    @flow
    def doubled(x=2):
        return double(x)

    def plain(x):
        return 2 * x

    def submitted():
        with Flow(), use_executor("process"):
            return submit(double, 2).result()

    def mapped():
        with Flow(), use_executor("process"):
            return list(map_tasks(double, [2]))[0]

    def direct():
        with Flow():
            return task(executor="process")(plain)(2)

    def awaited():
        async def main():
            async with Flow():
                with use_executor("process"):
                    return await submit(double, 2)
        return asyncio.run(main())

    def pooled():
        async def main():
            pool = WorkerPool()
            try:
                return await pool.submit_task("one", FlowType.PROCESS, plain, 2)
            finally:
                await pool.shutdown()
        return asyncio.run(main())

    def coordinated():
        async def main():
            async with FlowCoordinator() as coordinator:
                record = await coordinator.execute_flow(coordinator.register_flow(doubled(), flow_type=FlowType.PROCESS))
                if record.error is not None:
                    raise LookupError(record.error.message)
                return record.return_value
        return asyncio.run(main())

    def told(work):
        try:
            value = work()
        except Exception as error:
            value = f"{type(error).__name__}: {error}"
        print("outcome:", value, file=sys.__stdout__, flush=True)

    def all_told():
        for work in (submitted, mapped, awaited, pooled, coordinated):
            told(work)
"""

FIVE: Final = ["outcome: 4"] * 5


def run(folder: Path, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a program beside the module of its tasks."""
    (folder / "work.py").write_text(dedent(MODULE), "utf-8")
    (folder / "program.py").write_text(dedent(program), "utf-8")
    done = subprocess.run(
        [sys.executable, "program.py", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done


@pytest.mark.parametrize("before", [True, False], ids=["workers before", "no worker before"])
def test_in_an_exit_handler(before: bool, tmp_path: Path) -> None:
    """An exit handler, registered before all else, gets the value, or is told that the interpreter is leaving."""
    program = f"""
    import atexit

    @atexit.register
    def at_exit():
        work.all_told()

    import work

    if __name__ == "__main__" and {before}:
        work.submitted()
    """
    outcomes = run(tmp_path, program).stdout.splitlines()
    assert len(outcomes) == len(FIVE)
    for outcome in outcomes:
        refused = ("the interpreter is leaving", "interpreter shutdown")  # the latter from Python 3.12 on: no thread
        assert outcome == "outcome: 4" or any(reason in outcome for reason in refused)
        assert sys.version_info >= (3, 12) or before == ("leaving" in outcome)


def test_a_handler_that_waits_for_earlier_work(tmp_path: Path) -> None:
    """One that waits for a task whose worker the exit has ended is told so."""
    os.mkfifo(tmp_path / "started")
    program = """
    import atexit

    @atexit.register
    def at_exit():
        work.told(future.result)
        work.told(lambda: flow.__exit__(None, None, None))

    import work

    if __name__ == "__main__":
        flow = work.Flow()
        flow.__enter__()
        with work.use_executor("process"):
            future = work.submit(work.forever, "started")
        open("started").close()
    """
    first, second = run(tmp_path, program).stdout.splitlines()
    assert first.startswith("outcome: WorkerDiedError: ")
    assert second == "outcome: None"


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_in_a_child_of_multiprocessing(method: str, tmp_path: Path) -> None:
    """The child gets the value, and ends when its work is done, though its workers are idle."""
    program = f"""
    import multiprocessing
    import work

    if __name__ == "__main__":
        process = multiprocessing.get_context("{method}").Process(target=work.all_told)
        process.start()
        process.join()
        print(process.exitcode)
    """
    assert run(tmp_path, program).stdout.splitlines() == [*FIVE, "0"]


def test_in_a_forked_child_of_a_process_with_workers(tmp_path: Path) -> None:
    """A child that is forked beside workers has its own, ends them, and leaves those of its parent alone."""
    program = """
    import multiprocessing
    import work

    if __name__ == "__main__":
        work.told(work.submitted)
        process = multiprocessing.get_context("fork").Process(target=work.told, args=(work.submitted,))
        process.start()
        process.join()
        work.told(work.submitted)
        print(process.exitcode)
    """
    assert run(tmp_path, program).stdout.splitlines() == ["outcome: 4"] * 3 + ["0"]


def test_in_a_child_that_may_have_no_children(tmp_path: Path) -> None:
    """A daemonic child, as in a `multiprocessing.Pool`, is refused with what multiprocessing says."""
    program = """
    import multiprocessing
    import work

    if __name__ == "__main__":
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            pool.apply(work.told, (work.submitted,))
    """
    (outcome,) = run(tmp_path, program).stdout.splitlines()
    assert outcome == "outcome: AssertionError: daemonic processes are not allowed to have children"


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_in_a_thread_that_outlives_the_main_one(method: str, tmp_path: Path) -> None:
    """It runs, also where the function stands in a script that has ended."""
    program = f"""
    import threading
    from work import *

    @task
    def mine(x):
        return 2 * x

    def body():
        threading.main_thread().join()
        all_told()
        told(direct)
        with Flow(), ProcessExecutor(1, start_method="{method}") as executor, use_executor(executor):
            told(submit(mine, 2).result)

        async def main():
            async with Flow(), ProcessExecutor(1, start_method="{method}") as executor:
                with use_executor(executor):
                    return await submit(mine, 2)
        told(lambda: asyncio.run(main()))

    if __name__ == "__main__":
        threading.Thread(target=body).start()
    """
    assert run(tmp_path, program).stdout.splitlines() == [*FIVE, *["outcome: 4"] * 3]
