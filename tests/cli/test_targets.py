"""TARGET: which flow is run."""

import importlib
import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

from flowscope.cli import main

from .conftest import Command


@pytest.mark.parametrize("target", ["flows:calculate", "flows.py:calculate", "./flows.py:calculate"])
def test_a_flow_is_named_by_module_or_by_file(process: Command, target: str) -> None:
    """Modules of the current directory and files are found, and the flow in them is run."""
    outcome = process("run", target, "--param", "number=10")
    assert outcome.code == 0
    assert "calculate completed" in outcome.out
    assert "returned  40" in outcome.out


def test_the_installed_command_is_the_same() -> None:
    """The console script `flowscope` is `flowscope.cli.main`."""
    (script,) = entry_points(group="console_scripts", name="flowscope")
    assert script.load() is main


@pytest.mark.parametrize("module", ["flowscope", "flowscope.cli"])
def test_the_package_can_be_run(directory: Path, module: str) -> None:
    """`python -m flowscope` is the command, too, and is called `flowscope` in what it says."""
    command = [sys.executable, "-m", module]
    ran = subprocess.run([*command, "run", "flows:calculate"], cwd=directory, capture_output=True, encoding="utf-8")
    assert ran.returncode == 0
    assert "returned  4" in ran.stdout
    asked = subprocess.run([*command, "--help"], capture_output=True, encoding="utf-8")
    assert "Usage: flowscope [OPTIONS] COMMAND" in asked.stdout


def test_the_version_is_that_of_the_package(command: Command) -> None:
    """`flowscope --version` prints the name and the version, and nothing else."""
    outcome = command("--version")
    assert (outcome.code, outcome.out, outcome.err) == (0, f"flowscope {version('flowscope')}\n", "")


@pytest.mark.parametrize(
    ("target", "params", "returned"),
    [
        ("flows:Ingest", ["source=there", "batch=5"], "5"),
        ("flows:ready", ["batch=7"], "7"),
        ("flows:ready", [], "100"),
        ("flows:partly", [], "20"),
        ("flows:Steps.first", [], "'first'"),
    ],
)
def test_classes_instances_partials_and_dotted_names_are_flows(
    command: Command, target: str, params: list[str], returned: str
) -> None:
    """A subclass of Flow, a Flow, a partial of a flow function and a flow inside a class can be run."""
    outcome = command("run", target, *(f"--param={param}" for param in params))
    assert outcome.code == 0
    assert f"returned  {returned}\n" in outcome.out


def test_a_flow_method_needs_its_object(command: Command) -> None:
    """A flow that is a method cannot be run without an object, and the message names what is missing."""
    outcome = command("run", "flows:Ingest.method")
    assert outcome.code == 2
    assert "'self'" in outcome.err


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("flows", "MODULE:FLOW"),
        ("flows:", "MODULE:FLOW"),
        (":calculate", "MODULE:FLOW"),
        ("nowhere:calculate", "No module named 'nowhere'"),
        ("nowhere.py:calculate", "no file 'nowhere.py'"),
        ("flows:missing", "no 'missing'"),
        ("flows:calculate.missing", "no 'calculate.missing'"),
        ("flows:plain", "Decorate it with @flow"),
        ("flows:double", "not a flow"),
        ("flows:number", "of type 'int'"),
        ("flows:Colour", "the class 'Colour'"),
        ("flows:Idle", "setup has not been called"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(command: Command, target: str, told: str) -> None:
    """A target that is malformed, not there, or not a flow exits with 2 and a message on standard error."""
    outcome = command("run", target)
    assert outcome.code == 2
    assert told in outcome.err
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    assert not outcome.out


def test_a_plain_function_is_not_called_to_find_out(command: Command) -> None:
    """A function without @flow, and a task, are refused without having been called."""
    assert command("run", "flows:plain").code == 2
    assert not command("run", "flows:double").ran


def test_the_message_lists_the_flows_of_the_module(command: Command) -> None:
    """Whoever mistypes a name is told the names that there are."""
    outcome = command("run", "flows:calulate")
    assert "calculate" in outcome.err
    assert "Ingest" in outcome.err
    assert "plain" not in outcome.err
    assert "double" not in outcome.err


@pytest.mark.parametrize("target", ["broken:any", "broken.py:any"])
@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("\nraise RuntimeError('bad luck')", "RuntimeError: bad luck"),
        ("\nimport nowhere_at_all", "No module named 'nowhere_at_all'"),
        ("raise SystemExit(0)", "SystemExit"),
    ],
)
def test_an_import_that_fails_tells_why_and_where(
    command: Command, directory: Path, target: str, source: str, told: str
) -> None:
    """What a module raises while it is imported is named, with the line that raised it."""
    (directory / "broken.py").write_text(source, "utf-8")
    outcome = command("run", target)
    assert outcome.code == 2
    assert told in outcome.err
    assert f"broken.py, line {source.count(chr(10)) + 1}" in outcome.err
    assert "broken" not in sys.modules


def test_a_syntax_error_is_told(command: Command, directory: Path) -> None:
    """A file that does not parse is refused with the place of the error."""
    (directory / "broken.py").write_text("x =", "utf-8")
    outcome = command("run", "broken.py:any")
    assert outcome.code == 2
    assert "SyntaxError" in outcome.err
    assert "line 1" in outcome.err


def test_a_file_finds_its_neighbours(process: Command, directory: Path) -> None:
    """A file elsewhere can import the modules beside it, as a script can."""
    folder = directory / "jobs"
    folder.mkdir()
    (folder / "beside.py").write_text("ANSWER = 42", "utf-8")
    source = "from flowscope import flow\nfrom beside import ANSWER\n@flow\ndef ask():\n    return ANSWER\n"
    (folder / "job-1.py").write_text(source, "utf-8")
    outcome = process("run", "jobs/job-1.py:ask")
    assert outcome.code == 0
    assert "returned  42" in outcome.out


def test_a_file_does_not_replace_a_module_of_its_name(process: Command, directory: Path) -> None:
    """A file may be named like a module that is in use."""
    source = "from flowscope import flow\n@flow\ndef ask():\n    import json\n    return json.dumps([1])\n"
    (directory / "pydantic.py").write_text(source, "utf-8")
    (directory / "jobs").mkdir()
    (directory / "pydantic.py").rename(directory / "jobs" / "pydantic.py")
    outcome = process("run", "jobs/pydantic.py:ask", "--json", "run.json")
    assert outcome.code == 0
    assert outcome.record.return_value == "[1]"


@pytest.mark.parametrize(
    ("file", "packages", "hint"),
    [
        ("jobs/daily/load.py", ["jobs", "jobs/daily"], "run it as a module: flowscope run jobs.daily.load:Steps.first"),
        ("jobs/load.py", [], "run it as a module: flowscope run jobs.load:Steps.first"),
        ("jobs/json.py", ["jobs"], "run it as a module: flowscope run jobs.json:Steps.first"),
        ("jobs/__init__.py", ["jobs"], "run it as a module: flowscope run jobs:Steps.first"),
        ("jobs/load.daily.py", ["jobs"], "import its neighbours without dots"),
    ],
)
@pytest.mark.parametrize("source", ["from . import beside", "from .beside import ANSWER", "from ..text import plain"])
def test_a_file_with_relative_imports_is_told_how_to_be_run(
    command: Command, directory: Path, file: str, packages: list[str], hint: str, source: str
) -> None:
    """A file is in no package, whatever its name; the message names the module that it is in its package."""
    path = directory / file
    path.parent.mkdir(parents=True)
    for package in packages:
        (directory / package / "__init__.py").touch()
    path.write_text(source, "utf-8")
    outcome = command("run", f"{file}:Steps.first")
    assert outcome.code == 2
    assert "ImportError: attempted relative import with no known parent package" in outcome.err
    assert outcome.err.endswith(f" A file is in no package; {hint}\n".replace("; import", ": import"))


def test_the_hint_for_relative_imports_can_be_followed(process: Command, directory: Path) -> None:
    """The command that the message ends with runs the flow; from elsewhere it names the directory."""
    (directory / "jobs").mkdir()
    (directory / "jobs" / "beside.py").write_text("ANSWER = 42", "utf-8")
    source = "from flowscope import flow\nfrom .beside import ANSWER\n@flow\ndef ask():\n    return ANSWER\n"
    (directory / "jobs" / "load.py").write_text(source, "utf-8")
    refused = process("run", "jobs/load.py:ask")
    assert "returned  42" in process(*refused.err.rpartition(": flowscope ")[2].split()).out
    elsewhere = directory / "jobs" / "elsewhere"
    elsewhere.mkdir()
    command = [sys.executable, "-m", "flowscope", "run", str(directory / "jobs" / "load.py") + ":ask"]
    told = subprocess.run(command, cwd=elsewhere, capture_output=True, encoding="utf-8").stderr
    assert told.endswith(f"run it as a module in {str(directory)!r}: flowscope run jobs.load:ask\n")


SPREAD = """
from pydantic import BaseModel
from flowscope import flow, map_tasks, task

class Number(BaseModel):
    value: int

class Odd(Exception):
    pass

@task(executor="process")
def square(number: Number):
    if number.value == 3:
        raise Odd(number.value)
    return Number(value=number.value ** 2)

@flow
def squares(count: int = 3):
    return [one.value for one in map_tasks(square, [Number(value=one) for one in range(count)])]
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "report.daily.py",
        "v1.2.3.py",
        "typer.py",
        "pydantic.py",
        "json.py",
        "queue.py",
        "sys.py",
        "job-1.py",
        "my flow.py",
    ],
)
def test_a_file_of_any_name_may_use_worker_processes(process: Command, directory: Path, name: str) -> None:
    """A dot in the name, or the name of a module that is in use, matters neither here nor in a worker."""
    (directory / "jobs").mkdir()
    (directory / "jobs" / name).write_text(SPREAD, "utf-8")
    outcome = process("run", f"jobs/{name}:squares", "--json", "run.json")
    assert outcome.code == 0, outcome.err
    assert outcome.record.return_value == [0, 1, 4]
    assert {task.executor for task in outcome.record.tasks} == {"process"}


@pytest.mark.parametrize("name", ["report.daily.py", "typer.py"])
def test_classes_of_such_a_file_come_home(process: Command, directory: Path, name: str) -> None:
    """An exception of the file's own class arrives from a worker as what it is."""
    (directory / "jobs").mkdir()
    (directory / "jobs" / name).write_text(SPREAD, "utf-8")
    outcome = process("run", f"jobs/{name}:squares", "-p", "count=4", "--json", "run.json")
    assert outcome.code == 1
    assert outcome.record.error is not None
    assert (outcome.record.error.type, outcome.record.error.message) == ("Odd", "3")


@pytest.mark.parametrize("name", ["job.daily.py", "json.py"])
def test_a_file_of_any_name_finds_its_neighbours(process: Command, directory: Path, name: str) -> None:
    """A file under another module name imports what is beside it as any file does."""
    (directory / "jobs").mkdir()
    (directory / "jobs" / "beside.py").write_text("ANSWER = 42", "utf-8")
    source = "from flowscope import flow\nfrom beside import ANSWER\n@flow\ndef ask():\n    return ANSWER\n"
    (directory / "jobs" / name).write_text(source, "utf-8")
    outcome = process("run", f"jobs/{name}:ask")
    assert outcome.code == 0
    assert "returned  42" in outcome.out


def test_no_other_file_is_a_module_of_the_command_line(directory: Path) -> None:
    """Only a file that is an entry of `sys.path` can be imported by the name that the command gives to it."""
    (directory / "other.py").write_text("from pathlib import Path\nPath('ran').touch()\n", "utf-8")
    for name in ("other", "./other", str(directory / "other")):
        with pytest.raises(ImportError):
            importlib.import_module(f"flowscope.cli.file_modules.{name}")
    assert not (directory / "ran").exists()
