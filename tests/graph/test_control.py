"""Pausing, resuming, cancelling and timing out: of one job, at once, from anywhere."""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# Handlers are lambdas here, and a message tells no types.

import asyncio
import contextlib
import contextvars
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from flowscope import RunStatus
from flowscope.graph import GraphError, JobState, Routine, RoutineGraph

from .routines import BOUND, Counter, Gate, Hold, Relay, Source, called, chain, graph_of

MODES = ["sequential", "concurrent"]


def _values(job: JobState) -> list[int]:
    return [entry["value"] for entry in job.shared_log]


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
    assert sorted(_values(job)) == list(range(20))
    assert len(job.flow_run.tasks) == 41
    assert [task.execution_order for task in job.flow_run.tasks] == list(range(1, 42))
    with pytest.raises(GraphError, match="completed"):
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
    assert _values(job) == [1, 2]


def test_resuming_waits_for_the_handlers_that_still_run() -> None:
    """Right after a pause it takes over when they are through, sync and async."""
    resumptions: list[Callable[[RoutineGraph, JobState], JobState]] = [
        lambda graph, job: graph.resume(job),
        lambda graph, job: asyncio.run(graph.resume_async(job)),
    ]
    for resume in resumptions:
        gate = Gate()
        graph = graph_of(Source(count=2), Hold(gate), Counter())
        job = graph.start("a")
        gate.wait_entered()
        graph.pause(job)
        threading.Timer(0.02, gate.open).start()
        assert resume(graph, job).status == RunStatus.COMPLETED
        assert _values(job) == [0, 1]


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
    assert not _values(holding[1])
    assert sorted(_values(other)) == list(range(10))


def test_cancelling_is_at_once_and_final() -> None:
    """The job and those who wait are through while its handler still runs, which changes nothing any more."""
    gate = Gate()
    graph = graph_of(Source(count=3), Hold(gate), Counter())
    job = graph.start("a")
    gate.wait_entered()
    graph.cancel(job, "enough")
    assert graph.wait_for_completion(job, 0)
    assert job.status == job.flow_run.status == RunStatus.CANCELLED
    assert [one.data for one in job.pending_activations] == [{"value": 1}, {"value": 2}]
    before = job.model_dump_json()
    gate.open()
    graph.cancel(job, "again")
    assert graph.execute("a").status == RunStatus.COMPLETED
    assert job.model_dump_json() == before
    with pytest.raises(GraphError, match="cancelled"):
        graph.resume(job)


def test_a_paused_job_can_be_cancelled() -> None:
    """It cannot be resumed then."""
    gate = Gate()
    graph = graph_of(Source(count=3), Hold(gate))
    job = graph.start("a")
    gate.wait_entered()
    graph.pause(job)
    gate.open()
    assert graph.wait_for_completion(job, BOUND)
    graph.cancel(job)
    assert job.status == RunStatus.CANCELLED
    with pytest.raises(GraphError, match="cancelled"):
        graph.resume(job)


def test_async_handlers_are_cancelled_with_their_job() -> None:
    """By `cancel`, and by cancelling the task that awaits the job."""
    entered, ended = threading.Event(), threading.Event()

    async def handler() -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    graph = graph_of(called(handler))
    job = graph.start("a")
    assert entered.wait(BOUND)
    graph.cancel(job)
    assert ended.wait(BOUND)
    assert job.status == RunStatus.CANCELLED

    async def main() -> None:
        entered.clear()
        ended.clear()
        task = asyncio.create_task(graph.execute_async("a"))
        while not entered.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while not ended.is_set():
            await asyncio.sleep(0.001)

    asyncio.run(main())


def test_a_handler_may_cancel_its_own_job() -> None:
    """What it emits afterwards goes nowhere."""

    def handler() -> None:
        graph.cancel(routine.job, "from inside")
        routine.emit("out", value=1)

    routine = called(handler, "out")
    graph = graph_of(routine, Counter())
    job = graph.execute("a")
    assert job.status == RunStatus.CANCELLED
    assert not _values(job)


@pytest.mark.parametrize("mode", MODES)
def test_a_job_times_out_at_its_deadline(mode: Any) -> None:
    """By `timeout`, else by the graph's `execution_timeout`, 0 being now; its handler is left behind."""
    gate = Gate()
    graph = graph_of(Hold(gate), Counter(), execution_strategy=mode, execution_timeout=0.05)
    for timeout in (None, 0.03, 0):
        job = graph.execute("a", timeout=timeout)
        assert job.status == job.flow_run.status == RunStatus.TIMED_OUT
    patient = graph.start("a", timeout=3600)
    gate.open()
    assert graph.wait_for_completion(patient, BOUND)
    assert patient.status == RunStatus.COMPLETED


def test_time_spent_paused_does_not_count() -> None:
    """A paused job has the rest of its time when it is resumed, and does not time out meanwhile."""
    gate = Gate()
    graph = graph_of(Source(count=1), Hold(gate), Counter())
    job = graph.start("a", timeout=0.2)
    gate.wait_entered()
    graph.pause(job)
    threading.Timer(0.3, gate.open).start()
    assert graph.wait_for_completion(job, BOUND)
    assert job.status == RunStatus.PAUSED
    assert job.remaining_time is not None
    assert 0 < job.remaining_time <= 0.2
    assert graph.resume(job).status == RunStatus.COMPLETED


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
    assert _values(job) == [1, 9]
    assert not job.deferred_events
    assert [one.data for one in job.get_execution_history("a") if one.event_name == "out"] == [
        {"value": 1},
        {"value": 9},
    ]


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
        assert job.model_dump_json() == before
    assert graph.resume(job).status == RunStatus.COMPLETED


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


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(6))
def test_a_storm_of_pauses_and_resumptions_loses_nothing(mode: Any, seed: int) -> None:
    """From several threads at once, over several jobs: in the end each message was handled exactly once."""
    chance = random.Random(seed)
    graph = graph_of(Source(count=30), Relay(), Counter(), execution_strategy=mode, max_workers=3)
    jobs = [graph.start("a") for _ in range(5)]
    done = threading.Event()

    def disturb(number: int) -> None:
        mine = random.Random(number)
        while not done.is_set():
            graph.pause(mine.choice(jobs), "storm")

    threads = [threading.Thread(target=disturb, args=(chance.randrange(1000),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        for job in jobs:
            assert graph.wait_for_completion(job, BOUND)
            if job.status == RunStatus.PAUSED:
                graph.resume(job)
    done.set()
    for thread in threads:
        thread.join(BOUND)
    for job in jobs:
        assert graph.wait_for_completion(job, BOUND)
        while job.status == RunStatus.PAUSED:
            graph.resume(job)
        assert job.status == RunStatus.COMPLETED
        counted = sorted(entry["value"] for entry in job.shared_log if "routine" not in entry)
        assert counted == list(range(1, 31))


@pytest.mark.parametrize("mode", MODES)
def test_cancelling_amid_pauses_and_resumptions(mode: Any) -> None:
    """Whoever comes first, a job that was cancelled is final, and those who wait for it return."""
    graph = graph_of(Source(count=10), Relay(), Counter(), execution_strategy=mode)
    for _ in range(60):
        job = graph.start("a")
        begin = threading.Barrier(3)

        def pause(job: JobState = job, begin: threading.Barrier = begin) -> None:
            begin.wait(BOUND)
            for _ in range(20):
                graph.pause(job)

        def resume(job: JobState = job, begin: threading.Barrier = begin) -> None:
            begin.wait(BOUND)
            for _ in range(5):
                with contextlib.suppress(GraphError):
                    graph.resume(job)

        threads = [threading.Thread(target=pause), threading.Thread(target=resume)]
        for thread in threads:
            thread.start()
        begin.wait(BOUND)
        graph.cancel(job)
        for thread in threads:
            thread.join(BOUND)
            assert not thread.is_alive()
        assert graph.wait_for_completion(job, BOUND)
        assert job.status in {RunStatus.CANCELLED, RunStatus.COMPLETED}
        assert job.flow_run.status == job.status


@pytest.mark.parametrize("mode", MODES)
def test_a_storm_of_cancellations_ends_all(mode: Any) -> None:
    """Cancelled from several threads, in every phase, each job is final and nobody waits for ever."""
    graph = chain(20, execution_strategy=mode)
    jobs = [graph.start("r0", {"value": 0}) for _ in range(100)]

    def cancel(part: list[JobState]) -> None:
        for job in part:
            graph.cancel(job)

    threads = [threading.Thread(target=cancel, args=(jobs[number::2],)) for number in (0, 1, 0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND)
    for job in jobs:
        assert graph.wait_for_completion(job, BOUND)
        assert job.status in {RunStatus.CANCELLED, RunStatus.COMPLETED}
    assert graph.execute("r0", {"value": 0}).status == RunStatus.COMPLETED


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
    assert not _values(job)
    assert "has returned" in said[0]
