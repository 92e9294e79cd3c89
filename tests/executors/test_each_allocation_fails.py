"""Whatever allocation the system refuses while a call is submitted: that call says so, or succeeds, and the next one works."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

PROGRAM: Final = Path(__file__).parents[1] / "support" / "executors" / "failing_allocations.py"

ERRORS: Final = {"OSError", "BlockingIOError", "RuntimeError", "ImportError", "ModuleNotFoundError", "WorkerDiedError"}
"""What a refusal may look like: none is an error of this library's own making, such as an `AttributeError`."""

NOISE: Final = ("object has no attribute '_ssock'", "multiprocessing/forkserver.py")
"""What Python writes of itself: the finaliser of half an event loop, and a fork server that a start has left midway."""
CUT_OFF: Final = "Traceback (most recent call last):\n"
"""What such a fork server has written when it ends amid its traceback."""

LOST_BY_PYTHON: Final = 2
"""The descriptors of a pipe that multiprocessing keeps where it gets no second one. The check before each start of a
worker lets a system without descriptors say so earlier; here it is refused none, but this one."""

SCENARIOS: Final = [
    "thread",
    "asyncio",
    "background loop",
    "async in a thread",
    "forkserver",
    "spawn",
    "mapped threads",
    "awaited thread",
    "pooled thread",
    "pooled process",
    "coordinated thread",
    "coordinated process",
]


def run(scenario: str, number: int) -> tuple[dict[str, Any], str]:
    """What the program says, and what it wrote to standard error."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM), scenario, str(number)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env={**os.environ, "PYTHONPATH": str(PROGRAM.parent)},
    )
    assert done.returncode == 0, (number, done.stderr)
    told: dict[str, Any] = json.loads(done.stdout)
    is_noise = done.stderr == CUT_OFF or any(noise in done.stderr for noise in NOISE)
    return told, "" if is_noise else done.stderr


def worth_refusing(made: list[str], *, imports: bool) -> list[int]:
    """The numbers of the allocations that differ: not each of a row, and no cached bytecode, without which Python goes on."""
    left_out = (".pyc",) if imports else (".pyc", ".py")
    numbers = range(1, len(made) + 1)
    rows = [number for number in numbers if number == len(made) or made[number - 1] != made[number]]
    firsts = [number for number in numbers if number == 1 or made[number - 1] != made[number - 2]]
    return sorted({number for number in (*rows, *firsts) if not made[number - 1].endswith(left_out)})


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform == "win32", reason="names what POSIX allocates")
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_allocation_that_fails(scenario: str) -> None:
    """One clear error or the value; then the value, no thread or descriptor more than ever, and nothing on stderr."""
    clean, noise = run(scenario, 0)
    assert (clean["outcome"], noise) == (clean["after"], "")
    wrong: list[object] = []
    for number in worth_refusing(clean["made"], imports=scenario == "forkserver"):
        told, noise = run(scenario, number)
        outcome = told["outcome"]
        is_clear = outcome == clean["outcome"] or outcome[0] in ERRORS
        lost = LOST_BY_PYTHON if clean["made"][number - 1] in {"os.pipe", "os.dup"} else 0
        is_whole = (told["after"], told["threads"], told["flow"]) == (clean["after"], clean["threads"], "None")
        if not (is_clear and is_whole and told["descriptors"] <= clean["descriptors"] + lost and not noise):
            del told["made"]
            wrong.append((number, clean["made"][number - 1], told, noise))
    assert wrong == [], clean
