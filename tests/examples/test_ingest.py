"""The ingest pipeline does what its page says, run as a user runs it: in several processes, paused and killed."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from flowscope import RunStatus
from flowscope.graph import GraphSpec, JobState

SCRIPT: Final = Path(__file__).parents[2] / "docs" / "examples" / "ingest.py"
LIMIT: Final = 400


def command(*arguments: object) -> list[str]:
    """What starts the script."""
    return [sys.executable, str(SCRIPT), *map(str, arguments)]


def run(directory: Path, *arguments: object) -> str:
    """Run the script, which succeeds without a word on standard error, and return what it prints."""
    ended = subprocess.run(command(*arguments), cwd=directory, capture_output=True, encoding="utf-8", check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


class Sums(NamedTuple):
    """What a job has found out, whoever did it, in whatever order."""

    added_up: Counter[str]
    """How often each path counts."""
    totals: dict[str, int]
    titles: dict[str, str]
    measured: int
    failed_titles: int


def batches_of(job: JobState) -> list[dict[str, Any]]:
    """The batches that it has added up."""
    return [value for key, value in job.shared_data.items() if key.startswith("batch ")]


def completed(job: JobState, routine_id: str) -> int:
    """How many messages a routine has handled."""
    return sum(one.event_name == "completed" for one in job.get_execution_history(routine_id))


def sums_of(job: JobState) -> Sums:
    """Read them from a completed job."""
    assert job.status is RunStatus.COMPLETED
    assert not job.pending_activations
    batches = batches_of(job)
    failures = [one for one in job.get_execution_history("title") if one.event_name == "error_continued"]
    return Sums(
        added_up=Counter(path for batch in batches for path in batch["processes"]),
        totals={
            name: sum(one["sums"][name] for one in batches) for name in ("lines", "functions", "classes", "broken")
        },
        titles={key: value for key, value in job.shared_data.items() if key.startswith("title ")},
        measured=completed(job, "parse") + completed(job, "skim"),
        failed_titles=len(failures),
    )


def calls_of(job: JobState) -> list[str]:
    """The paths of the files that were parsed or skimmed, as the record has them."""
    calls = [task for task in job.flow_run.tasks if task.task_name in {"parse.input", "skim.input"}]
    return [task.input_kwargs["data"]["path"] for task in calls]


def processes_of(job: JobState) -> Counter[int]:
    """How many files each process has measured."""
    return Counter(process for batch in batches_of(job) for process in batch["processes"].values())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Sums:
    """What a job finds out that is not interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    run(folder, "start", "--save-to", "job.json", "--limit", LIMIT)
    job = JobState.load(folder / "job.json")
    assert len(processes_of(job)) == 1
    sums = sums_of(job)
    assert set(sums.added_up.values()) == {1}
    assert sums.measured == len(sums.added_up) == LIMIT
    assert sums.totals["lines"] == sum(Path(path).read_bytes().count(b"\n") for path in sums.added_up)
    assert sums.failed_titles > 0
    return sums


def test_a_job_is_finished_by_a_second_process(tmp_path: Path, whole: Sums) -> None:
    """Paused on its way, it has work left; the second process does that and nothing else."""
    said = run(tmp_path, "start", "--save-to", "job.json", "--limit", LIMIT, "--pause-after", LIMIT // 4)
    paused = JobState.load(tmp_path / "job.json")
    assert paused.status is RunStatus.PAUSED
    assert f"job {paused.job_id} is paused" in said
    assert [point.reason for point in paused.pause_points] == ["far enough"]
    assert paused.pending_activations
    before = completed(paused, "parse") + completed(paused, "skim")
    assert LIMIT // 4 <= before < LIMIT
    run(tmp_path, "resume", "job.json")
    job = JobState.load(tmp_path / "job.json")
    assert job.job_id == paused.job_id
    assert sums_of(job) == whole
    assert Counter(calls_of(job)) == whole.added_up
    assert sorted(processes_of(job).values()) == sorted([before, LIMIT - before])


def test_a_killed_job_is_finished_from_its_checkpoint(tmp_path: Path, whole: Sums) -> None:
    """What the last save knows as finished is not done again; the rest is, and everything is added up once."""
    arguments = command("start", "--save-to", "job.json", "--limit", LIMIT)
    with subprocess.Popen(arguments, cwd=tmp_path, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line.split()[0]) >= LIMIT // 3:
                break
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    left = JobState.load(tmp_path / "job.json")
    assert left.status is RunStatus.RUNNING
    known = completed(left, "parse") + completed(left, "skim")
    assert known > 0
    run(tmp_path, "resume", "job.json")
    job = JobState.load(tmp_path / "job.json")
    assert sums_of(job) == whole
    assert processes_of(job)[process.pid] == known
    assert processes_of(job).total() == LIMIT


def test_the_optional_routine_fails_and_the_job_goes_on(tmp_path: Path) -> None:
    """Each of its failures is in the history, with the reason."""
    library = tmp_path / "library"
    library.mkdir()
    for number in range(25):
        (library / f"m{number:02}.py").write_text('"""Good."""\n' if number % 5 else "x = 1\n", "utf-8")
    (library / "m07.py").write_text("print 'two'\n", "utf-8")
    run(tmp_path, "start", "--save-to", "job.json", "--root", library)
    job = JobState.load(tmp_path / "job.json")
    sums = sums_of(job)
    assert sums.totals == {"lines": 25, "functions": 0, "classes": 0, "broken": 1}
    assert set(sums.titles.values()) == {"Good."}
    assert len(sums.titles) == 19
    assert job.error is None
    failures = [one for one in job.get_execution_history("title") if one.event_name == "error_continued"]
    assert len(failures) == sums.failed_titles == 5
    assert {one.data["error"]["type"] for one in failures} == {"LookupError"}


def test_without_a_command_it_does_both_halves(tmp_path: Path) -> None:
    """The report tells of two processes, and of no file that was handled twice or not at all."""
    said = run(tmp_path, "--limit", "300")
    assert "is paused" in said
    assert "files added up: 300, more than once: 0\n" in said
    found = re.search(r"^by process: (\d+): (\d+), (\d+): (\d+)$", said, re.MULTILINE)
    assert found is not None
    first, one, second, other = map(int, found.groups())
    assert first != second
    assert one + other == 300
    assert os.getpid() not in {first, second}


def test_what_cannot_be_resumed_is_refused(tmp_path: Path) -> None:
    """A job that has ended, a file that is none, and one that is not there."""
    library = tmp_path / "empty"
    library.mkdir()
    run(tmp_path, "start", "--save-to", "job.json", "--root", library)
    (tmp_path / "other.json").write_text("{}", "utf-8")
    (tmp_path / "other.graph.json").write_bytes((tmp_path / "job.graph.json").read_bytes())
    for name, reason in (("job.json", "completed"), ("other.json", "not the file of a job"), ("none.json", "No such")):
        ended = subprocess.run(
            command("resume", name), cwd=tmp_path, capture_output=True, encoding="utf-8", check=False
        )
        assert ended.returncode == 1
        assert reason in ended.stderr
        assert ended.stderr.count("\n") == 1


def test_the_graph_stands_beside_the_job(tmp_path: Path) -> None:
    """Its spec names the classes of the script and of the library, and no folder but the one it reads."""
    run(tmp_path, "start", "--save-to", "job.json", "--limit", "25")
    spec = GraphSpec.model_validate_json((tmp_path / "job.graph.json").read_bytes())
    assert {one.id: one.type.rpartition(":")[2] for one in spec.routines} == {
        "discover": "Discover", "by_size": "ConditionalRouter", "parse": "Parse", "skim": "Skim", "title": "Title",
        "batches": "Aggregator", "summary": "Summary",
    }  # fmt: skip
    assert [one.id for one in spec.routines if one.optional] == ["title"]
    assert len(spec.connections) == 7
    assert {path.name for path in tmp_path.iterdir()} == {"job.json", "job.graph.json"}
