"""mypy and pyright, both strict, accept the test modules of this directory and reject the marked lines of one.

A line of `rejected.py` that has to be rejected ends with `# rejected: <code of mypy>, <rule of pyright>`.
"""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Callable, Mapping, Set
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
REJECTED: Final = Path(__file__).with_name("rejected.py")
MODULES: Final = sorted(Path(__file__).parent.glob("*.py"))
MARK: Final = re.compile(r"# rejected: (?P<mypy>[a-z-]+), (?P<pyright>report\w+)$")
SOURCE: Final = REJECTED.read_text(encoding="utf-8").splitlines()
MARKED: Final = {number: found for number, line in enumerate(SOURCE, 1) if (found := MARK.search(line))}

Report = Mapping[str, Mapping[int, Set[str]]]
"""The name of a file to line to the codes that are reported there."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
]  # a type checker that starts without its cache reads all of Pydantic


def run(checker: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a type checker, whatever it finds."""
    command = [sys.executable, "-m", checker, *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False)


@cache
def run_mypy() -> subprocess.CompletedProcess[str]:
    """Run mypy over the modules of this directory, under the project's settings."""
    return run("mypy", "--output=json", *map(str, MODULES))


@cache
def run_pyright() -> subprocess.CompletedProcess[str]:
    """Run pyright over copies of the modules, where the project's settings do not exclude any."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pyright"]
    with TemporaryDirectory() as folder:
        for module in MODULES:
            shutil.copy(module, folder)
        project = Path(folder, "pyrightconfig.json")
        project.write_text(json.dumps({**settings, "include": ["."], "exclude": []}), encoding="utf-8")
        return run("pyright", "--outputjson", "--pythonpath", sys.executable, "--project", str(project))


def output_of(done: subprocess.CompletedProcess[str]) -> str:
    """What a type checker that has found something has to say."""
    assert done.returncode == 1, f"exited with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


def by_place(found: list[tuple[str, int, str]]) -> Report:
    """What was found, by file and line."""
    report: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for file, line, code in found:
        report[file][line].add(code)
    return report


def mypy() -> Report:
    """What mypy reports."""
    problems: list[dict[str, Any]] = [json.loads(line) for line in output_of(run_mypy()).splitlines()]
    return by_place(
        [(Path(one["file"]).name, one["line"], one["code"]) for one in problems if one["severity"] == "error"]
    )


def pyright() -> Report:
    """What pyright reports."""
    problems: list[dict[str, Any]] = json.loads(output_of(run_pyright()))["generalDiagnostics"]
    places = [(Path(one["file"]).name, one["range"]["start"]["line"] + 1) for one in problems]
    return by_place([(*place, one.get("rule", "syntax")) for place, one in zip(places, problems, strict=True)])


CHECKERS: Final[Mapping[str, Callable[[], Report]]] = {"mypy": mypy, "pyright": pyright}


@pytest.mark.parametrize("checker", CHECKERS)
def test_exactly_the_marked_lines_are_rejected(checker: str) -> None:
    """Every marked line is reported, no other line is, and no other module has a line that is."""
    report = CHECKERS[checker]()
    assert report.keys() == {REJECTED.name}
    reported = report[REJECTED.name].keys()
    assert [f"{number}: {SOURCE[number - 1].strip()}" for number in sorted(reported ^ MARKED.keys())] == []


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize("number", MARKED, ids=lambda number: f"line {number}")
def test_a_marked_line_is_rejected_for_its_reason(checker: str, number: int) -> None:
    """The code that the line names is among those that are reported for it."""
    assert MARKED[number][checker] in CHECKERS[checker]()[REJECTED.name][number], SOURCE[number - 1].strip()
