"""What importing costs, in fresh processes."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from ..figures import Effort, Figure

__all__ = ["import_time"]

BUDGET: Final = 0.5
STARTS: Final = 15

BARE: Final = "import pydantic"
DEFINED: Final = "import pydantic\nclass Model(pydantic.BaseModel):\n    field: int\nModel(field=1)"
"""Pydantic loads the greater part of itself at the first use of a model, whoever defines it."""

OPTIONAL: Final = ("fastapi", "numpy", "opentelemetry", "prefect", "rich", "sqlite3", "typer")
"""What only an extra may load."""

_PROGRAM: Final = """
import json, sys
from time import perf_counter_ns
began = perf_counter_ns()
{before}
between = perf_counter_ns()
import flowscope
spent = perf_counter_ns() - between
print(json.dumps([spent / 1e6, (between - began) / 1e6, sorted({{name.partition(".")[0] for name in sys.modules}})]))
"""


class Start(NamedTuple):
    """What one fresh process tells."""

    milliseconds: float
    """What `import flowscope` took."""
    before: float
    """What took the milliseconds before that: Pydantic."""
    modules: list[str]
    """The top-level modules that are loaded in the end."""


def import_time(effort: Effort) -> list[Figure]:
    """`import flowscope` where a Pydantic model is in use, against what that took; and where Pydantic is imported only."""
    with tempfile.TemporaryDirectory() as bytecode:
        start_with(BARE, bytecode)  # compiles
        rounds = max(effort.rounds, round(STARTS * effort.size))
        starts = [(start_with(BARE, bytecode), start_with(DEFINED, bytecode)) for _ in range(rounds)]
    bare, defined = zip(*starts, strict=True)
    loaded = set(bare[0].modules)
    optional = sorted(loaded.intersection(OPTIONAL))
    return [
        Figure(
            "import flowscope, where a Pydantic model is in use",
            median(start.milliseconds / start.before for start in defined),
            "x",
            BUDGET,
            f"{_typical(defined):.1f} ms : {median(start.before for start in defined):.1f} ms, {rounds} fresh processes",
        ),
        Figure("  in milliseconds, where Pydantic is imported only", _typical(bare), "ms"),
        Figure("  optional dependencies that it loads", len(optional), "modules", 0, ", ".join(optional)),
    ]


def _typical(starts: tuple[Start, ...]) -> float:
    return median(start.milliseconds for start in starts)


def start_with(before: str, bytecode: str) -> Start:
    """Start Python, import, and tell; compiled code is kept, as it is on a user's machine."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = bytecode
    found = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(before=before)],
        env=environment,
        cwd=Path(bytecode),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return Start(*json.loads(found.stdout))
