"""Many jobs and many messages at once: nothing mixes, nothing is lost, what is urgent goes first, and all of it goes away."""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# Handlers are lambdas here, and a message tells no types.

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowscope import FlowConfig, FlowEvent, RunStatus, flow_events
from flowscope.graph import ErrorHandler, ErrorStrategy, GraphError, JobState, Routine, RoutineGraph, TaskPriority
from support.graph.routines import (
    BOUND,
    AsyncGate,
    Counter,
    Gate,
    Hold,
    Relay,
    Source,
    begun,
    called,
    graph_of,
    values_of,
)

MODES = ["sequential", "concurrent"]


@pytest.fixture
def uncollected() -> Iterator[None]:
    """A test without the garbage collector, which would hide a cycle."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def _add(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {"total": old.get("total", 0) + new["value"]}


@pytest.mark.parametrize("mode", MODES)
def test_a_thousand_jobs_do_not_mix(mode: Any) -> None:
    """Started from many threads: each has its own log, merges, states, prints and record."""

    def take(total: int) -> None:
        print("total", total)
        end.job.append_to_shared_log({"value": total})

    end = Routine()
    end.define_slot("input", take, merge_strategy=_add)
    graph = graph_of(Relay(), end, execution_strategy=mode)

    def start(numbers: range) -> list[JobState]:
        return [graph.start("a", {"value": number}) for number in numbers]

    starting = [begun(start, range(first, first + 125)) for first in range(0, 1_000, 125)]
    jobs = [job for one in starting for job in one.result(BOUND)]
    for number, job in enumerate(jobs):
        assert graph.wait_for_completion(job, BOUND)
        assert job.status == RunStatus.COMPLETED
        assert values_of(job) == [number, number + 1]
        record = job.flow_run
        assert [task.task_name for task in record.tasks] == ["a.trigger", "b.input"]
        assert [line.message for line in record.logs if line.source == "stdout"] == [f"total {number + 1}"]
    assert len({job.job_id for job in jobs}) == len({job.flow_run.flow_id for job in jobs}) == 1_000


def test_jobs_of_both_modes_do_not_mix() -> None:
    """One of each, on one graph: the sequential ones go one at a time beside the concurrent ones."""
    gate = Gate()
    graph = graph_of(Source(count=5), Hold(gate), Counter(), max_workers=3)
    sequential = [graph.start("a") for _ in range(3)]
    concurrent = [graph.start("a", execution_strategy="concurrent") for _ in range(3)]
    gate.wait_entered(1 + 3)
    gate.open()
    for job in [*sequential, *concurrent]:
        assert graph.wait_for_completion(job, BOUND)
        assert sorted(values_of(job)) == list(range(5))
    assert [job.execution_strategy for job in sequential] == ["sequential"] * 3


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kept", [True, False], ids=["checkpoints", "none"])
def test_two_hundred_messages_make_a_sum_of_two_hundred(mode: Any, kind: str, kept: bool, tmp_path: Path) -> None:
    """From concurrent handlers, through a custom merge: each step of the sum is delivered once, in each job anew."""
    seen: list[int] = []

    def emit(value: int) -> None:
        spread.emit("out", value=1)

    async def emit_async(value: int) -> None:
        emit(value)

    end = Routine()
    end.define_slot("input", lambda total: seen.append(total), merge_strategy=_add)
    spread = called(emit if kind == "sync" else emit_async, "out")
    graph = graph_of(Source(count=200), spread, end, execution_strategy=mode, max_workers=8)
    for number in range(2):
        seen.clear()
        job = graph.execute("a", save_to=tmp_path / str(number) if kept else None, save_every=50)
        assert job.status == RunStatus.COMPLETED
        assert sorted(seen) == list(range(1, 201))
        assert [one.data for one in job.merges] == [{"total": 200}]


@pytest.mark.parametrize("mode", MODES)
def test_fan_in_appends_every_message(mode: Any) -> None:
    """From several routines at once: the last list has all, and each one is as long as its number."""
    seen: list[list[int]] = []
    graph = RoutineGraph(execution_strategy=mode, max_workers=4)
    graph.add_routine(Source(count=50), "source")
    end = Routine()
    end.define_slot("input", lambda value: seen.append(value), merge_strategy="append")
    graph.add_routine(end, "end")
    for name in ("left", "right"):
        graph.add_routine(Relay(), name)
        graph.connect("source", "out", name, "trigger")
        graph.connect(name, "out", "end", "input")
    assert graph.execute("source").status == RunStatus.COMPLETED
    assert sorted(map(len, seen)) == list(range(1, 101))
    assert [sorted(one) for one in seen if len(one) == 100] == [sorted([*range(1, 51)] * 2)]


def test_what_is_urgent_goes_first_under_contention() -> None:
    """All workers are busy while jobs of all priorities come, from many threads: then HIGH, NORMAL and LOW, in order."""
    gate = Gate()
    seen: list[tuple[TaskPriority, int]] = []
    graph = RoutineGraph()
    graph.add_routine(Hold(gate), "hold")
    graph.add_routine(called(lambda priority, number: seen.append((priority, number))), "note")
    first = graph.start("hold")
    gate.wait_entered()
    priorities = [TaskPriority.LOW, TaskPriority.HIGH, TaskPriority.NORMAL]

    def start(priority: TaskPriority) -> list[JobState]:
        return [
            graph.start("note", {"priority": priority, "number": number}, priority=priority) for number in range(50)
        ]

    starting = [begun(start, priority) for priority in priorities]
    jobs = [job for one in starting for job in one.result(BOUND)]
    assert not seen
    gate.open()
    for job in [first, *jobs]:
        assert graph.wait_for_completion(job, BOUND)
    assert seen == [(priority, number) for priority in sorted(priorities) for number in range(50)]


def test_an_urgent_job_overtakes_the_messages_of_another() -> None:
    """What waits goes behind it, whatever its number; a running handler is not disturbed."""
    gate = Gate()
    seen: list[str] = []
    graph = RoutineGraph()
    graph.add_routine(Hold(gate), "hold")
    graph.add_routine(Source(count=3), "source")
    graph.add_routine(called(lambda value: seen.append(f"slow {value}")), "slow")
    graph.add_routine(called(lambda: seen.append("urgent")), "urgent")
    graph.connect("hold", "out", "source", "trigger")
    graph.connect("source", "out", "slow", "trigger")
    slow = graph.start("hold")
    gate.wait_entered()
    urgent = graph.start("urgent", priority=TaskPriority.HIGH)
    gate.open()
    for job in (slow, urgent):
        assert graph.wait_for_completion(job, BOUND)
    assert seen == ["urgent", "slow 0", "slow 1", "slow 2"]


@pytest.mark.parametrize("mode", MODES)
def test_handlers_may_start_jobs_on_their_own_graph(mode: Any) -> None:
    """They come after what waits already; each is a job of its own, with the context of that handler."""
    started: list[JobState] = []
    through = threading.Semaphore(0)

    def handler(depth: int) -> None:
        if depth:
            started.extend(graph.start("a", {"depth": depth - 1}) for _ in range(2))
        routine.emit("out", value=depth)

    def take(value: int) -> None:
        end.job.append_to_shared_log({"value": value})
        through.release()

    routine, end = called(handler, "out"), called(take)
    graph = graph_of(routine, end, execution_strategy=mode)
    first = graph.execute("a", {"depth": 5})
    for _ in range(1 + 2 + 4 + 8 + 16 + 32):
        assert through.acquire(timeout=BOUND)
    assert values_of(first) == [5]
    assert len(started) == 2 + 4 + 8 + 16 + 32
    assert all(graph.wait_for_completion(job, BOUND) for job in started)
    assert {job.status for job in started} == {RunStatus.COMPLETED}
    assert sorted(value for job in started for value in values_of(job)) == sorted(
        depth for depth in range(5) for _ in range(2 ** (5 - depth))
    )


def test_jobs_of_many_loops_and_threads_at_once() -> None:
    """`execute`, `start` and `execute_async` in several loops, all on one graph, each with its own values."""

    async def handler(value: int) -> None:
        await asyncio.sleep(0)
        routine.emit("out", value=value)

    routine = called(handler, "out")
    graph = graph_of(routine, Counter(), execution_strategy="concurrent")

    async def main(numbers: range) -> list[JobState]:
        return await asyncio.gather(*(graph.execute_async("a", {"value": number}) for number in numbers))

    loops = [begun(lambda first=first: asyncio.run(main(range(first, first + 25)))) for first in range(0, 75, 25)]
    threads = [begun(graph.execute, "a", {"value": number}) for number in range(75, 100)]
    jobs = [job for one in loops for job in one.result(BOUND)] + [one.result(BOUND) for one in threads]
    assert [values_of(job) for job in jobs] == [[number] for number in range(100)]


@pytest.mark.parametrize("mode", MODES)
def test_listeners_hear_of_activations_while_the_job_runs(mode: Any) -> None:
    """Before the handler is through; each job's events are numbered without gaps, in its record as for listeners."""
    gate = Gate()
    told: dict[str, list[FlowEvent]] = {}
    heard = threading.Semaphore(0)

    def listener(event: FlowEvent) -> None:
        told.setdefault(event.event_data.flow_run_id, []).append(event)
        if event.event_type == "task_start" and event.event_data.task_name == "b.trigger":
            heard.release()

    config = FlowConfig(capture_events=True)
    graph = graph_of(Source(count=1), Hold(gate), Counter(), execution_strategy=mode, flow_config=config)
    with flow_events.subscribe(listener):
        jobs = [graph.start("a") for _ in range(3)]
        assert heard.acquire(timeout=BOUND)
        running = jobs[0].flow_run
        assert running.status == RunStatus.RUNNING
        assert running.end_time is None
        assert [task.task_name for task in running.tasks] == ["a.trigger", "b.trigger"]
        assert [task.status for task in running.tasks] == [RunStatus.COMPLETED, RunStatus.RUNNING]
        gate.open()
        assert all(graph.wait_for_completion(job, BOUND) for job in jobs)
    for job in jobs:
        record = job.flow_run
        events = told[record.flow_id]
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert [event.event_id for event in record.events] == [event.event_id for event in events]
        assert [event.event_type.value for event in events if event.event_data.task_name is None] == [
            "flow_start",
            "flow_stop",
        ]


def test_the_record_of_a_job_that_was_paused_is_one() -> None:
    """Its tasks, orders, prints and events go on over the stretches; a final record is that of the last status."""

    def handler(value: int) -> None:
        print("value", value)
        if value == 1:
            graph.pause(routine.job)
        if value == 2:
            raise LookupError("two")

    config = FlowConfig(capture_events=True)
    routine = called(handler)
    graph = graph_of(Source(count=3), routine, flow_config=config)
    job = graph.execute("a")
    assert job.flow_run.status == RunStatus.PAUSED
    assert graph.resume(job).status == RunStatus.FAILED
    for record in (job.flow_run, JobState.model_validate_json(job.model_dump_json()).flow_run):
        assert record.status == RunStatus.FAILED
        assert record.error is not None
        assert record.error.message == "two"
        assert any("b.trigger" in note for note in record.error.notes)
        assert [task.execution_order for task in record.tasks] == [1, 2, 3, 4]
        assert len({task.task_id for task in record.tasks}) == 4
        lines = {line.message: line.task_id for line in record.logs if line.source == "stdout"}
        assert list(lines) == ["value 0", "value 1", "value 2"]
        assert list(lines.values()) == [task.task_id for task in record.tasks[1:]]
        assert record.start_time is not None
        assert record.end_time is not None
        assert record.start_time <= record.tasks[0].start_time <= record.end_time


def test_events_of_a_job_that_was_paused_are_those_of_its_stretches() -> None:
    """In the order in which they happened; no two are the same one."""

    def handler() -> None:
        graph.pause(routine.job)
        routine.emit("out", value=1)

    routine = called(handler, "out")
    graph = graph_of(routine, Counter(), flow_config=FlowConfig(capture_events=True))
    job = graph.execute("a")
    graph.resume(job)
    events = job.flow_run.events
    assert [event.event_type.value for event in events] == ["flow_start", "task_start", "task_stop", "flow_stop"] * 2
    assert len({event.event_id for event in events}) == len(events)
    times = [event.timestamp for event in events]
    assert times == sorted(times)


@pytest.mark.parametrize("mode", MODES)
def test_the_threads_of_a_graph_end_with_it(mode: Any) -> None:
    """Those that wait for work leave when it is shut down, and a busy one when its handler lets it."""
    before = set(threading.enumerate())
    gate = Gate()
    graph = graph_of(Source(count=5), Hold(gate), execution_strategy=mode)
    job = graph.start("a")
    gate.wait_entered()
    graph.shutdown(wait=False)
    gate.open()
    assert job.status == RunStatus.CANCELLED
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith("flowscope-graph"):
            thread.join(BOUND)
            assert not thread.is_alive()


def _fail() -> None:
    raise ValueError


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("act", [lambda: None, _fail], ids=["completes", "fails"])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_graph_that_is_dropped_while_its_job_runs_ends_with_it(
    mode: Any, act: Callable[[], None], is_async: bool, uncollected: None
) -> None:
    """Its threads leave with the job, sooner than idle ones do, and without the garbage collector."""
    before = set(threading.enumerate())
    gate, async_gate = Gate(), AsyncGate()

    def handle() -> None:
        gate.pass_through()
        act()

    async def handle_async() -> None:
        await async_gate.pass_through()
        act()

    graph = graph_of(Source(count=2), called(handle_async if is_async else handle), execution_strategy=mode)
    job = graph.start("a")
    (async_gate if is_async else gate).wait_entered()
    threads = [each for each in set(threading.enumerate()) - before if each.name.startswith("flowscope-graph")]
    assert threads
    dropped = weakref.ref(graph)
    del graph
    (async_gate if is_async else gate).open()
    for thread in threads:
        thread.join(BOUND / 4)
    assert dropped() is None
    assert [thread.name for thread in threads if thread.is_alive()] == []
    assert job.status == (RunStatus.FAILED if act is _fail else RunStatus.COMPLETED)


class _Load:
    """Something large in a message."""


@pytest.mark.parametrize("mode", MODES)
def test_ended_jobs_leave_nothing_behind(mode: Any) -> None:
    """Neither they, nor their messages, nor, in the end, their graph: not for a timeout, not for a retry."""

    def fail(load: object) -> None:
        raise ValueError

    refs: list[weakref.ref[Any]] = []
    strategy = ErrorHandler(strategy=ErrorStrategy.RETRY, retry_delay=3600)
    graph = graph_of(called(lambda load: None), execution_strategy=mode)
    graph.add_routine(called(fail).set_error_handler(strategy), "b")

    def run(graph: RoutineGraph) -> None:
        load = _Load()
        done = graph.execute("a", {"load": load}, timeout=3600)
        waiting = graph.start("b", {"load": load}, timeout=3600)
        graph.cancel(waiting)
        refs.extend(map(weakref.ref, (load, done, waiting)))

    run(graph)
    graph.execute("a", {"load": None})
    graph.shutdown()
    refs.append(weakref.ref(graph))
    del graph
    gc.collect()
    assert [one() for one in refs] == [None] * 4


def _exits(code: str) -> tuple[int, str]:
    before = (
        "import asyncio, atexit, threading\nfrom flowscope.graph import *\nfrom tests.support.graph.routines import *\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", before + code],
        check=False,
        timeout=BOUND * 2,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    return done.returncode, done.stdout + done.stderr


EXITS = {
    "a busy handler": "gate = Gate(); graph = graph_of(Hold(gate)); graph.start('a'); gate.wait_entered()",
    "an async handler": "gate = AsyncGate()\nasync def wait(): await gate.pass_through()\n"
    "graph = graph_of(called(wait)); graph.start('a'); gate.wait_entered()",
    "a retry": "def fail(): raise ValueError\n"
    "graph = graph_of(called(fail).set_error_handler(ErrorHandler(strategy='retry', retry_delay=3600)))\n"
    "graph.start('a', timeout=3600)",
    "many jobs": "graph = chain(200, execution_strategy='concurrent')\n"
    "for _ in range(20): graph.start('r0', {'value': 0})",
    "an idle graph": "graph = graph_of(Source(), Counter()); graph.execute('a')",
}


@pytest.mark.slow
@pytest.mark.parametrize("what", EXITS)
def test_no_graph_keeps_the_interpreter_from_exiting(what: str) -> None:
    """Nor makes noise on the way."""
    assert _exits(EXITS[what]) == (0, "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_graphs_of_its_own() -> None:
    """New jobs run there, on the same graph and on new ones; the jobs of the parent are not its own."""
    gate = Gate()
    graph = graph_of(Hold(gate), Counter())
    graph.add_routine(Source(), "source")
    job = graph.start("a")
    gate.wait_entered()
    child = os.fork()
    if child == 0:
        signal.alarm(int(BOUND))
        outcomes = 0
        try:
            outcomes += graph_of(Source(), Counter()).execute("a").status == RunStatus.COMPLETED
            outcomes += graph.execute("source").status == RunStatus.COMPLETED
            graph.shutdown(wait=False)
            outcomes += job.status == RunStatus.CANCELLED
        finally:
            os._exit(outcomes)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 3
    gate.open()
    assert graph.wait_for_completion(job, BOUND)
    assert job.status == RunStatus.COMPLETED


def test_an_interrupt_of_the_wait_cancels_the_job() -> None:
    """Ctrl-C in `execute` comes through; the handler is left behind."""
    code = (
        "import os, signal\ngate = Gate(); jobs = []\n"
        "def handler():\n    jobs.append(routine.job)\n    os.kill(os.getpid(), signal.SIGINT)\n    gate.pass_through()\n"
        "routine = called(handler); graph = graph_of(routine)\n"
        "try:\n    graph.execute('a')\nexcept KeyboardInterrupt:\n    print(jobs[0].status)\n"
    )
    assert _exits(code) == (0, "cancelled\n")


@pytest.mark.parametrize("mode", MODES)
def test_a_changed_width_holds_for_jobs_to_come(mode: Any) -> None:
    """Those that run keep theirs, and none is lost."""
    gate = Gate()
    graph = graph_of(Source(count=6), Hold(gate), Counter(), execution_strategy="concurrent", max_workers=1)
    before = graph.start("a")
    gate.wait_entered()
    graph.set_execution_strategy(mode, 3)
    after = graph.start("a")
    gate.wait_entered(1 if mode == "sequential" else 3)
    gate.open()
    for job in (before, after):
        assert graph.wait_for_completion(job, BOUND)
        assert sorted(values_of(job)) == list(range(6))
    assert after.execution_strategy == mode
    refused: list[Callable[[], object]] = [
        lambda: graph.set_execution_strategy("parallel", 2),  # type: ignore[arg-type] # what is tested
        lambda: graph.set_execution_strategy("concurrent", 0),
    ]
    for one in refused:
        with pytest.raises(GraphError):
            one()
    assert (graph.execution_strategy, graph.max_workers) == (mode, 3)
