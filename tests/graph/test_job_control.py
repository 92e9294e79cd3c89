"""Pausing, resuming, cancelling and timing out: of one job, at once, from anywhere."""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# Handlers are lambdas here, and a message tells no types.

import asyncio
import contextvars
import math
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, wait
from pathlib import Path
from typing import Any

import pytest

from flowscope import FlowEvent, RunStatus, flow_events
from flowscope.graph import ErrorHandler, ErrorStrategy, GraphError, JobState, Routine, RoutineGraph
from support.graph.routines import BOUND, Counter, Gate, Hold, Source, begun, called, graph_of, values_of

MODES = ["sequential", "concurrent"]


@pytest.mark.parametrize("mode", MODES)
def test_pausing_keeps_queued_work_and_resuming_does_it_once(mode: Any) -> None:
    """Running handlers finish, the rest is on the job; afterwards all has been done, and nothing twice."""
    gate = Gate()
    graph = graph_of(Source(count=20), Hold(gate), Counter(), execution_strategy=mode, max_workers=2)
    job = graph.start("a")
    gate.wait_entered(1 if mode == "sequential" else 2)
    graph.pause(job, "lunch", {"step": 1})
    graph.pause(job, "twice")
    assert job.status.value == "paused"
    assert not graph.wait_for_completion(job, 0)
    gate.open()
    assert graph.wait_for_completion(job, BOUND)
    assert [(one.reason, one.checkpoint) for one in job.pause_points] == [("lunch", {"step": 1})]
    assert len(job.pending_activations) == 20
    assert graph.resume(job) is job
    assert job.status == RunStatus.COMPLETED
    assert sorted(values_of(job)) == list(range(20))
    assert len(job.flow_run.tasks) == 41
    assert [task.execution_order for task in job.flow_run.tasks] == list(range(1, 42))
    with pytest.raises(GraphError, match=r"is completed; only a paused job can be resumed\. Begin a new one"):
        graph.resume(job)
    assert len(job.flow_run.tasks) == 41


def test_a_handler_may_pause_its_own_job() -> None:
    """`execute` returns the paused job, with what the handler emitted before and after kept."""

    def handler() -> None:
        routine.emit("out", value=1)
        graph.pause(routine.job, "from inside")
        routine.emit("out", value=2)

    routine = called(handler, "out")
    graph = graph_of(routine, Counter())
    job = graph.execute("a")
    assert job.status == RunStatus.PAUSED
    assert job.routine_states["a"].status == "completed"
    assert [one.data for one in job.pending_activations] == [{"value": 1}, {"value": 2}]
    assert graph.resume(job).status == RunStatus.COMPLETED
    assert values_of(job) == [1, 2]


def test_a_pause_is_kept_work_in_the_order_of_its_sending() -> None:
    """What waits comes before what running handlers send afterwards, and goes on in that order."""
    gate = Gate()
    graph = graph_of(Source(count=3), Hold(gate), Counter())
    job = graph.start("a")
    gate.wait_entered()
    graph.pause(job)
    gate.open()
    assert graph.wait_for_completion(job, BOUND)
    kept = [(one.routine_id, one.slot, one.data) for one in job.pending_activations]
    assert kept == [("b", "trigger", {"value": 1}), ("b", "trigger", {"value": 2}), ("c", "input", {"value": 0})]
    graph.resume(job)
    assert values_of(job) == [0, 1, 2]


@pytest.mark.parametrize("resume", ["resume", "resume_async"])
def test_resuming_waits_for_the_handlers_that_still_run(resume: str) -> None:
    """Right after a pause it takes over when they are through, sync and async."""
    gate = Gate()
    graph = graph_of(Source(count=2), Hold(gate), Counter())
    job = graph.start("a")
    gate.wait_entered()
    graph.pause(job)
    resumed = begun(lambda: graph.resume(job) if resume == "resume" else asyncio.run(graph.resume_async(job)))
    gate.open()
    assert resumed.result(BOUND).status == RunStatus.COMPLETED
    assert values_of(job) == [0, 1]


@pytest.mark.parametrize("mode", MODES)
def test_of_two_who_resume_at_once_one_does(mode: Any) -> None:
    """The other one is told that the job runs, and changes nothing."""
    gate = Gate()

    def handler() -> None:
        routine.emit("out", value=1)
        graph.pause(routine.job)

    routine = called(handler, "out")
    graph = graph_of(routine, Hold(gate), Counter(), execution_strategy=mode)
    job = graph.execute("a")
    resumptions = {begun(graph.resume, job) for _ in range(8)}
    for _ in range(7):
        done, resumptions = wait(resumptions, BOUND, FIRST_COMPLETED)
        assert done
        for one in done:
            with pytest.raises(GraphError, match="running"):
                one.result()
        if len(resumptions) == 1:
            break
    gate.wait_entered()
    gate.open()
    assert resumptions.pop().result(BOUND).status == RunStatus.COMPLETED
    assert values_of(job) == [1]


def test_a_job_may_be_resumed_by_a_handler_of_another_graph_only() -> None:
    """A handler of the same graph would wait for its own worker: refused, and the paused job is as it was."""

    def pausing() -> None:
        paused.emit("out", value=1)
        inner.pause(paused.job)

    paused = called(pausing, "out")
    inner = graph_of(paused, Counter())
    job = inner.execute("a")
    before = job.model_dump_json()

    def resuming() -> None:
        inner.resume(job)

    inner.add_routine(called(resuming), "same")
    refused = inner.execute("same")
    assert refused.error is not None
    assert "wait for itself" in refused.error.message
    assert job.model_dump_json() == before
    outer = graph_of(called(resuming))
    assert outer.execute("a").status == RunStatus.COMPLETED
    assert job.status == RunStatus.COMPLETED
    assert values_of(job) == [1]


@pytest.mark.parametrize("mode", MODES)
def test_control_is_of_one_job(mode: Any) -> None:
    """Another job of the same graph goes on, and later ones run none of the leftovers."""
    graph = graph_of(Source(count=10), Counter(), execution_strategy=mode)
    gate = Gate()
    graph.add_routine(Hold(gate), "hold")
    graph.connect("hold", "out", "a", "trigger")
    holding = [graph.start("hold") for _ in range(2)]
    gate.wait_entered()
    other = graph.start("a")
    graph.pause(holding[0])
    graph.cancel(holding[1], "enough")
    gate.open()
    assert graph.wait_for_completion(other, BOUND)
    assert other.status == RunStatus.COMPLETED
    assert graph.execute("a").status == RunStatus.COMPLETED
    assert graph.wait_for_completion(holding[0], BOUND)
    assert [job.status for job in holding] == [RunStatus.PAUSED, RunStatus.CANCELLED]
    assert not values_of(holding[1])
    assert sorted(values_of(other)) == list(range(10))


def _error_of(job: JobState) -> tuple[str, str]:
    """The type and message of what ended a job, which its record tells as well."""
    assert job.error is not None
    assert job.flow_run.error == job.error
    return job.error.type, job.error.message


def test_cancelling_is_at_once_and_final() -> None:
    """The job and those who wait are through while its handler still runs, which changes nothing any more."""
    gate = Gate()
    graph = graph_of(Source(count=3), Hold(gate), Counter())
    job = graph.start("a")
    gate.wait_entered()
    waiting = [begun(graph.wait_for_completion, job, BOUND) for _ in range(5)]
    graph.cancel(job, "enough")
    assert graph.wait_for_completion(job, 0)
    assert all(one.result(BOUND) for one in waiting)
    assert job.status == job.flow_run.status == RunStatus.CANCELLED
    assert [one.data for one in job.pending_activations] == [{"value": 1}, {"value": 2}]
    assert [one.data for one in job.execution_history if one.event_name == "cancelled"] == [{"reason": "enough"}]
    assert _error_of(job) == ("CancelledError", "enough")
    before = job.model_dump_json()
    gate.open()
    graph.cancel(job, "again")
    graph.pause(job, "again")
    assert graph.execute("a").status == RunStatus.COMPLETED
    assert job.model_dump_json() == before
    with pytest.raises(GraphError, match="cancelled"):
        graph.resume(job)


def test_a_job_that_is_cancelled_while_it_waits_for_a_worker_never_starts() -> None:
    """Nor does one that is paused then, before it is resumed."""
    gate = Gate()
    graph = RoutineGraph()
    graph.add_routine(Hold(gate), "hold")
    graph.add_routine(called(lambda: None), "work")
    holding = graph.start("hold")
    gate.wait_entered()
    cancelled, paused = graph.start("work"), graph.start("work")
    graph.cancel(cancelled)
    graph.pause(paused)
    assert graph.wait_for_completion(cancelled, 0)
    assert graph.wait_for_completion(paused, 0)
    gate.open()
    assert graph.wait_for_completion(holding, BOUND)
    assert graph.execute("work").status == RunStatus.COMPLETED
    for job in (cancelled, paused):
        assert [one.routine_id for one in job.pending_activations] == ["work"]
        assert not job.routine_states
        assert not job.flow_run.tasks
    assert graph.resume(paused).status == RunStatus.COMPLETED


@pytest.mark.parametrize("rests", [True, False])
def test_a_paused_job_can_be_cancelled(rests: bool) -> None:
    """At once, whether its handlers are through or not; the reason is in its history, and it cannot be resumed."""
    gate = Gate()
    graph = graph_of(Source(count=3), Hold(gate), Counter())
    job = graph.start("a")
    gate.wait_entered()
    graph.pause(job)
    if rests:
        gate.open()
        assert graph.wait_for_completion(job, BOUND)
    graph.cancel(job, "never mind")
    assert job.status == job.flow_run.status == RunStatus.CANCELLED
    assert graph.wait_for_completion(job, 0)
    gate.open()
    assert [one.data for one in job.execution_history if one.event_name == "cancelled"] == [{"reason": "never mind"}]
    assert _error_of(job) == ("CancelledError", "never mind")
    with pytest.raises(GraphError, match="cancelled"):
        graph.resume(job)
    assert [one.data["value"] for one in job.pending_activations][:2] == [1, 2]


def test_cancelling_a_job_at_rest_changes_no_file(tmp_path: Path) -> None:
    """It is about the job at hand; one that runs has its end in its file."""

    def handler() -> None:
        routine.emit("out", value=1)
        graph.pause(routine.job)

    gate = Gate()
    routine = called(handler, "out")
    graph = graph_of(routine, Hold(gate))
    job = graph.execute("a", save_to=tmp_path / "job")
    before = (tmp_path / "job").read_bytes()
    graph.cancel(job)
    assert (tmp_path / "job").read_bytes() == before
    loaded = JobState.load(tmp_path / "job")
    resumed = begun(graph.resume, loaded, save_to=tmp_path / "job")
    gate.wait_entered()
    graph.cancel(loaded)
    assert resumed.result(BOUND).status == RunStatus.CANCELLED
    assert JobState.load(tmp_path / "job").status == RunStatus.CANCELLED
    gate.open()


Stop = Callable[[JobState], object]
"""Pauses or cancels a job, or sees to it."""


class _Thing:
    """Something that can be seen to go."""


def _stopping_handler(stop: Stop) -> list[Routine]:
    def handler() -> None:
        stop(routine.job)
        routine.emit("out", value=1)

    routine = called(handler, "out")
    return [routine, Counter()]


def _stopping_async_handler(stop: Stop) -> list[Routine]:
    async def handler() -> None:
        stop(routine.job)
        routine.emit("out", value=1)

    routine = called(handler, "out")
    return [routine, Counter()]


def _stopping_finaliser(stop: Stop) -> list[Routine]:
    def handler() -> None:
        weakref.finalize(_Thing(), stop, routine.job)
        routine.emit("out", value=1)

    routine = called(handler, "out")
    return [routine, Counter()]


def _stopping_merge(stop: Stop) -> list[Routine]:
    jobs: list[JobState] = []

    def handler() -> None:
        jobs.append(routine.job)
        routine.emit("out", value=1)

    def merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        stop(jobs.pop())
        return {"value": old.get("value", 0) + new["value"]}

    routine, end = called(handler, "out"), Routine()
    end.define_slot("input", lambda value: end.job.append_to_shared_log({"value": value}), merge)
    return [routine, end]


def _stopping_finaliser_amid_a_merge(stop: Stop) -> list[Routine]:
    return _stopping_merge(lambda job: weakref.finalize(_Thing(), stop, job))


PLACES = [
    _stopping_handler,
    _stopping_async_handler,
    _stopping_finaliser,
    _stopping_merge,
    _stopping_finaliser_amid_a_merge,
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("place", PLACES)
def test_a_job_can_be_cancelled_from_anywhere(place: Callable[[Stop], list[Routine]], mode: Any) -> None:
    """What is sent afterwards goes nowhere, and those who wait return."""
    graph = graph_of(*place(lambda job: graph.cancel(job, "from inside")), execution_strategy=mode)
    job = graph.start("a")
    assert graph.wait_for_completion(job, BOUND)
    assert job.status == job.flow_run.status == RunStatus.CANCELLED
    assert not values_of(job)
    assert graph.execute("a").status == RunStatus.CANCELLED


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kept", [True, False], ids=["checkpoints", "none"])
@pytest.mark.parametrize("place", PLACES)
def test_a_job_can_be_paused_from_anywhere(
    place: Callable[[Stop], list[Routine]], kept: bool, mode: Any, tmp_path: Path
) -> None:
    """What is sent afterwards is kept, its merge too, and handled once when it is resumed."""
    graph = graph_of(*place(lambda job: graph.pause(job, "from inside")), execution_strategy=mode)
    job = graph.start("a", save_to=tmp_path / "job" if kept else None)
    assert graph.wait_for_completion(job, BOUND)
    assert job.status == RunStatus.PAUSED
    if kept:
        loaded = JobState.load(tmp_path / "job")
        assert loaded.pending_activations == job.pending_activations
        assert loaded.merges == job.merges
    assert [(one.routine_id, one.data) for one in job.pending_activations] == [("b", {"value": 1})]
    assert len(job.merges) == (place in PLACES[3:])
    assert graph.resume(job).status == RunStatus.COMPLETED
    assert values_of(job) == [1]


@pytest.mark.parametrize("action", ["cancel", "pause"])
@pytest.mark.parametrize("event_type", ["task_start", "task_stop", "flow_message"])
@pytest.mark.parametrize("mode", MODES)
def test_a_listener_may_stop_the_job(action: str, event_type: str, mode: Any) -> None:
    """At the start, amid and at the end of an activation; a paused job goes on where it was."""
    jobs: list[JobState] = []
    told: list[str] = []

    def listener(event: FlowEvent) -> None:
        if jobs and event.event_type == event_type and not told:
            told.append(event.event_type)
            getattr(graph, action)(jobs[0])

    def handler(value: int) -> None:
        print("value", value)
        routine.emit("out", value=value)

    def first() -> None:
        jobs.append(start.job)
        start.emit("out", value=1)

    start, routine = called(first, "out"), called(handler, "out")
    graph = graph_of(start, routine, Counter(), execution_strategy=mode)
    with flow_events.subscribe(listener):
        job = graph.start("a")
        assert graph.wait_for_completion(job, BOUND)
    assert told == [event_type]
    if action == "pause":
        assert job.status == RunStatus.PAUSED
        assert graph.resume(job).status == RunStatus.COMPLETED
        assert values_of(job) == [1]
    else:
        assert job.status == RunStatus.CANCELLED
        assert not values_of(job)


def test_a_listener_of_one_start_may_stop_another_job_that_is_busy() -> None:
    """Though that one is in a merge, which uses the graph too: nobody waits for the other's lock."""
    merging, listening, stopped = threading.Event(), threading.Event(), threading.Event()

    def handler() -> None:
        routine.emit("out", value=1)
        assert stopped.wait(BOUND)

    def merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        merging.set()
        assert listening.wait(BOUND)
        graph.wait_for_completion(busy, 0)
        return new

    routine = called(handler, "out")
    graph = graph_of(routine, called(lambda value: None, merge_strategy=merge), execution_strategy="concurrent")
    graph.add_routine(called(lambda: None), "other")
    busy = graph.start("a")
    assert merging.wait(BOUND)

    def listener(event: FlowEvent) -> None:
        if event.event_type == "flow_start":
            listening.set()
            graph.cancel(busy)
            stopped.set()

    def start() -> JobState:
        with flow_events.subscribe(listener):
            return graph.start("other")

    other = begun(start).result(BOUND)
    assert graph.wait_for_completion(other, BOUND)
    assert other.status == RunStatus.COMPLETED
    assert graph.wait_for_completion(busy, BOUND)
    assert busy.status == RunStatus.CANCELLED


@pytest.mark.parametrize("mode", MODES)
def test_a_job_times_out_at_its_deadline(mode: Any) -> None:
    """By `timeout`, else by the graph's `execution_timeout`, 0 being now; its handler is left behind."""
    gate = Gate()
    graph = graph_of(Hold(gate), Counter(), execution_strategy=mode, execution_timeout=0.05)
    for timeout in (None, 0.03, 0):
        job = graph.execute("a", timeout=timeout)
        assert job.status == job.flow_run.status == RunStatus.TIMED_OUT
        assert [one.event_name for one in job.execution_history][-1] == "timed_out"
        limit = 0.05 if timeout is None else timeout
        assert _error_of(job) == ("TimeoutError", f"job {job.job_id!r} did not end within {limit} s")
        with pytest.raises(GraphError, match="timed_out"):
            graph.resume(job)
    patient = graph.start("a", timeout=3600)
    gate.open()
    assert graph.wait_for_completion(patient, BOUND)
    assert patient.status == RunStatus.COMPLETED


def test_the_timeout_of_one_job_is_not_that_of_another() -> None:
    """Work of the late one is dropped and listed, and that of the other one goes on."""
    gate = Gate()
    graph = graph_of(Source(count=3), Hold(gate), Counter(), execution_strategy="concurrent", max_workers=2)
    patient = graph.start("a")
    gate.wait_entered(2)
    late = graph.start("a", timeout=0.01)
    assert graph.wait_for_completion(late, BOUND)
    assert late.status == RunStatus.TIMED_OUT
    assert patient.status.value == "running"
    assert [one.routine_id for one in late.pending_activations] == ["a"]
    gate.open()
    assert graph.wait_for_completion(patient, BOUND)
    assert sorted(values_of(patient)) == [0, 1, 2]


@pytest.mark.parametrize("mode", MODES)
def test_without_time_nothing_is_started(mode: Any) -> None:
    """A timeout of 0 is over before the first handler, however quick that is; so is what a resumed job has left."""
    seen: list[int] = []
    graph = graph_of(called(lambda: seen.append(1)), execution_strategy=mode)
    for _ in range(50):
        job = graph.execute("a", timeout=0)
        assert job.status == job.flow_run.status == RunStatus.TIMED_OUT
        assert [one.routine_id for one in job.pending_activations] == ["a"]
        paused = job.model_copy(update={"status": RunStatus.PAUSED, "remaining_time": 0.0})
        paused = JobState.model_validate_json(paused.model_dump_json())
        assert graph.resume(paused).status == RunStatus.TIMED_OUT
        assert len(paused.pending_activations) == 1
    assert not seen


def test_time_spent_paused_does_not_count() -> None:
    """A paused job has the rest of its time when it is resumed, and does not time out meanwhile."""
    gate, other = Gate(), Gate()
    graph = graph_of(Source(count=1), Hold(gate), Counter())
    clock = graph_of(Hold(other))
    job = graph.start("a", timeout=0.2)
    gate.wait_entered()
    graph.pause(job)
    assert clock.execute("a", timeout=0.25).status == RunStatus.TIMED_OUT
    assert job.status == RunStatus.PAUSED
    gate.open()
    assert graph.wait_for_completion(job, BOUND)
    assert job.status == RunStatus.PAUSED
    assert job.remaining_time is not None
    assert 0 < job.remaining_time < 0.2
    assert clock.execute("a", timeout=0.25).status == RunStatus.TIMED_OUT
    assert graph.resume(job).status == RunStatus.COMPLETED
    other.open()


def test_a_resumed_job_times_out_when_the_rest_of_its_time_is_over() -> None:
    """Here and after its file: the limit is of the job, not of a stretch."""

    def handler() -> None:
        routine.emit("out", value=1)
        graph.pause(routine.job)

    gate = Gate()
    routine = called(handler, "out")
    graph = graph_of(routine, Hold(gate))
    job = graph.execute("a", timeout=0.1)
    loaded = JobState.model_validate_json(job.model_dump_json())
    for one in (job, loaded):
        assert graph.resume(one).status == RunStatus.TIMED_OUT
    gate.open()


def test_deferred_events_are_emitted_on_resume() -> None:
    """With the context of the job, after the kept work, each once."""

    def handler() -> None:
        routine.job.add_deferred_event("a", "out", {"value": 9})
        routine.emit("out", value=1)
        graph.pause(routine.job)

    routine = called(handler, "out")
    graph = graph_of(routine, Counter())
    job = graph.execute("a")
    assert len(job.deferred_events) == 1
    graph.resume(job)
    assert values_of(job) == [1, 9]
    assert not job.deferred_events
    assert [one.data for one in job.get_execution_history("a") if one.event_name == "out"] == [
        {"value": 1},
        {"value": 9},
    ]


def test_a_deferred_event_waits_for_a_resumption() -> None:
    """A job that is never paused keeps it; one added to a job at rest is emitted too, through mappings and merges."""
    routine = called(lambda: routine.job.add_deferred_event("a", "out", {"value": 9}), "out")
    graph = graph_of(routine, Counter())
    assert len(graph.execute("a").deferred_events) == 1

    pausing = called(lambda: graph.pause(pausing.job), "out")
    end = Routine()
    end.define_slot("input", lambda x: end.job.append_to_shared_log({"value": x}), "append")
    graph = RoutineGraph()
    graph.add_routine(pausing, "a")
    graph.add_routine(end, "b")
    graph.connect("a", "out", "b", "input", {"value": "x"})
    job = graph.execute("a")
    for value in (1, 2):
        job.add_deferred_event("a", "out", {"value": value})
    assert graph.resume(job).status == RunStatus.COMPLETED
    assert [entry["value"] for entry in job.shared_log] == [[1], [1, 2]]


def test_work_for_what_is_missing_is_refused_and_kept() -> None:
    """A graph that lacks a routine, slot or event says so, and the job is as it was."""

    def handler() -> None:
        routine.emit("out", value=1)
        routine.job.add_deferred_event("a", "out", {"value": 2})
        graph.pause(routine.job)

    routine = called(handler, "out")
    graph = graph_of(routine, Counter(), flow_id="g")
    job = graph.execute("a")
    before = job.model_dump_json()
    others = [
        RoutineGraph("g"),
        graph_of(Routine(), flow_id="g"),
        graph_of(Source(), called(lambda: None), flow_id="g"),
    ]
    for other in others:
        with pytest.raises(GraphError):
            other.resume(job)
        with pytest.raises(GraphError):
            asyncio.run(other.resume_async(job))
        assert job.model_dump_json() == before
    assert graph.resume(job).status == RunStatus.COMPLETED


@pytest.mark.parametrize("act", ["pause", "cancel", "resume", "wait_for_completion"])
def test_the_job_of_another_graph_is_refused(act: str) -> None:
    """Whatever is asked, and the job is as it was."""
    gate = Gate()
    graph, other = graph_of(Hold(gate)), graph_of(Hold(gate))
    job = graph.start("a")
    gate.wait_entered()
    with pytest.raises(GraphError, match="belongs to graph .* Give the graph that flow_id"):
        getattr(other, act)(job)
    assert job.status == RunStatus.RUNNING
    gate.open()
    assert graph.wait_for_completion(job, BOUND)
    assert job.status.value == "completed"


def test_pausing_what_does_not_run_changes_nothing() -> None:
    """A paused, an ended and a loaded job stay as they are."""

    def handler() -> None:
        routine.emit("out", value=1)
        graph.pause(routine.job, "once")

    routine = called(handler, "out")
    graph = graph_of(routine, Counter())
    job = graph.execute("a")
    loaded = JobState.model_validate_json(job.model_dump_json())
    for one in (job, loaded):
        before = one.model_dump_json()
        graph.pause(one, "twice")
        assert one.model_dump_json() == before
    graph.resume(job)
    before = job.model_dump_json()
    graph.pause(job)
    assert job.model_dump_json() == before


def test_waiting_has_any_timeout() -> None:
    """None of them, however odd, changes the job; from many threads at once."""
    gate = Gate()
    graph = graph_of(Hold(gate))
    job = graph.start("a")
    gate.wait_entered()
    for timeout in (0, -1, 0.001):
        assert graph.wait_for_completion(job, timeout) is False
    timeouts = [None, BOUND, 1e300, math.inf]
    waiting = [begun(graph.wait_for_completion, job, timeout) for timeout in timeouts * 10]
    gate.open()
    assert all(one.result(BOUND) for one in waiting)
    assert job.status == RunStatus.COMPLETED
    assert graph.wait_for_completion(job) is True
    assert graph.wait_for_completion(job, 0) is True


def test_a_handler_may_wait_for_its_own_job_for_some_time() -> None:
    """It is not through, then."""
    said: list[bool] = []
    routine = called(lambda: said.append(graph.wait_for_completion(routine.job, 0)))
    graph = graph_of(routine)
    assert graph.execute("a").status == RunStatus.COMPLETED
    assert said == [False]


@pytest.mark.parametrize("mode", MODES)
def test_a_handler_may_not_execute_its_graph_through_another_one(mode: Any) -> None:
    """It would wait for its own worker all the same; the other graph's handler is told so."""
    said: list[str] = []

    def back() -> None:
        with pytest.raises(GraphError, match="wait for itself") as raised:
            graph.execute("end")
        said.append(str(raised.value))

    other = graph_of(called(back))
    graph = graph_of(called(lambda: other.execute("a")), execution_strategy=mode, max_workers=1)
    graph.add_routine(called(lambda: None), "end")
    job = graph.start("a")
    assert graph.wait_for_completion(job, BOUND)
    assert job.status == RunStatus.COMPLETED
    assert len(said) == 1


def test_shutdown_may_be_said_by_a_handler_that_does_not_wait() -> None:
    """It ends all jobs, its own one too, and may be said twice, and by others too."""
    gate = Gate()

    def handler() -> None:
        with pytest.raises(GraphError, match="wait for itself"):
            graph.shutdown()
        graph.shutdown(wait=False)
        graph.shutdown(wait=False)
        routine.emit("out", value=1)

    routine = called(handler, "out")
    graph = graph_of(routine, Counter(), execution_strategy="concurrent")
    graph.add_routine(Hold(gate), "hold")
    holding = graph.start("hold")
    gate.wait_entered()
    job = graph.start("a")
    for one in (holding, job):
        assert graph.wait_for_completion(one, BOUND)
        assert one.status == RunStatus.CANCELLED
    graph.shutdown()
    gate.open()
    assert not values_of(job)


def test_several_may_shut_a_graph_down_at_once() -> None:
    """All return when its jobs have ended."""
    gate = Gate()
    graph = graph_of(Source(count=5), Hold(gate), Counter())
    jobs = [graph.start("a") for _ in range(5)]
    gate.wait_entered()
    closing = [begun(graph.shutdown) for _ in range(5)]
    gate.open()
    for one in closing:
        one.result(BOUND)
    assert {job.status for job in jobs} == {RunStatus.COMPLETED}


def test_a_graph_that_was_shut_down_keeps_paused_jobs_as_they_are() -> None:
    """It resumes none of them; another graph does."""

    def handler() -> None:
        routine.emit("out", value=1)
        graphs[-1].pause(routine.job)

    routine = called(handler, "out")
    graphs: list[RoutineGraph] = []
    graphs.append(graph_of(routine, Counter(), flow_id="g"))
    with graphs[0] as graph:
        job = graph.execute("a")
    before = job.model_dump_json()
    with pytest.raises(GraphError, match="shut down"):
        graph.resume(job)
    assert job.model_dump_json() == before
    assert graph_of(called(lambda: None, "out"), Counter(), flow_id="g").resume(job).status == RunStatus.COMPLETED
    assert values_of(job) == [1]


def test_an_error_in_the_block_of_a_graph_cancels_its_jobs() -> None:
    """It comes through, and nobody waits for handlers."""
    gate = Gate()
    jobs: list[JobState] = []

    def block() -> None:
        with graph_of(Hold(gate)) as graph:
            jobs.append(graph.start("a"))
            gate.wait_entered()
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        begun(block).result(BOUND)
    assert jobs[0].status == RunStatus.CANCELLED
    gate.open()


def test_a_shutdown_while_a_job_is_being_started_leaves_none_running() -> None:
    """Said by a listener that hears of the start, or by another thread meanwhile: the job ends, and stays ended."""
    for elsewhere in (False, True):
        graph = graph_of(Source(count=3), Counter())

        def listener(event: FlowEvent, graph: RoutineGraph = graph, elsewhere: bool = elsewhere) -> None:
            if event.event_type == "flow_start" and elsewhere:
                begun(graph.shutdown, False).result(BOUND)
            elif event.event_type == "flow_start":
                graph.shutdown(wait=False)

        def start(graph: RoutineGraph = graph, listener: Any = listener) -> JobState | None:
            with flow_events.subscribe(listener):
                try:
                    return graph.start("a")
                except GraphError:
                    return None

        job = begun(start).result(BOUND)
        if job is not None:
            assert graph.wait_for_completion(job, BOUND)
            assert job.status == RunStatus.CANCELLED
            assert not values_of(job)


def test_shared_data_and_log() -> None:
    """Values are shared by the handlers of one job; an entry of the log is a dictionary and gets its time."""
    job = JobState(flow_id="g")
    job.update_shared_data("key", 1)
    assert job.get_shared_data("key") == 1
    assert job.get_shared_data("other", 2) == 2
    job.append_to_shared_log({"a": 1})
    assert job.shared_log[0]["a"] == 1
    assert "timestamp" in job.shared_log[0]
    with pytest.raises(GraphError, match="dictionary"):
        job.append_to_shared_log("text")  # type: ignore[arg-type] # what is tested


def test_what_outlives_its_handler_cannot_emit() -> None:
    """A thread that a handler leaves behind is told so, whatever has become of the job meanwhile."""
    go = threading.Event()
    said: list[str] = []
    strays: list[threading.Thread] = []

    def handler() -> None:
        def stray() -> None:
            assert go.wait(BOUND)
            try:
                routine.emit("out", value=1)
            except GraphError as error:
                said.append(str(error))

        strays.append(threading.Thread(target=contextvars.copy_context().run, args=(stray,)))
        strays[0].start()

    routine = called(handler, "out")
    job = graph_of(routine, Counter()).execute("a")
    go.set()
    strays[0].join(BOUND)
    assert job.status == RunStatus.COMPLETED
    assert not values_of(job)
    assert "has returned" in said[0]


def test_what_outlives_an_attempt_cannot_emit_in_the_next_one() -> None:
    """The first attempt has failed, whatever becomes of the second."""
    second, through = threading.Event(), threading.Event()
    said: list[str] = []
    attempts: list[int] = []

    def stray() -> None:
        assert second.wait(BOUND)
        try:
            routine.emit("out", value=1)
        except GraphError as error:
            said.append(str(error))
        through.set()

    def handler() -> None:
        attempts.append(1)
        if len(attempts) == 1:
            threading.Thread(target=contextvars.copy_context().run, args=(stray,)).start()
            raise ValueError
        second.set()
        assert through.wait(BOUND)

    routine = called(handler, "out")
    routine.set_error_handler(ErrorHandler(strategy=ErrorStrategy.RETRY, retry_delay=0))
    job = graph_of(routine, Counter()).execute("a")
    assert job.status == RunStatus.COMPLETED
    assert len(said) == 1
    assert not values_of(job)


def test_a_handler_may_emit_from_threads_that_it_waits_for() -> None:
    """With its context; without it, the thread belongs to no handler."""
    said: list[str] = []

    def bare() -> None:
        try:
            routine.emit("out", value=99)
        except GraphError as error:
            said.append(str(error))

    def handler() -> None:
        contexts = [contextvars.copy_context() for _ in range(10)]
        running = [
            begun(one.run, lambda value=value: routine.emit("out", value=value)) for value, one in enumerate(contexts)
        ]
        for one in [*running, begun(bare)]:
            one.result(BOUND)

    routine = called(handler, "out")
    job = graph_of(routine, Counter()).execute("a")
    assert job.status == RunStatus.COMPLETED
    assert sorted(values_of(job)) == list(range(10))
    assert len(said) == 1


def test_a_job_that_cannot_be_started_changes_nothing() -> None:
    """Where the system gives no thread, the start is refused, and the graph can be shut down."""
    graph = graph_of(Source(count=3), Counter())
    size = threading.stack_size(1 << 46)
    try:
        with pytest.raises(RuntimeError):
            graph.start("a")
    finally:
        threading.stack_size(size)
    assert graph.execute("a").status == RunStatus.COMPLETED
    begun(graph.shutdown).result(BOUND)


def test_a_job_that_cannot_be_resumed_stays_paused() -> None:
    """Where the system gives no thread, its work is kept for the next time."""

    def handler() -> None:
        routine.emit("out", value=1)
        routine.job.add_deferred_event("a", "out", {"value": 2})
        graph.pause(routine.job)

    routine = called(handler, "out")
    graph = graph_of(routine, Counter(), flow_id="g")
    job = graph.execute("a")
    other = graph_of(called(handler, "out"), Counter(), flow_id="g")
    before = job.model_dump_json()
    size = threading.stack_size(1 << 46)
    try:
        with pytest.raises(RuntimeError):
            other.resume(job)
    finally:
        threading.stack_size(size)
    assert job.model_dump_json(exclude={"updated_at"}) == JobState.model_validate_json(before).model_dump_json(
        exclude={"updated_at"}
    )
    assert other.resume(job).status == RunStatus.COMPLETED
    assert values_of(job) == [1, 2]


def _sum(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {"value": old.get("value", 0) + new["value"]}


def test_a_resumption_that_comes_too_late_changes_nothing(tmp_path: Path) -> None:
    """Another one has done all the work meanwhile: its merges, its record and its file are the job's."""

    def handler() -> None:
        routine.emit("out", value=1)
        graph.pause(routine.job)
        routine.emit("out", value=2)

    routine, end = called(handler, "out"), Routine()
    end.define_slot("input", lambda value: None, _sum)
    more = called(lambda value: more.emit("out", value=value), "out")
    graph = graph_of(routine, more, end, flow_id="g")
    job = graph.execute("a")
    first = threading.Event()

    def listener(event: FlowEvent) -> None:
        if event.event_type == "flow_start" and not first.is_set():
            first.set()
            begun(graph.resume, job, save_to=tmp_path / "winner").result(BOUND)

    def resume() -> JobState:
        with flow_events.subscribe(listener):
            return graph.resume(job, save_to=tmp_path / "loser")

    with pytest.raises(GraphError, match="completed"):
        begun(resume).result(BOUND)
    assert job.status == RunStatus.COMPLETED
    assert [one.data for one in job.merges] == [{"value": 3}]
    assert [one.data for one in JobState.load(tmp_path / "winner").merges] == [{"value": 3}]
    assert [task.task_name for task in job.flow_run.tasks].count("c.input") == 2
    assert job.flow_run.error is None
    assert not (tmp_path / "loser").exists()


def test_a_resumption_that_waited_for_its_turn_goes_on_from_there() -> None:
    """Another one has taken the job to its next pause meanwhile: its merges and its time are what counts."""

    def handler(value: int) -> None:
        if value < 3:
            graph.pause(routine.job)
        routine.emit("out", value=value)

    routine, end = called(handler, "out"), Routine()
    end.define_slot("input", lambda value: end.job.append_to_shared_log({"value": value}), _sum)
    graph = graph_of(Source(count=5), routine, end)
    job = graph.execute("a", timeout=3600)
    first = threading.Event()
    left: list[float | None] = []

    def listener(event: FlowEvent) -> None:
        if event.event_type == "flow_start" and not first.is_set():
            first.set()
            assert begun(graph.resume, job).result(BOUND).status == RunStatus.PAUSED
            left.append(job.remaining_time)

    def resume() -> JobState:
        with flow_events.subscribe(listener):
            return graph.resume(job)

    while begun(resume).result(BOUND).status == RunStatus.PAUSED:
        assert job.remaining_time is not None
        assert left[0] is not None
        assert job.remaining_time <= left[0]
    assert job.status == RunStatus.COMPLETED
    assert values_of(job) == [0, 1, 3, 6, 10]
    assert [one.data for one in job.merges] == [{"value": 10}]


def test_a_merge_may_cancel_while_a_listener_looks_at_the_job() -> None:
    """The listener is called by another thread, and both go on."""
    looking, merging = threading.Event(), threading.Event()
    jobs: list[JobState] = []

    def listener(event: FlowEvent) -> None:
        if event.event_type == "task_start" and event.event_data.task_name == "c.trigger":
            looking.set()
            assert merging.wait(BOUND)
            jobs[0].get_shared_data("key")

    def first() -> None:
        jobs.append(start.job)
        start.emit("out", value=1)
        start.emit("more")

    def merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        merging.set()
        graph.cancel(jobs[0])
        return new

    def second(value: int) -> None:
        assert looking.wait(BOUND)
        routine.emit("out", value=value)

    start, routine, end = called(first, "out", "more"), called(second, "out"), Routine()
    end.define_slot("input", lambda value: None, merge)
    graph = RoutineGraph(execution_strategy="concurrent")
    for name, one in {"a": start, "b": routine, "c": called(lambda: None), "d": end}.items():
        graph.add_routine(one, name)
    graph.connect("a", "out", "b", "trigger")
    graph.connect("a", "more", "c", "trigger")
    graph.connect("b", "out", "d", "input")

    def run() -> JobState:
        with flow_events.subscribe(listener):
            return graph.execute("a")

    assert begun(run).result(BOUND / 4).status == RunStatus.CANCELLED


@pytest.mark.parametrize("event_type", ["flow_stop", "task_start", "task_stop"])
def test_a_listener_that_exits_does_not_strand_other_jobs(event_type: str) -> None:
    """What waits behind it in the only worker goes on."""
    gate = Gate()
    graph = RoutineGraph()
    graph.add_routine(Hold(gate), "hold")
    graph.add_routine(called(lambda: None), "work")

    def listener(event: FlowEvent) -> None:
        if event.event_type == event_type:
            raise SystemExit

    holding = graph.start("hold")
    gate.wait_entered()
    with flow_events.subscribe(listener):
        waiting = [graph.start("work") for _ in range(3)]
        gate.open()
        for job in [holding, *waiting]:
            assert graph.wait_for_completion(job, BOUND / 4)
