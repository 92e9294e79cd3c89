"""Jobs in files: saved, loaded, resumed elsewhere, and checkpoints that survive a kill."""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# Handlers are lambdas here, and a message tells no types.

import copy
import json
import pickle
import subprocess
import sys
from collections import Counter as Multiset
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from flowscope import RunStatus
from flowscope.graph import ErrorHandler, ErrorStrategy, GraphError, JobState, Routine, RoutineGraph
from support.graph.job_process import STEPS, build
from support.graph.routines import BOUND, Counter, Gate, Hold, Source, begun, called, graph_of, values_of


def _in_process(what: str, *args: object) -> int:
    command = [sys.executable, "-m", "tests.support.graph.job_process", what, *map(str, args)]
    root = Path(__file__).parents[2]
    return subprocess.run(command, check=False, timeout=BOUND * 2, cwd=root).returncode  # noqa: S603 - this very test's


def _worked(trace: Path) -> list[int]:
    return [int(line) for line in trace.read_text().split()]


def _totals(job: JobState) -> list[int]:
    return [entry["total"] for entry in job.shared_log]


EXPECTED = [sum(range(value + 1)) for value in range(STEPS)]


def test_a_job_goes_on_in_another_process(tmp_path: Path) -> None:
    """Paused and saved there, resumed elsewhere, it does each piece of work once, with its merges and record."""
    file, trace = tmp_path / "deep" / "job.json", tmp_path / "trace"
    assert _in_process("pause", file, trace, 4) == 0
    paused = JobState.load(file)
    assert paused.status == RunStatus.PAUSED
    assert _in_process("resume", file, trace) == 0
    job = JobState.load(file)
    assert job.status == RunStatus.COMPLETED
    assert job.job_id == paused.job_id
    assert _worked(trace) == list(range(STEPS))
    assert _totals(job) == EXPECTED
    assert Multiset(task.task_name for task in job.flow_run.tasks) == {
        "numbers.trigger": 1, "work.trigger": STEPS, "total.input": STEPS,
    }  # fmt: skip
    with pytest.raises(GraphError, match="completed"):
        build(str(trace)).resume(job)


@pytest.mark.parametrize("every", [1, 3])
def test_a_killed_job_goes_on_from_its_checkpoint(tmp_path: Path, every: int) -> None:
    """Nothing is lost; what was finished by the last checkpoint is not done again, and sums are right."""
    file, trace = tmp_path / "job.json", tmp_path / "trace"
    assert _in_process("kill", file, trace, 6, every) == -9
    left = JobState.load(file)
    assert left.status == RunStatus.RUNNING
    assert _in_process("resume", file, trace) == 0
    job = JobState.load(file)
    assert job.status == RunStatus.COMPLETED
    worked = Multiset(_worked(trace))
    assert set(worked) == set(range(STEPS))
    assert sum(worked.values()) <= STEPS + every
    assert worked[6] == 2
    assert _totals(job) == EXPECTED


def test_the_checkpoint_of_a_job_that_has_ended_says_so(tmp_path: Path) -> None:
    """However many activations were since the last one; so nothing of it is run again."""
    for name, routine, status in (
        ("good", called(lambda: None), "completed"),
        ("bad", called(lambda missing: missing), "failed"),
    ):
        file = tmp_path / name
        graph = graph_of(routine, flow_id="g")
        graph.execute("a", save_to=file, save_every=1000)
        loaded = JobState.load(file)
        assert loaded.status == loaded.flow_run.status == status
        assert loaded.flow_run.end_time is not None
        with pytest.raises(GraphError, match=status):
            graph.resume(loaded)


def test_a_checkpoint_is_there_from_the_start(tmp_path: Path) -> None:
    """While the first handler runs, the file has it as pending, with the time that is left."""
    gate = Gate()
    graph = graph_of(Hold(gate), Counter())
    job = graph.start("a", {"value": 5}, timeout=100, save_to=tmp_path / "job")
    gate.wait_entered()
    loaded = JobState.load(tmp_path / "job")
    assert [(one.routine_id, one.data) for one in loaded.pending_activations] == [("a", {"value": 5})]
    assert loaded.remaining_time is not None
    assert 90 < loaded.remaining_time <= 100
    gate.open()
    assert graph.wait_for_completion(job, BOUND)


def test_what_a_failed_attempt_emitted_is_not_sent_with_checkpoints(tmp_path: Path) -> None:
    """A later attempt emits it; a failure that is tolerated sends what there was."""
    attempts: list[int] = []

    def handler() -> None:
        attempts.append(1)
        routine.emit("out", value=len(attempts))
        if len(attempts) % 2:
            raise ValueError

    for strategy, expected in ((ErrorStrategy.RETRY, [2]), (ErrorStrategy.CONTINUE, [1]), (ErrorStrategy.SKIP, [1])):
        attempts.clear()
        routine = called(handler, "out").set_error_handler(ErrorHandler(strategy=strategy, retry_delay=0))
        job = graph_of(routine, Counter()).execute("a", save_to=tmp_path / "job")
        assert job.status == RunStatus.COMPLETED
        assert [entry["value"] for entry in job.shared_log] == expected


def test_messages_come_back_as_what_they_were(tmp_path: Path) -> None:
    """Dates, tuples, sets, bytes and the like in kept work and shared data."""
    values: dict[str, Any] = {
        "date": datetime(2024, 1, 2, tzinfo=UTC), "tuple": (1, (2,)), "set": {1, 2}, "bytes": b"\xff", "path": Path("a"),
        "decimal": Decimal("1.10"), "id": UUID(int=7), "nested": {"list": [{"a": None}, 1.5]}, "big": 2**70,
        "numbers": {1: "one"}, "marked": {"$type": "tuple"}, "inf": float("inf"), "text": "é\n\x00",
    }  # fmt: skip

    def handler() -> None:
        routine.job.update_shared_data("values", values)
        routine.job.add_deferred_event("a", "out", values)
        routine.emit("out", **values)
        graph.pause(routine.job)

    routine = called(handler, "out")
    graph = graph_of(routine, called(lambda **kwargs: None), flow_id="g")
    job = JobState.load(graph.execute("a").save(tmp_path / "job"))
    assert job.pending_activations[0].data == job.get_shared_data("values") == job.deferred_events[0].data == values
    assert JobState.model_validate_json(job.model_dump_json()).pending_activations[0].data == values


def test_a_job_equals_its_file_and_its_copies(tmp_path: Path) -> None:
    """As long as the same is known of both; to anything else it is unequal."""

    def handler() -> None:
        routine.job.update_shared_data("seen", {1, 2})
        routine.emit("out", value=[1, 2])
        graph.pause(routine.job, "half-way")

    routine = called(handler, "out")
    graph = graph_of(routine, Counter(), flow_id="g")
    job = graph.execute("a")
    for same in (job, JobState.load(job.save(tmp_path / "job")), copy.deepcopy(job), pickle.loads(pickle.dumps(job))):
        assert job == same
        assert same == job
    assert job != graph.execute("a")
    assert job != job.model_dump()
    before = copy.deepcopy(job)
    job.update_shared_data("seen", {1})
    assert job != before


def test_saving_what_would_not_come_back_is_an_error(tmp_path: Path) -> None:
    """It names the thing, and the file is as it was; a job with checkpoints fails."""
    job = JobState(flow_id="g")
    file = job.save(tmp_path / "job")
    before = file.read_bytes()
    job.update_shared_data("thing", object())
    with pytest.raises(GraphError, match="thing"):
        job.save(file)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]
    failed = graph_of(called(lambda thing: None)).execute("a", {"thing": object()}, save_to=file)
    assert failed.status == RunStatus.FAILED
    assert failed.error is not None
    assert "thing" in failed.error.message


def test_loading_something_else_is_an_error(tmp_path: Path) -> None:
    """A missing file, no JSON, other JSON and another version."""
    with pytest.raises(FileNotFoundError):
        JobState.load(tmp_path / "none")
    for number, text in enumerate(["", "{", "[]", "{}", '{"flow_id": "g", "version": 2}', '{"flow_id": "g", "x": 1}']):
        file = tmp_path / str(number)
        file.write_text(text)
        with pytest.raises(GraphError, match="not the file of a job"):
            JobState.load(file)


_DAMAGED: list[Any] = [
    {"$type": "datetime", "$value": "x"}, {"$type": "timedelta", "$value": None}, {"$type": "tuple", "$value": 5},
    {"$type": "bytes", "$value": 5}, {"$type": "bytes", "$value": "x"}, {"$type": "decimal", "$value": "x"},
    {"$type": ["x"], "$value": 1}, {"$type": "set", "$value": [[1]]}, {"$type": "dict", "$value": [1]},
    {"$type": "dict", "$value": [[[1], 2]]}, {"$type": "nothing", "$value": 1}, {"$type": "uuid", "$value": "x"},
    {"$type": "float", "$value": "x"}, {"$type": "path", "$value": 3}, {"$type": "tuple"}, {"$type": "date"},
]  # fmt: skip


@pytest.mark.parametrize("form", _DAMAGED, ids=json.dumps)
def test_a_damaged_value_is_an_error_of_the_file(form: Any, tmp_path: Path) -> None:
    """Wherever it stands, and whatever is wrong with it."""
    whole = json.loads(JobState(flow_id="g").model_dump_json())
    message = {"routine_id": "a", "slot": "trigger", "data": {"value": form}}
    file = tmp_path / "job"
    for changes in (
        {"shared_data": {"value": form}},
        {"pending_activations": [message]},
        {"shared_log": [{"x": [form]}]},
    ):
        file.write_text(json.dumps({**whole, **changes}))
        with pytest.raises(GraphError, match="not the file of a job"):
            JobState.load(file)


def test_a_file_that_was_cut_off_is_an_error(tmp_path: Path) -> None:
    """Wherever that was; and so is one that is no text."""
    file = graph_of(Source(), Counter()).execute("a").save(tmp_path / "job")
    whole = file.read_bytes().rstrip()
    for length in range(0, len(whole), max(1, len(whole) // 50)):
        file.write_bytes(whole[:length])
        with pytest.raises(GraphError, match="not the file of a job"):
            JobState.load(file)
    for other in (b"\xff\xfe", b"\x80abc", b"[" * 100_000):
        file.write_bytes(other)
        with pytest.raises(GraphError, match="not the file of a job"):
            JobState.load(file)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "resting"),
        ("execution_strategy", "parallel"),
        ("priority", 7),
        ("version", 2),
        ("unknown", 1),
        ("pending_activations", [{"routine_id": "a"}]),
        ("pending_activations", [{"routine_id": "a", "slot": "trigger", "data": [1]}]),
        ("deferred_events", 5),
        ("created_at", "yesterday"),
    ],
)
def test_a_field_that_makes_no_sense_is_an_error(field: str, value: object, tmp_path: Path) -> None:
    """It is named."""
    file = JobState(flow_id="g").save(tmp_path / "job")
    file.write_text(json.dumps({**json.loads(file.read_text()), field: value}))
    with pytest.raises(GraphError, match=field):
        JobState.load(file)


def _ended(how: str) -> JobState:
    """A job that has come to an end, with some of everything."""

    def handler(value: int) -> None:
        print("value", value)
        job = routine.job
        job.update_shared_data("seen", (1, 2))
        if value == 1 and how == "paused":
            graph.pause(job, "there", {"value": value})
            job.add_deferred_event("b", "out", {"value": 9})
        if value == 1 and how == "cancelled":
            graph.cancel(job)
        if value == 1 and how == "failed":
            raise LookupError("no")
        routine.emit("out", value=value)

    routine, end = called(handler, "out"), Routine()
    end.define_slot("input", lambda value: None, merge_strategy="append")
    graph = graph_of(Source(count=3), routine, end, flow_id="g")
    return graph.execute("a")


_COPIES: dict[str, Callable[[JobState], JobState]] = {
    "json": lambda job: JobState.model_validate_json(job.model_dump_json()),
    "dump": lambda job: JobState.model_validate(job.model_dump()),
    "pickle": lambda job: pickle.loads(pickle.dumps(job)),  # noqa: S301 - it is its own
    "deepcopy": copy.deepcopy,
    "deep model copy": lambda job: job.model_copy(deep=True),
}


@pytest.mark.parametrize("how", ["completed", "failed", "cancelled", "paused"])
@pytest.mark.parametrize("way", _COPIES)
def test_a_job_comes_back_from_all_ways_of_copying_it(way: str, how: str) -> None:
    """With its record, and all that was kept; the copy is a job of its own, that can be looked at and resumed."""
    job = _ended(how)
    assert job.status == how
    made = _COPIES[way](job)
    assert made.model_dump_json() == job.model_dump_json()
    assert made.flow_run.model_dump_json() == job.flow_run.model_dump_json()
    assert made.flow_run.status == how
    made.append_to_shared_log({"value": 1})
    made.update_shared_data("other", 1)
    assert not job.shared_log
    assert job.get_shared_data("other") is None
    if how == "paused":
        assert [one.data for one in made.pending_activations] == [one.data for one in job.pending_activations]
        end = Routine()
        end.define_slot("input", lambda value: None)
        other = graph_of(Source(count=3), called(lambda value: None, "out"), end, flow_id="g")
        assert other.resume(made).status == RunStatus.COMPLETED
        assert job.status.value == "paused"


@pytest.mark.parametrize("way", _COPIES)
def test_a_copy_of_a_running_job_has_its_work(way: str) -> None:
    """All that is not finished is pending in it; it goes on by itself, and the job goes on without it."""
    gate = Gate()
    graph = graph_of(Source(count=3), Hold(gate), Counter(), flow_id="g")
    job = graph.start("a")
    gate.wait_entered()
    made = _COPIES[way](job)
    assert [one.data["value"] for one in made.pending_activations] == [0, 1, 2]
    gate.open()
    assert graph.wait_for_completion(job, BOUND)
    assert not values_of(made)
    assert graph.resume(made).status == RunStatus.COMPLETED
    assert values_of(made) == values_of(job) == [0, 1, 2]


def test_a_running_job_can_be_looked_at_from_many_threads() -> None:
    """As JSON, as a record, as a copy: none of it disturbs it, or is disturbed."""
    graph = graph_of(Source(count=300), Counter(), execution_strategy="concurrent")
    job = graph.start("a")

    def look() -> None:
        for _ in range(15):
            loaded = JobState.model_validate_json(job.model_dump_json())
            done = {entry["value"] for entry in loaded.shared_log}
            left = {one.data["value"] for one in loaded.pending_activations if one.routine_id == "b"}
            if any(one.event_name == "completed" for one in loaded.get_execution_history("a")):
                assert done | left == set(range(300))
            assert job.flow_run.status in {RunStatus.RUNNING, RunStatus.COMPLETED}
            job.performance()
            copy.deepcopy(job)

    for one in [begun(look) for _ in range(3)]:
        one.result(BOUND)
    assert graph.wait_for_completion(job, BOUND)
    assert sorted(values_of(job)) == list(range(300))


def test_a_failed_merge_is_still_one_after_a_pause(tmp_path: Path) -> None:
    """What went wrong before the handler was reached is kept with the message."""

    def refuse(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        raise LookupError("no merge")

    def handler() -> None:
        routine.emit("out", value=1)
        graph.pause(routine.job)

    routine = called(handler, "out")
    end = Routine()
    end.define_slot("input", lambda: None, merge_strategy=refuse)
    graph = graph_of(routine, end)
    job = JobState.load(graph.execute("a").save(tmp_path / "job"))
    assert graph.resume(job).status == RunStatus.FAILED
    assert job.error is not None
    assert "no merge" in job.error.message


def test_a_job_can_be_saved_at_any_moment(tmp_path: Path) -> None:
    """What runs and what waits is pending in the file, which goes on by itself."""
    gate = Gate()
    graph = graph_of(Source(count=3), Hold(gate), Counter(), flow_id="g")
    job = graph.start("a")
    gate.wait_entered()
    copy = JobState.load(job.save(tmp_path / "job"))
    assert [one.data["value"] for one in copy.pending_activations] == [0, 1, 2]
    gate.open()
    assert graph.resume(copy).status == RunStatus.COMPLETED
    assert graph.wait_for_completion(job, BOUND)
    for one in (job, copy):
        assert [entry["value"] for entry in one.shared_log] == [0, 1, 2]


def test_a_graph_rebuilt_from_its_spec_resumes(tmp_path: Path) -> None:
    """The job knows routines by their ids."""
    graph = build(str(tmp_path / "trace"), pause_at=3)
    job = JobState.load(graph.execute("numbers").save(tmp_path / "job"))
    spec = build(str(tmp_path / "trace"))
    assert RoutineGraph.deserialize(spec.serialize().model_dump_json()).resume(job).status == RunStatus.COMPLETED
    assert _worked(tmp_path / "trace") == list(range(STEPS))
