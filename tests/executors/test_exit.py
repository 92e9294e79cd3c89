"""The interpreter ends within seconds, and without a word, whatever was submitted."""

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from support.executors.programs import SECONDS, run, wait_until_gone

pytestmark = pytest.mark.slow

NORMAL: dict[str, str] = {
    "nothing was submitted": """
        for pool in (ThreadExecutor(), ProcessExecutor(), AsyncioExecutor()):
            with use_executor(pool):
                pass
    """,
    "executors are not closed": """
        for pool in (ThreadExecutor(2), ProcessExecutor(2), AsyncioExecutor(), "thread", "process", "asyncio"):
            with Flow(), use_executor(pool):
                assert [submit(quick, 1).result(), submit(quick_async, 2).result()] == [1, 2]
    """,
    "executors are globals": """
        kept = [ThreadExecutor(2), ProcessExecutor(2), AsyncioExecutor()]
        import builtins
        builtins.kept = kept
        for pool in kept:
            with Flow(), use_executor(pool):
                assert submit(quick, 1).result() == 1
    """,
    "executors are closed": """
        for make in (ThreadExecutor, ProcessExecutor, AsyncioExecutor):
            with make() as pool, Flow(), use_executor(pool):
                submit(quick, 1)
            pool.close()
    """,
    "futures are globals": """
        with Flow() as flow:
            kept = [submit(quick, 1), submit(quick_async, 1)]
            with use_executor("process"):
                kept += [submit(quick, 1), submit(quick_async, 1)]
    """,
    "a map was left early": """
        with Flow():
            for pool in ("thread", "process", "asyncio"):
                with use_executor(pool):
                    results = iter(map_tasks(quick, itertools.count()))
                    next(results)
    """,
    "a thread was left behind by a cancel": """
        started = threading.Event()
        with Flow():
            future = submit(forever, started)
            started.wait()
            assert future.cancel()
    """,
    "a thread was left behind at a deadline": """
        @task(timeout=0.05, raise_on_error=False)
        def late():
            threading.Event().wait()

        with Flow():
            assert submit(late).result() is None
            assert late() is None
    """,
    "an async flow has ended": """
        async def main():
            async with Flow():
                await asyncio.gather(*(submit(quick_async, one) for one in range(50)), submit(quick))
        asyncio.run(main())
    """,
    "exit functions submit": """
        import atexit

        @atexit.register
        def late():  # in a thread that is there: from Python 3.12 on, none can be started now
            with Flow():
                assert submit(quick, 3).result(5) == 3

        with Flow():
            submit(quick).result()
    """,
    "a daemon thread is amid a flow": """
        def work():
            with Flow():
                submit(forever, started).result()

        started = threading.Event()
        threading.Thread(target=work, daemon=True).start()
        started.wait()
    """,
    "a daemon thread is amid a flow with processes": """
        def work():
            with Flow(), use_executor("process"):
                submit(forever_there, "started").result()

        threading.Thread(target=work, daemon=True).start()
        wait_for("started")
    """,
    "a daemon thread submits without end": """
        amid = threading.Event()

        def work():
            with Flow(flow_config=FlowConfig(add_task_to_self=False)):
                for number in map_tasks(quick, itertools.count()):
                    if number == 1_000:
                        amid.set()

        threading.Thread(target=work, daemon=True).start()
        amid.wait()
    """,
}


@pytest.mark.parametrize("body", NORMAL.values(), ids=NORMAL)
def test_a_program_ends(body: str, tmp_path: Path) -> None:
    """A program that has come to its end leaves, with code 0 and no word."""
    ended = run(tmp_path, body)
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert ended.seconds < SECONDS


RAISING: dict[str, str] = {
    "while threads run": """
        started = threading.Event()
        with Flow():
            for _ in range(20):
                submit(forever, started)
            started.wait()
            raise LookupError("the program's own")
    """,
    "while async tasks run": """
        started = threading.Event()
        with Flow():
            for _ in range(20):
                submit(forever_async, started)
            started.wait()
            raise LookupError("the program's own")
    """,
    "while processes run": """
        with Flow(), use_executor(ProcessExecutor(2)):
            submit(forever_there, "first")
            submit(forever_there_async, "second")
            submit(forever_there, "third")
            wait_for("first")
            wait_for("second")
            raise LookupError("the program's own")
    """,
    "in an async flow": """
        async def body():
            started = threading.Event()
            submit(forever, started)
            submit(forever_async)
            with use_executor("process"):
                submit(forever_there, "started")
            await asyncio.to_thread(wait_for, "started")
            raise LookupError("the program's own")

        Flow().setup(body).execute()
    """,
    "while another thread is amid a flow": """
        started = threading.Event()

        def work():
            with Flow():
                submit(forever_async, started)
                with use_executor("process"):
                    submit(forever_there, "started")
                submit(forever).result()

        threading.Thread(target=work, daemon=True).start()
        wait_for("started")
        started.wait()
        raise LookupError("the program's own")
    """,
    "by a task": """
        @task
        def fails():
            raise LookupError("the program's own")

        with Flow():
            submit(fails)
            submit(fails)
    """,
}


@pytest.mark.parametrize("body", RAISING.values(), ids=RAISING)
def test_a_program_that_fails_ends(body: str, tmp_path: Path) -> None:
    """A program that an exception ends says so, once, and leaves."""
    ended = run(tmp_path, body)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.count("Traceback (most recent call last)") == 1, ended.err
    assert "LookupError: the program's own" in ended.err
    assert "Exception ignored" not in ended.err
    assert ended.seconds < SECONDS


def test_no_warning_at_the_end(tmp_path: Path) -> None:
    """In Python's development mode, too, nothing is left open."""
    body = """
        for pool in (ThreadExecutor(2), ProcessExecutor(2), AsyncioExecutor(), "thread", "process", "asyncio"):
            with Flow(), use_executor(pool):
                assert [submit(quick, 1).result(), submit(quick_async, 2).result()] == [1, 2]
        with AsyncioExecutor() as pool, Flow(), use_executor(pool):
            submit(quick_async)
    """
    ended = run(tmp_path, body, options=("-X", "dev"))
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_sys_exit_amid_a_flow(tmp_path: Path) -> None:
    """`sys.exit` in a flow whose tasks run and wait ends the program with its code."""
    body = """
        started = threading.Event()
        with Flow(), use_executor(ThreadExecutor(1)):
            for _ in range(5):
                submit(forever, started)
            with use_executor("process"):
                submit(forever_there, "started")
            started.wait()
            wait_for("started")
            sys.exit(3)
    """
    ended = run(tmp_path, body)
    assert (ended.code, ended.out, ended.err) == (3, "", "")
    assert ended.seconds < SECONDS


@pytest.mark.parametrize("how", ["os._exit(0)", "os.kill(os.getpid(), 9)"])
@pytest.mark.parametrize("busy", ["", "submit(forever_there, 'started'); wait_for('started')"], ids=["idle", "busy"])
def test_a_program_that_leaves_at_once(how: str, busy: str, tmp_path: Path) -> None:
    """However a program ends, it leaves no worker process behind, be it idle or amid a task."""
    body = f"""
        with Flow(), use_executor(ProcessExecutor(1)):
            with open("pid", "w") as file:
                file.write(str(submit(tell).result()))
            {busy}
            {how}
    """
    run(tmp_path, body, output=False)
    wait_until_gone(int((tmp_path / "pid").read_text()))


def test_a_main_module_without_a_guard_is_told_so(tmp_path: Path) -> None:
    """A script that starts its flow at import says what is wrong, once, and ends."""
    script = tmp_path / "unguarded.py"
    script.write_text(
        dedent("""
            from flowscope import *

            @task(executor="process")
            def quick():
                return 1

            with Flow():
                quick()
        """),
        "utf-8",
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 1
    assert "if __name__ == '__main__':" in done.stderr
    assert "WorkerDiedError" in done.stderr
