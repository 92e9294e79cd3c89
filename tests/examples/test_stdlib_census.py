"""The census of the standard library does what its page says, run as a user runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from flowscope import FlowRun, RunStatus

SCRIPT: Final = Path(__file__).parents[2] / "docs" / "examples" / "stdlib_census.py"
TARGET: Final = f"{SCRIPT}:census"

GOOD: Final = """
import os.path, json
from collections import abc
from . import sibling

class Thing:
    async def method(self):
        try:
            import asyncio
        finally:
            def inner(): pass
"""


class Ended(NamedTuple):
    """A census that was taken."""

    code: int
    out: str
    err: str
    record: FlowRun


def take_census(directory: Path, *params: str) -> Ended:
    """Run the command with a record."""
    ended = subprocess.run(
        [sys.executable, "-m", "flowscope.cli", "run", TARGET, "--json", "run.json", *(f"-p{one}" for one in params)],
        cwd=directory,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    record = FlowRun.model_validate_json((directory / "run.json").read_text("utf-8"))
    return Ended(ended.returncode, ended.stdout, ended.stderr, record)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A small library of two good files, a bad one, and one in a folder that is skipped."""
    root = tmp_path / "library"
    (root / "site-packages").mkdir(parents=True)
    (root / "good.py").write_text(GOOD, "utf-8")
    (root / "other.py").write_text("import json\n", "utf-8")
    (root / "bad.py").write_text("print 'two'\n", "utf-8")
    (root / "site-packages" / "foreign.py").write_text("import foreign\n", "utf-8")
    return root


def test_definitions_and_imports_are_counted(tmp_path: Path, library: Path) -> None:
    """Files, lines, functions, classes and top-level imports are what the sources say."""
    ended = take_census(tmp_path, f"root={library}")
    assert ended.code == 0
    assert ended.record.return_value == {
        "files": 3,
        "broken": 1,
        "unread": 0,
        "lines": 12,
        "functions": 2,
        "classes": 1,
        "processes": 1,
    }
    artifact = ended.record.artifacts[0]
    assert artifact.key == "imports"
    assert artifact.artifact_type == "table"
    assert artifact.data == {"json": 2, "asyncio": 1, "collections": 1, "os": 1}


def test_a_file_that_does_not_parse_is_counted_and_named(tmp_path: Path, library: Path) -> None:
    """No task fails for it: the result counts such files, an artifact names each with the reason."""
    ended = take_census(tmp_path, f"root={library}")
    assert {task.status for task in ended.record.tasks} == {RunStatus.COMPLETED}
    (broken,) = [artifact.data for artifact in ended.record.artifacts if artifact.key == "broken"]
    assert list(broken) == [str(library / "bad.py")]
    assert "bad.py, line 1" in broken[str(library / "bad.py")]
    assert "broken  files that do not parse: 1" in ended.out
    assert "failed" not in ended.out + ended.err
    assert "ERROR" not in ended.err


def test_a_file_that_cannot_be_read_is_a_failed_task_of_a_completed_flow(tmp_path: Path, library: Path) -> None:
    """The failure is tolerated, and not hidden: the record shows which file it was and why, and the census counts it."""
    (library / "gone.py").symlink_to("nowhere.py")
    ended = take_census(tmp_path, f"root={library}")
    assert ended.record.status is RunStatus.COMPLETED
    assert ended.record.return_value is not None
    assert ended.record.return_value["unread"] == 1
    (failed,) = [task for task in ended.record.tasks if task.status is RunStatus.FAILED]
    assert failed.task_name == "examine"
    assert failed.input_args == [str(library / "gone.py")]
    assert failed.error is not None
    assert failed.error.type == "FileNotFoundError"
    assert "failed tasks: 1" in ended.out


def test_folders_are_skipped_by_name_and_files_limited(tmp_path: Path, library: Path) -> None:
    """`skip` takes folder names as JSON, and `limit` the first files in the order of their names."""
    skipped = take_census(tmp_path, f"root={library}", "skip=[]", "limit=3")
    examined = [Path(task.input_args[0]).name for task in skipped.record.tasks if task.task_name == "examine"]
    assert sorted(examined) == ["bad.py", "good.py", "other.py"]
    everything = take_census(tmp_path, f"root={library}", "skip=[]")
    assert sum(task.task_name == "examine" for task in everything.record.tasks) == 4


def test_worker_processes_take_part(tmp_path: Path, library: Path) -> None:
    """With `executor=process` several processes parse, and the record, loaded back, tells the same but for the place."""
    (library / "bad.py").rename(library / "worst.py")
    ended = take_census(tmp_path, f"root={library}", "executor=process", "at_once=2", "skip=[]")
    assert ended.code == 0
    examined = [task for task in ended.record.tasks if task.task_name == "examine"]
    assert [(Path(task.input_args[0]).name, task.status.value, task.executor) for task in examined] == [
        ("good.py", "completed", "process"),
        ("other.py", "completed", "process"),
        ("foreign.py", "completed", "process"),
        ("worst.py", "completed", "process"),
    ]
    workers = {task.return_value[-1] for task in examined[:3] if task.return_value is not None}
    assert ended.record.return_value is not None
    assert ended.record.return_value["processes"] == len(workers) == 2
    assert {task.executor for task in ended.record.tasks if task.task_name != "examine"} == {"inline"}
    assert ended.record.return_value["broken"] == 1


def test_as_a_script(tmp_path: Path) -> None:
    """Run as a script it prints the census and writes the record; its tasks are those of the main module then."""
    ended = subprocess.run(
        [sys.executable, SCRIPT, "--executor", "process", "--limit", "40", "--json", "run.json"],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert ended.stderr == ""
    record = FlowRun.model_validate_json((tmp_path / "run.json").read_text("utf-8"))
    census = json.loads(ended.stdout)
    assert census == record.return_value
    assert census["files"] == 40
    examined = [task for task in record.tasks if task.task_name == "examine"]
    assert {(task.status.value, task.executor) for task in examined} == {("completed", "process")}
    assert {task.return_value[-1] for task in examined}.isdisjoint({os.getpid()})


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_whole_library(tmp_path: Path) -> None:
    """Without parameters it reads the standard library, every file in a task, in a few lines of summary."""
    ended = take_census(tmp_path)
    assert ended.code == 0
    examined = [task for task in ended.record.tasks if task.task_name == "examine"]
    assert len(examined) > 500
    assert {task.status for task in examined} == {RunStatus.COMPLETED}
    (broken,) = [artifact.data for artifact in ended.record.artifacts if artifact.key == "broken"]
    (count,) = [result.value for result in ended.record.results if result.key == "broken"]
    assert count == len(broken) < len(examined) / 50
    assert any("badsyntax" in path for path in broken) == any("badsyntax" in task.input_args[0] for task in examined)
    assert "ERROR" not in ended.err
    assert ended.record.artifacts[0].data["sys"] > 100
    assert len(ended.out.splitlines()) < 40


def test_a_wrong_parameter_is_refused(tmp_path: Path) -> None:
    """A limit that is no positive number exits with 2 before anything is read."""
    ended = subprocess.run(
        [sys.executable, "-m", "flowscope.cli", "run", TARGET, "--param", "limit=0"],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "'limit'" in ended.stderr
