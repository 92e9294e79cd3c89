"""`--json FILE`: the run record, written whole or not at all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flowscope import FlowRun, RunStatus

from .conftest import Command


def test_the_record_loads_back(process: Command) -> None:
    """The file holds the record of the run, with its tasks and what it was given."""
    outcome = process("run", "flows:calculate", "-p", "number=10", "--json", "run.json")
    assert outcome.code == 0
    record = outcome.record
    assert record.status is RunStatus.COMPLETED
    assert record.flow_name == "calculate"
    assert record.params == {"number": 10}
    assert record.return_value == 40
    assert [task.task_name for task in record.tasks] == ["quadruple", "double", "double"]
    assert "run.json" in outcome.out


@pytest.mark.parametrize("name", ["nowhere/run.json", "flows.py/run.json", "."])
def test_a_file_that_cannot_be_is_refused_before_anything_runs(command: Command, name: str) -> None:
    """A directory that does not exist, or is none, and a file that is a directory exit with 2 and no run."""
    outcome = command("run", "flows:Ingest", "-p", "source=a", "--json", name)
    assert outcome.code == 2
    assert outcome.err.startswith("error: cannot write ")
    assert outcome.err.count("\n") == 1
    assert not outcome.ran


def test_an_older_record_stays_until_the_new_one_is_whole(command: Command, directory: Path) -> None:
    """While the flow runs the file is as it was; afterwards it is replaced, and nothing else is left behind."""
    source = "from pathlib import Path\nfrom flowscope import flow\n"
    source += "@flow\ndef peek():\n    return Path('run.json').read_text()\n"
    (directory / "peeking.py").write_text(source, "utf-8")
    (directory / "run.json").write_text("older", "utf-8")
    before = {path.name for path in directory.iterdir()}
    outcome = command("run", "peeking.py:peek", "--json", "run.json")
    assert outcome.code == 0
    assert outcome.record.return_value == "older"
    assert {path.name for path in directory.iterdir()} - {"__pycache__"} == before


def test_a_record_that_cannot_be_written_in_the_end_is_told(command: Command, directory: Path) -> None:
    """A directory that the flow itself removes makes the command exit with 2."""
    source = "import shutil\nfrom flowscope import flow\n@flow\ndef remove():\n    shutil.rmtree('out')\n"
    (directory / "removing.py").write_text(source, "utf-8")
    (directory / "out").mkdir()
    outcome = command("run", "removing.py:remove", "--json", "out/run.json")
    assert outcome.code == 2
    assert "cannot write 'out/run.json'" in outcome.err


def test_a_link_stays_a_link(command: Command, directory: Path) -> None:
    """A symbolic link is followed: the file behind it is replaced."""
    (directory / "real.json").touch()
    (directory / "run.json").symlink_to("real.json")
    assert command("run", "flows:calculate", "--json", "run.json").code == 0
    assert (directory / "run.json").is_symlink()
    assert FlowRun.model_validate_json((directory / "real.json").read_text("utf-8")).return_value == 4


def test_the_file_has_ordinary_permissions(command: Command, directory: Path) -> None:
    """A new file may be read by whoever may read other new files."""
    (directory / "other").touch()
    assert command("run", "flows:calculate", "--json", "run.json").code == 0
    assert (directory / "run.json").stat().st_mode == (directory / "other").stat().st_mode


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o444])
@pytest.mark.parametrize("linked", [False, True], ids=["file", "link"])
def test_a_file_that_is_replaced_hands_on_its_mode(command: Command, directory: Path, mode: int, linked: bool) -> None:
    """A private record stays private, and a shared one shared, also behind a link, whatever the umask is."""
    file = directory / ("real.json" if linked else "run.json")
    file.touch()
    file.chmod(mode)
    if linked:
        (directory / "run.json").symlink_to("real.json")
    assert command("run", "flows:calculate", "--json", "run.json").code == 0
    assert file.stat().st_mode & 0o777 == mode
    assert FlowRun.model_validate_json(file.read_text("utf-8")).return_value == 4


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files away")
def test_a_file_that_is_replaced_keeps_its_owner(command: Command, directory: Path) -> None:
    """What root writes over is still the file of whom it belonged to."""
    (directory / "run.json").touch(0o600)
    os.chown(directory / "run.json", 12_345, 23_456)
    assert command("run", "flows:calculate", "--json", "run.json").code == 0
    found = (directory / "run.json").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (12_345, 23_456, 0o600)


@pytest.mark.parametrize("name", ["loop.json", "x" * 300, "loop.json/run.json"])
def test_a_path_that_cannot_be_is_refused_in_one_line(command: Command, directory: Path, name: str) -> None:
    """A loop of links, or a name that is too long, exits with 2 and no run."""
    (directory / "loop.json").symlink_to("loop.json")
    outcome = command("run", "flows:Ingest", "-p", "source=a", "--json", name)
    assert outcome.code == 2
    assert outcome.err.startswith("error: cannot write ")
    assert outcome.err.count("\n") == 1
    assert not outcome.ran


def test_a_long_name_is_a_name(command: Command, directory: Path) -> None:
    """A file may have the longest name that its directory takes."""
    assert command("run", "flows:calculate", "--json", "x" * 250 + ".json").code == 0
    assert FlowRun.model_validate_json((directory / ("x" * 250 + ".json")).read_text("utf-8")).return_value == 4


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("target", ["flows:calculate", "flows:failing"])
def test_a_full_disk_is_a_clear_error_after_the_outcome(command: Command, target: str) -> None:
    """The summary, and the traceback of a flow that failed, are shown all the same; the exit code is 2."""
    outcome = command("run", target, "--json", "/dev/full")
    assert outcome.code == 2
    assert outcome.err.endswith("\nerror: cannot write '/dev/full': No space left on device\n")
    assert outcome.err.count("error: ") == 1
    assert ("LookupError: nothing there" in outcome.err) == (target == "flows:failing")
    assert f"{target.removeprefix('flows:')} " in outcome.out
    assert "record " not in outcome.out


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_written_to(directory: Path) -> None:
    """A pipe is not replaced: whoever reads it gets the record."""
    os.mkfifo(directory / "pipe")
    with subprocess.Popen(
        [sys.executable, "-m", "flowscope.cli", "run", "flows:calculate", "--json", "pipe"],
        cwd=directory,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        record = FlowRun.model_validate_json((directory / "pipe").read_text("utf-8"))
    assert process.returncode == 0
    assert record.return_value == 4


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="there is no file that is the standard output")
def test_a_pipe_without_a_name_is_written_to(directory: Path) -> None:
    """The standard output, where another command reads it, is one."""
    run = subprocess.run(
        [sys.executable, "-m", "flowscope.cli", "run", "flows:calculate", "--json", "/dev/stdout"],
        cwd=directory,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    assert b'"return_value": 4' in run.stdout
