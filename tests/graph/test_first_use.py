"""What users of graphs came upon in their first days."""

import asyncio
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from flowscope import FlowConfig, RunStatus, bind_context
from flowscope.graph import ErrorHandler, GraphError, JobState, Routine, RoutineGraph, event, slot
from support.graph.routines import Counter, Gate, Source, called, graph_of


class Threaded(Routine):
    """Emits in a thread of its own."""

    out = event("value")

    @slot
    def trigger(self) -> None:
        """Emit there, and wait for that."""
        thread = threading.Thread(target=bind_context(self.speak))
        thread.start()
        thread.join()

    def speak(self) -> None:
        """Emit."""
        self.emit("out", value=1)


class Saving(Routine):
    """Saves its job while it runs, the first time."""

    path: Path

    @slot
    def trigger(self) -> None:
        """Save it."""
        if not self.path.exists():
            self.job.save(self.path)


def test_a_bound_function_speaks_for_its_handler() -> None:
    """`bind_context` takes the place of a handler along into a thread."""
    job = graph_of(Threaded(), Counter()).execute("a")
    assert [entry["value"] for entry in job.shared_log] == [1]


def test_every_task_of_a_resumed_job_has_an_end(tmp_path: Path) -> None:
    """What ran when a job was saved, and runs again, is abandoned in the record of the first time."""
    file = tmp_path / "then"
    graph = RoutineGraph("g")
    graph.add_routine(Saving(path=file), "a")
    graph.execute("a")
    job = graph.resume(JobState.load(file))
    assert [task.status for task in job.flow_run.tasks] == [RunStatus.ABANDONED, RunStatus.COMPLETED]


def test_an_error_in_the_history_is_the_same_after_loading(tmp_path: Path) -> None:
    """It is plain data, here and there."""

    def fail() -> None:
        raise ValueError("no")

    job = graph_of(called(fail)).execute("a")
    for one in (job, JobState.load(job.save(tmp_path / "job"))):
        assert one.get_execution_history("a")[-1].data["error"]["message"] == "no"


def test_the_file_of_a_job_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Messages that are resumed from are in it unmasked; who wants others to read it changes its mode, which stays."""
    file = JobState(flow_id="g").save(tmp_path / "job")
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o664)
    JobState(flow_id="g").save(file)
    assert file.stat().st_mode & 0o777 == 0o664
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("options", [{"execution_timeout": -1}, {"max_workers": "3"}, {"max_workers": 0}])
def test_options_of_a_graph_are_checked(options: Any) -> None:
    """A graph that could not run its jobs is not made."""
    with pytest.raises(GraphError, match="wanted"):
        RoutineGraph(**options)


INTERRUPTED = """
import signal, sys, threading
from flowscope.graph import RoutineGraph, Routine

signal.signal(signal.SIGINT, signal.default_int_handler)  # though it may have been started in the background

def handler():
    print("running", file=sys.__stdout__, flush=True)  # that of the program, not the one that is captured
    threading.Event().wait()

routine = Routine()
routine.define_slot("trigger", handler)
with RoutineGraph("g") as graph:
    graph.add_routine(routine, "a")
    graph.execute("a", save_to=sys.argv[1])
"""


def test_a_saved_job_survives_an_interrupt(tmp_path: Path) -> None:
    """Ctrl-C during `execute` leaves a file from which the job is resumed, though the graph is left with it."""
    file = tmp_path / "job"
    with subprocess.Popen([sys.executable, "-c", INTERRUPTED, str(file)], stdout=PIPE, stderr=PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"running\n"
        while program.poll() is None:  # Python may miss one that comes as it begins to wait
            program.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                program.wait(0.5)
    assert JobState.load(file).status in {RunStatus.RUNNING, RunStatus.PAUSED}
    job = graph_of(called(lambda: None), flow_id="g").resume(JobState.load(file))
    assert job.status is RunStatus.COMPLETED


def test_texts_about_jobs_and_graphs_are_short() -> None:
    """They name what they are, and are not the whole history."""
    graph = graph_of(called(lambda: None), flow_id="bakery")
    job = graph.execute("a")
    assert repr(graph) == "<RoutineGraph 'bakery': 1 routines, 0 connections>"
    assert repr(job).startswith("JobState(flow_id='bakery', job_id='job-")
    assert "history" not in repr(job)


def test_what_saving_tells_is_about_the_job(tmp_path: Path) -> None:
    """Also while something else has gone wrong."""
    job = JobState(flow_id="g")
    job.update_shared_data("thing", object())
    try:
        raise LookupError("quite another")
    except LookupError:
        with pytest.raises(GraphError, match=r"^data\['thing'\] is of type builtins.object"):
            job.save(tmp_path / "job")


def test_a_saved_job_survives_the_end_of_its_event_loop(tmp_path: Path) -> None:
    """An interrupt of `asyncio.run` cancels the handler and pauses the job; resumed, the handler runs again."""
    file = tmp_path / "job"

    async def main() -> None:
        entered = asyncio.Event()

        async def handler() -> None:
            entered.set()
            await asyncio.Event().wait()

        routine.define_slot("trigger", handler)
        waiting = asyncio.create_task(graph.execute_async("a", save_to=file))
        await entered.wait()
        waiting.cancel()

    routine = Routine()
    graph = RoutineGraph("g")
    graph.add_routine(routine, "a")
    asyncio.run(main())
    graph.shutdown()
    job = JobState.load(file)
    assert (job.status, len(job.pending_activations)) == (RunStatus.PAUSED, 1)
    assert graph_of(called(lambda: None), flow_id="g").resume(job).status is RunStatus.COMPLETED


def test_the_events_of_a_paused_job_are_numbered_through() -> None:
    """1 for the first one, then without gaps, over all stretches."""

    def handler() -> None:
        graph.pause(routine.job)
        routine.emit("out", value=1)

    routine = called(handler, "out")
    graph = graph_of(routine, Counter(), flow_config=FlowConfig(capture_events=True))
    job = graph.resume(graph.execute("a"))
    events = job.flow_run.events
    assert [one.sequence for one in events] == list(range(1, len(events) + 1))


def test_no_delay_stays_none() -> None:
    """However often it is multiplied."""
    assert ErrorHandler(retry_delay=0).pause_after(2_000) == 0.0
    assert ErrorHandler(retry_delay=1).pause_after(2_000) > 1e6


@pytest.mark.parametrize("options", [{"entry_params": [1]}, {"entry_params": "ab"}, {"save_every": 0}])
def test_what_makes_no_sense_starts_nothing(options: Any) -> None:
    """A message is a mapping, and a job is not saved after no activations."""
    graph = graph_of(called(lambda: None))
    with pytest.raises(GraphError, match="wanted"):
        graph.start("a", **options)


def test_a_job_runs_once_whichever_object_of_its_graph_is_asked() -> None:
    """A graph that was built twice is one graph to its jobs: what one object runs, the other controls and waits for."""
    gate, seen = Gate(), list[int]()

    def take(value: int) -> None:
        gate.pass_through()
        seen.append(value)

    def build() -> RoutineGraph:
        return graph_of(Source(count=3), called(take), flow_id="same")

    first, second = build(), build()
    job = first.start("a")
    gate.wait_entered()
    assert not second.wait_for_completion(job, 0)
    with pytest.raises(GraphError, match="is running"):
        second.resume(job)
    second.pause(job)
    assert (job.status, len(job.pending_activations)) == (RunStatus.PAUSED, 2)
    gate.open()
    assert second.resume(job).status is RunStatus.COMPLETED
    assert seen == [0, 1, 2]
    assert [task.task_name for task in job.flow_run.tasks] == ["a.trigger", *["b.trigger"] * 3]
