"""Flows and the process around them: forked children, the interpreter's exit, missing streams."""

import os
import subprocess
import sys
from textwrap import dedent

import pytest

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")

pytestmark = pytest.mark.slow

PRELUDE = """
import os, sys, logging, threading, atexit, asyncio, contextlib, io
from flowscope import *
from flowscope import NoActiveFlowError

@task
def note(value=0):
    print("task", value)
    return value

real = sys.stdout
"""


def run_python(code: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program that uses flowscope, in an interpreter of its own."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", PRELUDE + dedent(code)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=env,
    )


def output_of(code: str) -> list[str]:
    """The lines that a program printed, which ended well and said nothing on stderr."""
    done = run_python(code)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@needs_fork
def test_a_forked_child_is_in_no_flow() -> None:
    """In a child a task raises, a print is real and nothing is current; the parent's record knows nothing of it."""
    lines = output_of("""
        @flow
        def forking():
            print("parent before")
            child = os.fork()
            if child == 0:
                try:
                    print("child prints", current_flow_or_none(), current_task_or_none(), sys.stdout is real)
                    note()
                except NoActiveFlowError:
                    print("child raised")
                finally:
                    sys.stdout.flush()
                    os._exit(0)
            os.waitpid(child, 0)
            return note(1)

        run = forking().execute()
        print([entry.message for entry in run.captured_logs() if entry.source == "stdout"], len(run.executed_tasks))
    """)
    assert lines == ["child prints None None True", "child raised", "['parent before', 'task 1'] 1"]


@needs_fork
def test_a_forked_child_runs_flows_of_its_own() -> None:
    """A child that was forked inside a flow executes flows, which capture, and restores its streams after them."""
    lines = output_of("""
        @flow
        def inner():
            print("captured")
            return note(2)

        @flow
        def forking():
            child = os.fork()
            if child == 0:
                run = inner().execute()
                record = run.flow_run
                print([e.message for e in record.logs if e.source == "stdout"], record.parent_flow_id, record.status)
                print(sys.stdout is real)
                sys.stdout.flush()
                os._exit(0)
            os.waitpid(child, 0)

        forking().execute()
        print("end", sys.stdout is real)
    """)
    assert lines == ["['captured', 'task 2'] None completed", "True", "end True"]


@needs_fork
def test_a_child_that_returns_out_of_the_flow_goes_on() -> None:
    """A child that leaves the flow's function runs on: its later flows capture and restore as in any process."""
    lines = output_of("""
        @flow
        def forking():
            return os.fork()

        @flow
        def inner():
            print("captured")

        run = forking().execute()
        if run.return_value == 0:
            first = inner().execute()
            print([e.message for e in first.captured_logs() if e.source == "stdout"], sys.stdout is real)
            second = inner().execute()
            print([e.message for e in second.captured_logs() if e.source == "stdout"], sys.stdout is real)
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(run.return_value, 0)
        print("parent", sys.stdout is real)
    """)
    assert lines == ["['captured'] True", "['captured'] True", "parent True"]


@needs_fork
def test_a_fork_while_other_threads_are_in_flows_leaves_no_lock_behind() -> None:
    """However busy its parent's other threads were with flows, a child executes flows of its own."""
    lines = output_of("""
        import signal, warnings
        warnings.simplefilter("ignore")

        @flow
        def busy():
            note()

        flow_events.event_listeners.append(lambda event: None)
        stop = threading.Event()

        def churn():
            while not stop.is_set():
                busy().execute()

        threads = [threading.Thread(target=churn) for _ in range(4)]
        for thread in threads:
            thread.start()
        sys.setswitchinterval(1e-5)
        statuses = set()
        for _ in range(150):
            child = os.fork()
            if child == 0:
                signal.alarm(5)
                sys.setswitchinterval(0.005)
                os._exit(0 if busy().execute().succeeded else 1)
            statuses.add(os.waitpid(child, 0)[1])
            if statuses != {0}:
                break
        stop.set()
        for thread in threads:
            thread.join()
        print(statuses)
    """)
    assert lines == ["{0}"]


def test_a_flow_at_the_exit_of_the_interpreter_works() -> None:
    """A flow that an atexit function executes records as always."""
    lines = output_of("""
        @flow
        def late():
            return note(3)

        def farewell():
            run = late().execute()
            print(run.return_value, run.status, len(run.executed_tasks))

        atexit.register(farewell)
    """)
    assert lines == ["3 completed 1"]


def test_a_flow_running_in_a_daemon_thread_does_not_disturb_the_exit() -> None:
    """The interpreter ends without a word while a daemon thread is inside a flow."""
    lines = output_of("""
        inside = threading.Event()

        @flow
        def endless():
            inside.set()
            threading.Event().wait()

        threading.Thread(target=endless().execute, daemon=True).start()
        inside.wait()
        print("bye")
    """)
    assert lines == ["bye"]


def test_an_exit_inside_a_flow_ends_the_record_first() -> None:
    """sys.exit() in a flow passes through with its code, and the record has ended as cancelled before."""
    done = run_python("""
        runs = []

        @flow
        def leaving():
            note()
            sys.exit(7)

        made = leaving()
        atexit.register(lambda: print(made.status, made.flow_run.error.type, sys.stdout is real))
        made.execute()
    """)
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout.splitlines() == ["cancelled SystemExit True"]


def test_streams_that_are_missing_do_not_hurt() -> None:
    """Without standard streams, as under pythonw, flows run and log."""
    done = run_python("""
        sys.stdout = sys.stderr = None

        @flow(flow_config=FlowConfig(log_to_console=True, print_logs=True))
        def silent(this_flow):
            print("nowhere")
            this_flow.log_info("told")
            return note(4)

        run = silent().execute()
        run.print_log_messages()
        assert sys.stdout is None and sys.stderr is None
        assert run.return_value == 4
        os.write(1, ",".join(entry.message for entry in run.captured_logs()).encode())
    """)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "told,return value: 4"


def test_a_console_that_cannot_encode_does_not_fail_the_run() -> None:
    """A print that an ASCII console cannot show is recorded, and echoed with escapes."""
    done = run_python(
        """
        @flow(flow_config=FlowConfig(log_to_console=True, log_level="INFO"))
        def speak():
            print("caf\\u00e9 \\ud800")

        run = speak().execute()
        print(ascii([entry.message for entry in run.captured_logs()]))
        """,
        env={**os.environ, "PYTHONIOENCODING": "ascii:strict"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    echoed, recorded = done.stdout.splitlines()
    assert echoed == "caf\\xe9 \\ud800"
    assert recorded == "['caf\\xe9 \\\\ud800']"


def test_threads_that_print_survive_flows_that_come_and_go() -> None:
    """A print that has looked up the standard output may write to it after the flow that replaced it is no more."""
    lines = output_of("""
        over = threading.Event()

        def print_until_over():
            while not over.is_set():
                print("printed")

        @flow
        def empty():
            pass

        sys.setswitchinterval(1e-5)
        threads = [threading.Thread(target=print_until_over) for _ in range(4)]
        with contextlib.redirect_stdout(io.StringIO()):
            for thread in threads:
                thread.start()
            for _ in range(2_000):
                empty().execute()
            over.set()
            for thread in threads:
                thread.join()
        print("survived", sys.stdout is real)
    """)
    assert lines == ["survived True"]


def test_a_stream_that_somebody_kept_is_the_real_one_afterwards() -> None:
    """The `sys.stdout` of a flow, kept beyond its end, writes to the real one and answers like it."""
    lines = output_of("""
        kept = []

        @flow
        def keeping():
            kept.append(sys.stdout)
            print("recorded", file=kept[0])

        run = keeping().execute()
        print("later", file=kept[0])
        kept[0].write("written\\n")
        kept[0].flush()
        print(kept[0].encoding == sys.stdout.encoding, kept[0].fileno(), [e.message for e in run.captured_logs()])
    """)
    assert lines == ["later", "written", "True 1 ['recorded']"]
