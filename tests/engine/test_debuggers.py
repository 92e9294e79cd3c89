"""A debugger that is opened inside a flow can be used: it talks to the terminal, and is no part of the log."""

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, pdb, sys
from flowscope import flow, submit, task, use_executor

def check(run):
    found = [entry.message for entry in run.captured_logs() if entry.source in {"stdout", "stderr"}]
    sys.stdout.write("LOG " + repr(found))
"""

IN_A_TASK = """
@task
def step():
    answer = 41 + 1
    print("before")
    STOP
    print("after")

@flow
def talk():
    step()

check(talk().execute())
"""

STOPS = {
    "breakpoint": IN_A_TASK.replace("STOP", "breakpoint()"),
    "set_trace": IN_A_TASK.replace("STOP", "pdb.set_trace()"),
    "with a header": IN_A_TASK.replace("STOP", "pdb.set_trace(header='the header')"),
    "imported in the task": IN_A_TASK.replace("STOP", "import pdb; pdb.set_trace()").replace("asyncio, pdb, ", ""),
    "made before the flow": "debugger = pdb.Pdb()\n" + IN_A_TASK.replace("STOP", "debugger.set_trace()"),
    "post_mortem": IN_A_TASK.replace("STOP", "try: 1 / 0\n    except ZeroDivisionError: pdb.post_mortem()"),
    "of the author's own": "class Own(pdb.Pdb): pass\n" + IN_A_TASK.replace("STOP", "Own().set_trace()"),
    "in an async task": """
@task
async def step():
    answer = 41 + 1
    print("before")
    await asyncio.sleep(0)
    breakpoint()
    print("after")

@flow
async def talk():
    await asyncio.gather(step())

check(talk().execute())
""",
    "in a thread": IN_A_TASK.replace("STOP", "breakpoint()").replace(
        "    step()\n", "    with use_executor('thread'):\n        submit(step).result()\n"
    ),
}


def session(program: str, *typed: str) -> tuple[str, str]:
    """What the console shows of a program whose user types these lines, and what its log has."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + program],
        input="".join(f"{line}\n" for line in typed),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    shown, _, log = done.stdout.partition("LOG ")
    return shown, log


@pytest.mark.parametrize("program", STOPS.values(), ids=STOPS)
def test_what_a_debugger_shows_goes_to_the_console(program: str) -> None:
    """Prompts, answers and what is printed at the prompt are on the console; the log has the prints of the task alone."""
    shown, log = session(program, "p answer", "print('typed', answer)", "import sys; sys.stderr.write('')", "c")
    assert "(Pdb) 42" in shown
    assert "typed 42" in shown
    assert log == "['before', 'after']"


def test_the_header_and_the_announcements_of_a_debugger_go_to_the_console() -> None:
    """Text that a debugger writes outside of its prompt is its own, too."""
    shown, log = session(STOPS["with a header"], "p answer", "r", "c")
    assert "the header" in shown
    assert "--Return--" in shown
    assert log == "['before', 'after']"


def test_prints_of_stepped_lines_are_recorded() -> None:
    """Step by step, each line that the debugger lets run prints into the log of the task."""
    shown, log = session(STOPS["breakpoint"], "n", "n", "c")
    assert "after" not in shown.replace('print("after")', "")
    assert log == "['before', 'after']"


def test_at_the_prompt_the_flow_is_still_the_running_one() -> None:
    """Code that is typed finds the flow and its tasks."""
    typed = "from flowscope import current_flow", "p current_flow().flow_name", "c"
    shown, log = session(STOPS["breakpoint"], *typed)
    assert "'talk'" in shown
    assert log == "['before', 'after']"


def test_a_program_that_runs_under_a_debugger_records_its_prints() -> None:
    """In `python -m pdb program.py` the debugger is there from the start, and the prints of flows are still theirs."""
    program = STOPS["breakpoint"].replace("check(", "import pdb; pdb.run('check(").replace("execute())", "execute())')")
    shown, log = session(program, "c", "p answer", "c")
    assert "42" in shown
    assert log.startswith("['before', 'after']")
