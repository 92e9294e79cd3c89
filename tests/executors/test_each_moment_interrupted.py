"""An interrupt at any moment leaves the thread outside of flows, and the next flow works; so does a failure in a worker's thread."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

PROGRAM: Final = Path(__file__).parents[1] / "support" / "executors" / "interrupted_moments.py"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize("scenario", ["direct", "awaiting", "submitting", "mapping", "cancelling", "worker"])
def test_each_moment_at_which_python_hears_an_interrupt(scenario: str) -> None:
    """Each of some hundred moments, one after the other: nothing hangs, and nobody stays inside a flow."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM), scenario],
        capture_output=True,
        text=True,
        timeout=590,
        check=False,
        env={**os.environ, "PYTHONPATH": str(PROGRAM.parent)},
    )
    assert done.returncode == 0, done.stderr
    *wrong, last = map(json.loads, done.stdout.splitlines())
    assert wrong == []
    assert last["moments"] > 50
