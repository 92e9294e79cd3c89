"""Jobs that are saved while they run: when, what is in the file, and what becomes of them when their process is killed."""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# Handlers are lambdas here, and a message tells no types.

import random
import signal
import subprocess
import sys
import threading
from collections import Counter as Multiset
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowscope import FlowEvent, RunStatus, flow_events
from flowscope.graph import ErrorHandler, ErrorStrategy, GraphError, JobState, Routine, RoutineGraph
from support.graph.routines import BOUND, Counter, Gate, Hold, Source, begun, called, graph_of, values_of

MODES = ["sequential", "concurrent"]
COUNT = 40


def _run_until(bytes_read: int | None, *args: object) -> int:
    """Run a job in a process, which is killed when so many handlers have told that they were called; its exit code."""
    command = [sys.executable, "-m", "tests.support.graph.job_process", "run", *map(str, args)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])  # noqa: S603 - this very test's
    assert process.stdout is not None
    with process.stdout as told:
        if bytes_read is None:
            told.read()
        else:
            told.read(bytes_read)
            process.send_signal(signal.SIGKILL)
    return process.wait(BOUND)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize(
    ("mode", "kind", "seed"),
    [
        ("sequential", "sync", 0),
        ("sequential", "sync", 1),
        ("sequential", "async", 2),
        ("concurrent", "sync", 3),
        ("concurrent", "async", 4),
        ("concurrent", "async", 5),
    ],
)
def test_a_job_that_is_killed_at_any_moment_goes_on(mode: str, kind: str, seed: int, tmp_path: Path) -> None:
    """Again and again: what a checkpoint knows as finished is not repeated, nothing is lost, and the sum is right."""
    chance = random.Random(seed)
    file, trace = tmp_path / "job.json", tmp_path / "trace"
    trace.touch()
    known: set[str] = set()
    seen = 0
    for kill_after in [chance.randrange(1, 12), chance.randrange(0, 12), chance.randrange(0, 12), None]:
        code = _run_until(kill_after, file, trace, kind, mode, COUNT)
        assert code in {0, -signal.SIGKILL}
        lines = trace.read_text().split()
        assert not known & set(lines[seen:])
        seen = len(lines)
        job = JobState.load(file)
        known = {str(one.data["value"]) for one in job.get_execution_history("work") if one.event_name == "out"}
        if code == 0:
            break
        assert job.status == RunStatus.RUNNING
    assert job.status == RunStatus.COMPLETED
    assert not job.pending_activations
    assert {int(value) for value in lines} == set(range(COUNT))
    assert [one.data for one in job.merges] == [{"total": sum(range(COUNT))}]
    totals = [entry["total"] for entry in job.shared_log]
    assert max(totals) == sum(range(COUNT))
    if mode == "sequential":
        assert totals == [sum(range(value + 1)) for value in range(COUNT)]
    finished = Multiset(one.routine_id for one in job.execution_history if one.event_name == "completed")
    assert finished == {"numbers": 1, "work": COUNT, "total": COUNT}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("every", [1, 3, 100])
def test_a_job_is_saved_after_so_many_activations(mode: Any, every: int, tmp_path: Path) -> None:
    """From its start, after each so many, and at its end: seen by handlers that look into the file."""
    file = tmp_path / "job"
    finished: list[int] = []

    def look(value: int) -> None:
        with lock:
            events = [one.event_name for one in JobState.load(file).execution_history]
            finished.append(events.count("completed"))

    lock = threading.Lock()
    graph = graph_of(Source(count=12), called(look), execution_strategy=mode, max_workers=1)
    graph.execute("a", save_to=file, save_every=every)
    assert finished == [number // every * every for number in range(1, 13)]
    assert JobState.load(file).status == RunStatus.COMPLETED


def test_without_a_number_a_quick_job_is_saved_after_each(tmp_path: Path) -> None:
    """At least at its start, at a pause and at its end, and however often that is, the file is whole."""

    def handler(value: int) -> None:
        assert JobState.load(file).status == RunStatus.RUNNING
        if value == 5:
            graph.pause(routine.job)

    file = tmp_path / "job"
    routine = called(handler)
    graph = graph_of(Source(count=12), routine)
    job = graph.execute("a", save_to=file)
    loaded = JobState.load(file)
    assert loaded.status == RunStatus.PAUSED
    assert [one.data for one in loaded.pending_activations] == [one.data for one in job.pending_activations]
    assert graph.resume(job, save_to=file).status == RunStatus.COMPLETED
    assert JobState.load(file).status == RunStatus.COMPLETED


def test_a_number_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    """And nothing is started, written or resumed."""

    def handler() -> None:
        routine.emit("out", value=1)
        graph.pause(routine.job)

    routine = called(handler, "out")
    graph = graph_of(routine, Counter())
    job = graph.execute("a")
    before = job.model_dump_json()
    refused: list[Callable[[], object]] = [
        lambda: graph.start("a", save_to=tmp_path / "x", save_every=0),
        lambda: graph.resume(job, save_to=tmp_path / "x", save_every=-1),
    ]
    for one in refused:
        with pytest.raises(GraphError, match="save_every"):
            one()
    assert job.model_dump_json() == before
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("mode", MODES)
def test_a_value_that_cannot_be_saved_fails_a_job_that_is_saved(mode: Any, tmp_path: Path) -> None:
    """Clearly, with the work that is left listed; a job that is not saved takes it as any value."""
    seen: list[object] = []

    def handler(value: int) -> None:
        routine.emit("out", value=object() if value == 1 else value)

    routine = called(handler, "out")
    graph = graph_of(Source(count=3), routine, called(lambda value: seen.append(value)), execution_strategy=mode)
    job = graph.execute("a", save_to=tmp_path / "job", save_every=1)
    assert job.status == RunStatus.FAILED
    assert job.error is not None
    assert job.error.type == "GraphError"
    assert "object" in job.error.message
    assert "value" in job.error.message
    assert any(type(one.data["value"]) is object for one in job.pending_activations)
    left = JobState.load(tmp_path / "job")
    assert left.status == RunStatus.RUNNING
    assert {one.data.get("value") for one in left.pending_activations} <= {0, 1, 2}
    seen.clear()
    assert graph.execute("a").status == RunStatus.COMPLETED
    assert len(seen) == 3


def _unwritable(folder: Path) -> list[Path]:
    """Paths where nothing can be written, for anybody."""
    (folder / "file").touch()
    (folder / "folder").mkdir()
    (folder / "folder" / "something").touch()
    return [folder / "file" / "job", folder / "folder", folder / ("x" * 300)]


def test_saving_where_nothing_can_be_written_leaves_things_as_they_were(tmp_path: Path) -> None:
    """The error is the system's; no bits are left lying about, and the job is as it was."""
    paths = _unwritable(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    job = JobState(flow_id="g")
    for path in paths:
        with pytest.raises(OSError):
            job.save(path)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_job_whose_checkpoints_cannot_be_written_fails_before_it_begins(tmp_path: Path) -> None:
    """No handler is called, and its work is listed."""
    seen: list[int] = []
    graph = graph_of(called(lambda: seen.append(1)))
    for path in _unwritable(tmp_path):
        job = graph.execute("a", save_to=path)
        assert job.status == job.flow_run.status == RunStatus.FAILED
        assert job.error is not None
        assert [one.routine_id for one in job.pending_activations] == ["a"]
    assert not seen


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled", "paused"])
def test_a_last_checkpoint_that_cannot_be_written_changes_no_status(end: str, tmp_path: Path) -> None:
    """What somebody has been told of the end of a job stays true; the file is the one before, and the error is kept."""
    file, aside = tmp_path / "job", tmp_path / "aside"
    gate = Gate()
    told: list[RunStatus] = []

    def handler() -> None:
        gate.pass_through()
        if end == "failed":
            raise LookupError

    def listener(event: FlowEvent) -> None:
        if event.event_type == "flow_stop":
            told.append(job.status)
            file.rename(aside)
            file.mkdir()
            (file / "something").touch()

    graph = graph_of(called(handler))
    with flow_events.subscribe(listener):
        job = graph.start("a", save_to=file, save_every=100)
        gate.wait_entered()
        if end == "cancelled":
            graph.cancel(job)
        elif end == "paused":
            graph.pause(job)
        gate.open()
        assert graph.wait_for_completion(job, BOUND)
    assert told == [end]
    assert job.status == end
    assert job.flow_run.status == end
    assert job.error is not None
    assert JobState.load(aside).status == RunStatus.RUNNING


def test_saves_of_many_threads_are_whole_files(tmp_path: Path) -> None:
    """To one path, while the job runs and is saved there itself: whoever loads gets a job, and nothing else is left."""
    file = tmp_path / "job"
    graph = graph_of(Source(count=40), Hold(_open_gate()), Counter(), execution_strategy="concurrent")
    job = graph.start("a", save_to=file, save_every=5)

    def save() -> None:
        for _ in range(10):
            assert JobState.load(job.save(file)).job_id == job.job_id

    for one in [begun(save) for _ in range(4)]:
        one.result(BOUND)
    assert graph.wait_for_completion(job, BOUND)
    assert JobState.load(job.save(file)).status == RunStatus.COMPLETED
    assert list(tmp_path.iterdir()) == [file]


def _open_gate() -> Gate:
    gate = Gate()
    gate.open()
    return gate


_OVERTAKING = """
import sys, threading
from flowscope.graph import JobState
from tests.support.graph.routines import BOUND, begun

job = JobState(flow_id="g")
job.update_shared_data("number", 1)
replacing, second, held = threading.Event(), threading.Event(), []

def hook(event, args):
    if event == "os.rename" and not held:
        held.append(args)
        replacing.set()
        second.wait(0.5)  # in vain, if the other one has to wait for this one

def late():
    job.update_shared_data("number", 2)
    job.save(sys.argv[1])
    second.set()

sys.addaudithook(hook)
early = begun(job.save, sys.argv[1])
assert replacing.wait(BOUND)
begun(late).result(BOUND)
early.result(BOUND)
print(JobState.load(sys.argv[1]).get_shared_data("number"))
"""
"""The first of two saves is held just before its file takes its place."""


def test_a_later_save_is_not_overwritten_by_an_earlier_one(tmp_path: Path) -> None:
    """However long that takes to put its file in place: what a file knows it does not forget."""
    command = [sys.executable, "-c", _OVERTAKING, str(tmp_path / "job")]
    done = subprocess.run(  # noqa: S603 - this very test's
        command, check=True, capture_output=True, text=True, timeout=BOUND * 2, cwd=Path(__file__).parents[2]
    )
    assert done.stdout == "2\n"


@pytest.mark.parametrize("kind", ["sync", "async", "merge"])
def test_a_job_may_be_saved_from_inside(kind: str, tmp_path: Path) -> None:
    """By its handlers and merge functions: the file goes on from there by itself."""
    file = tmp_path / "job"
    jobs: list[JobState] = []

    def first() -> None:
        jobs.append(routine.job)
        if kind == "sync":
            routine.job.save(file)
        routine.emit("out", value=1)

    async def first_async() -> None:
        first()
        routine.job.save(file)

    def merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        if kind == "merge" and not file.exists():
            jobs[0].save(file)
        return new

    routine, end = called(first_async if kind == "async" else first, "out"), Routine()
    end.define_slot("input", lambda value: end.job.append_to_shared_log({"value": value}), merge)
    graph = graph_of(routine, end)
    job = graph.execute("a")
    assert job.status == RunStatus.COMPLETED
    assert values_of(job) == [1]
    loaded = JobState.load(file)
    assert loaded.status == RunStatus.RUNNING
    assert ("a", {}) in [(one.routine_id, one.data) for one in loaded.pending_activations]
    assert graph.resume(loaded).status == RunStatus.COMPLETED
    assert 1 in values_of(loaded)


@pytest.mark.parametrize("mode", MODES)
def test_a_retry_that_waits_is_in_the_file_with_its_attempt(mode: Any, tmp_path: Path) -> None:
    """Elsewhere it goes on with that attempt, at once, and no more of them than there would have been."""
    file = tmp_path / "job"
    calls: list[int] = []
    graphs: list[RoutineGraph] = []

    def fail() -> None:
        calls.append(1)
        raise ValueError

    for delay in (3600, 0):
        handler = ErrorHandler(strategy=ErrorStrategy.RETRY, max_retries=2, retry_delay=delay)
        graph = graph_of(called(fail).set_error_handler(handler), flow_id="g", execution_strategy=mode, max_workers=1)
        graph.add_routine(called(lambda: None), "other")
        graphs.append(graph)
    job = graphs[0].start("a", save_to=file, save_every=1)
    graphs[0].execute("other")  # in the same thread, when that is through with the first attempt
    loaded = JobState.load(file)
    assert loaded.status == job.status == RunStatus.RUNNING
    assert [one.attempt for one in loaded.pending_activations] == [2]
    graphs[0].pause(job)
    assert [one.attempt for one in job.pending_activations] == [2]
    assert graphs[1].resume(loaded).status == RunStatus.FAILED
    assert len(calls) == 3
    assert loaded.routine_states["a"].retry_count == 2


@pytest.mark.parametrize("how", ["shutdown", "late shutdown", "error in the block"])
@pytest.mark.parametrize("mode", MODES)
def test_a_graph_that_goes_pauses_the_jobs_that_are_saved(mode: Any, how: str, tmp_path: Path) -> None:
    """Each goes on from its file, once; the others are cancelled."""
    gate = Gate()
    graph = graph_of(Source(count=5), Hold(gate), Counter(), flow_id="g", execution_strategy=mode, max_workers=2)
    files = [tmp_path / str(number) for number in range(3)]
    saved = [graph.start("a", save_to=file) for file in files]
    unsaved = graph.start("a")
    gate.wait_entered()
    if how == "error in the block":
        with pytest.raises(LookupError), graph:
            raise LookupError
    else:
        graph.shutdown(wait=how != "shutdown", timeout=0.01)
    assert unsaved.status == RunStatus.CANCELLED
    gate.open()
    for job, file in zip(saved, files, strict=True):
        assert graph.wait_for_completion(job, BOUND)
        assert job.status == RunStatus.PAUSED
        other = graph_of(Source(count=5), Hold(_open_gate()), Counter(), flow_id="g", execution_strategy=mode)
        resumed = other.resume(JobState.load(file))
        assert resumed.status == RunStatus.COMPLETED
        assert sorted(values_of(resumed)) == list(range(5))


def test_files_grow_with_the_job_alone(tmp_path: Path) -> None:
    """So much for each activation, however many there are, and however often it is saved, paused and loaded."""

    def size(count: int) -> int:
        graph = graph_of(Source(count=count), Counter())
        return graph.execute("a").save(tmp_path / str(count)).stat().st_size

    small, large = size(100), size(1_000)
    assert large < 11 * small
    job = JobState.load(tmp_path / "1000")
    assert abs(job.save(tmp_path / "again").stat().st_size - large) < 10
