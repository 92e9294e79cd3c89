"""How jobs run: order, width, priority, merges, and many at once."""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# Handlers are lambdas here, and a message tells no types.

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from flowscope import RunStatus
from flowscope.graph import (
    Connection,
    ErrorHandler,
    ErrorStrategy,
    GraphError,
    JobState,
    Routine,
    RoutineGraph,
    TaskPriority,
)
from support.graph.routines import BOUND, Counter, Gate, Hold, Source, called, chain, graph_of, values_of

STRATEGIES = ["sequential", "concurrent"]


def _add(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {"total": old.get("total", 0) + new["value"], "count": old.get("count", 0) + 1}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_execute_returns_a_job_that_is_final(strategy: Any) -> None:
    """Every activation of a chain is through, recorded in the history, the record and the states."""
    graph = chain(50, execution_strategy=strategy)
    job = graph.execute("r0", {"value": 0})
    assert job.status == RunStatus.COMPLETED
    assert values_of(job) == list(range(50))
    assert {state.status for state in job.routine_states.values()} == {"completed"}
    assert [task.task_name for task in job.flow_run.tasks] == [f"r{number}.trigger" for number in range(50)]
    assert [one.event_name for one in job.get_execution_history("r7")] == ["start", "out", "completed"]
    assert job.flow_run.status == RunStatus.COMPLETED
    assert not job.pending_activations


@pytest.mark.slow
def test_a_chain_of_ten_thousand(tmp_path: Path) -> None:
    """It runs, is drawn, checked, saved and loaded, without recursion."""
    graph = chain(10_000)
    jobs = [
        graph.execute("r0", {"value": 0}, "sequential"),
        graph.execute("r0", {"value": 0}, "concurrent"),
        asyncio.run(graph.execute_async("r0", {"value": 0})),
    ]
    for job in jobs:
        assert job.status == RunStatus.COMPLETED
        assert values_of(job) == list(range(10_000))
    assert [one.kind for one in graph.validate_graph()] == ["unheard_event"]
    assert len(graph.dependencies()) == 10_000
    assert graph.to_mermaid(jobs[0]).count("-->") == 9_999
    assert JobState.load(jobs[0].save(tmp_path / "job")).execution_history == jobs[0].execution_history


def test_a_long_chain_comes_back_from_its_spec() -> None:
    """A graph with more routines in a row than Python has levels of recursion."""
    graph = chain(2_000)
    again = RoutineGraph.deserialize(graph.serialize().model_dump_json())
    assert again.connections == graph.connections


def test_nobody_polls_for_the_end() -> None:
    """A thousand small jobs, waited for one after the other, have all run to the end in far less than 50 ms each."""
    graph = chain(2)
    began = time.perf_counter()
    for _ in range(500):
        started = graph.start("r0", {"value": 0})
        assert graph.wait_for_completion(started)
        for job in (started, graph.execute("r0", {"value": 0})):
            assert values_of(job) == [0, 1]
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_messages_go_first_in_first_out_in_connection_order(strategy: Any) -> None:
    """One activation for each connected slot: all children of an emit before their own children."""
    seen: list[str] = []
    graph = RoutineGraph(execution_strategy=strategy, max_workers=1)
    graph.add_routine(Source(count=2), "source")
    graph.add_routine(called(lambda value: seen.append(f"last{value}")), "last")
    for name in ("right", "left"):

        def handler(value: int, name: str = name) -> None:
            seen.append(f"{name}{value}")
            graph.routine(name).emit("out", value=f"-{name}{value}")

        graph.add_routine(called(lambda value, handler=handler: handler(value), "out"), name)
        graph.connect("source", "out", name, "trigger")
        graph.connect(name, "out", "last", "trigger")
    assert graph.execute("source").status == RunStatus.COMPLETED
    assert seen == [
        "right0", "left0", "right1", "left1", "last-right0", "last-left0", "last-right1", "last-left1",
    ]  # fmt: skip


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_event_connected_twice_is_received_twice(strategy: Any) -> None:
    """Once for each connection, each with its own mapping; an event that nobody receives goes nowhere."""
    seen: list[dict[str, int]] = []
    graph = RoutineGraph(execution_strategy=strategy, max_workers=1)

    def emit() -> None:
        source.emit("lost", x=0)
        source.emit("out", x=1)

    source = called(emit, "out", "lost")
    graph.add_routine(source, "a")
    graph.add_routine(called(lambda **kwargs: seen.append(kwargs)), "b")
    graph.connect("a", "out", "b", "trigger")
    graph.connect("a", "out", "b", "trigger", {"x": "y"})
    job = graph.execute("a")
    assert seen == [{"x": 1}, {"y": 1}]
    assert [one.event_name for one in job.get_execution_history("a")] == ["start", "lost", "out", "completed"]


def test_concurrent_runs_up_to_max_workers_at_once() -> None:
    """As many as there are workers meet at one point; one more is not let in."""
    gate, width = Gate(), 4
    running, most = [0], [0]
    lock = threading.Lock()

    def handler(value: int) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        gate.pass_through()
        with lock:
            running[0] -= 1

    graph = graph_of(Source(count=9), called(handler), max_workers=width)
    job = graph.start("a", execution_strategy="concurrent")
    gate.wait_entered(width)
    assert job.status.value == "running"
    gate.open()
    assert graph.wait_for_completion(job, BOUND)
    assert most[0] == width
    assert job.status == RunStatus.COMPLETED


def test_sequential_is_one_at_a_time_over_all_jobs_and_priority_orders_them() -> None:
    """While one activation holds the worker, jobs wait; then those of high priority go first, else first come."""
    gate = Gate()
    seen: list[str] = []
    graph = RoutineGraph()
    graph.add_routine(Hold(gate), "hold")
    graph.add_routine(called(lambda name: seen.append(name)), "note")
    first = graph.start("hold")
    gate.wait_entered()
    order = [("low", TaskPriority.LOW), ("one", TaskPriority.NORMAL), ("high", TaskPriority.HIGH)]
    order.append(("two", TaskPriority.NORMAL))
    jobs = [graph.start("note", {"name": name}, priority=priority) for name, priority in order]
    assert not seen
    gate.open()
    for job in [first, *jobs]:
        assert graph.wait_for_completion(job, BOUND)
    assert seen == ["high", "one", "two", "low"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_message_is_each_receivers_own(strategy: Any) -> None:
    """What a handler does to it reaches neither the others, nor the history, nor the next attempt."""
    seen: list[list[int]] = []
    attempts: list[int] = []

    def spoil(value: list[int]) -> None:
        seen.append(list(value))
        value.append(99)
        attempts.append(1)
        if len(attempts) == 1:
            raise ValueError

    source = called(lambda: source.emit("out", value=[1]), "out")
    graph = RoutineGraph(execution_strategy=strategy, max_workers=1)
    graph.set_error_handler(ErrorHandler(strategy=ErrorStrategy.RETRY, retry_delay=0))
    graph.add_routine(source, "a")
    for name in ("b", "c"):
        graph.add_routine(called(spoil), name)
        graph.connect("a", "out", name, "trigger")
    job = graph.execute("a")
    assert seen == [[1]] * 3
    assert [one.data for one in job.execution_history if one.event_name == "start"] == [{}] + [{"value": [1]}] * 3


def test_append_delivers_snapshots() -> None:
    """Each activation has the lists as of its own message; changing them changes nothing for the others."""
    seen: list[list[int]] = []

    def handler(value: list[int]) -> None:
        seen.append(list(value))
        value.clear()

    graph = graph_of(Source(count=3), called(handler, merge_strategy="append"))
    for _ in range(2):
        seen.clear()
        graph.execute("a")
        assert seen == [[0], [0, 1], [0, 1, 2]]


def test_a_custom_merge_delivers_snapshots() -> None:
    """Neither the function nor a handler can change what has been merged but by what the function returns."""
    seen: list[list[int]] = []

    def merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        values = [*old.get("values", []), new["value"]]
        old.setdefault("values", []).append("spoilt")
        return {"values": values}

    def handler(values: list[int]) -> None:
        seen.append(list(values))
        values.append(99)

    graph = graph_of(Source(count=3), called(handler, merge_strategy=merge))
    job = graph.execute("a")
    assert seen == [[0], [0, 1], [0, 1, 2]]
    assert [one.data for one in job.merges] == [{"values": [0, 1, 2]}]


def test_a_merge_that_fails_changes_nothing() -> None:
    """Whatever it did to what it was given before it raised: the next message is merged with what there was."""
    seen: list[list[int]] = []

    def merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        values = old.setdefault("values", [])
        values.append(new["value"])
        if new["value"] == 1:
            raise LookupError
        return old

    routine = called(lambda values: seen.append(values), merge_strategy=merge).set_as_optional()
    graph = graph_of(Source(count=4), routine)
    job = graph.execute("a")
    assert job.status == RunStatus.COMPLETED
    assert seen == [[0], [0, 2], [0, 2, 3]]
    assert [one.data for one in job.merges] == [{"values": [0, 2, 3]}]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_merges_are_of_one_slot(strategy: Any) -> None:
    """Two slots of one routine, and one routine under two ids, have each their own; a slot without a handler too."""
    end = Routine()
    seen: list[tuple[str, int]] = []
    end.define_slot("one", lambda total: seen.append(("one", total)), merge_strategy=_add)
    end.define_slot("two", lambda total: seen.append(("two", total)), merge_strategy=_add)
    end.define_slot("silent", None, merge_strategy=_add)
    graph = RoutineGraph(execution_strategy=strategy, max_workers=1)
    graph.add_routine(Source(count=2), "source")
    for name in ("x", "y"):
        graph.add_routine(end, name)
        for slot in ("one", "two", "silent"):
            graph.connect("source", "out", name, slot)
    job = graph.execute("source")
    assert seen == [("one", 0), ("two", 0)] * 2 + [("one", 1), ("two", 1)] * 2
    assert {(one.routine_id, one.slot): one.data["total"] for one in job.merges} == {
        (name, slot): 1 for name in ("x", "y") for slot in ("one", "two", "silent")
    }


def test_a_merge_that_fails_is_an_error_of_that_activation() -> None:
    """One that raises, or returns no dictionary, fails the job and names what happened."""

    def raising(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        raise LookupError("no merge")

    merges: list[tuple[Any, str]] = [(raising, "no merge"), (lambda _old, _new: 5, "wanted a dictionary")]
    for merge, text in merges:
        job = graph_of(Source(), called(lambda: None, merge_strategy=merge)).execute("a")
        assert job.status == RunStatus.FAILED
        assert job.error is not None
        assert text in job.error.message
        assert job.routine_states["b"].status == "failed"


def test_param_mapping_renames_all_at_once() -> None:
    """Names may be swapped; the source name is gone, and other keys pass."""
    seen: list[dict[str, int]] = []
    graph = RoutineGraph()
    source = called(lambda: source.emit("out", a=1, b=2, c=3), "out")
    graph.add_routine(source, "a")
    graph.add_routine(called(lambda **kwargs: seen.append(kwargs)), "b")
    made = graph.connect("a", "out", "b", "trigger", {"a": "b", "b": "a"})
    assert isinstance(made, Connection)
    graph.execute("a")
    assert seen == [{"b": 1, "a": 2, "c": 3}]


def test_a_routine_may_feed_itself() -> None:
    """Messages go round until the handler stops sending; no recursion limits them."""

    def count(value: int) -> None:
        if value:
            loop.emit("out", value=value - 1)

    loop = called(count, "out")
    graph = RoutineGraph()
    graph.add_routine(loop, "a")
    graph.connect("a", "out", "a", "trigger")
    job = graph.execute("a", {"value": 3_000})
    performance = job.performance("a")
    assert performance is not None
    assert performance.total_executions == 3_001


def test_performance_counts_and_times() -> None:
    """For a routine and for the job; None for what has not run."""

    def sometimes(value: int) -> None:
        if value == 1:
            raise ValueError(value)

    graph = graph_of(Source(count=4), called(sometimes).set_as_optional())
    job = graph.execute("a")
    one, both = job.performance("b"), job.performance()
    assert one is not None
    assert both is not None
    assert (one.total_executions, one.completed, one.failed, one.success_rate) == (4, 3, 1, 0.75)
    assert 0 <= one.min_execution_time <= one.avg_execution_time <= one.max_execution_time
    assert both.total_executions == 5
    assert job.performance("x") is None
    assert JobState(flow_id="g").performance() is None


async def test_many_jobs_in_one_loop() -> None:
    """`execute_async` lets the loop go on, and async handlers run in it."""

    async def handler(value: int) -> None:
        await asyncio.sleep(0)
        routine.job.update_shared_data("value", value)

    routine = called(handler)
    graph = graph_of(routine, execution_strategy="concurrent")
    jobs = await asyncio.gather(*(graph.execute_async("a", {"value": number}) for number in range(100)))
    assert [job.get_shared_data("value") for job in jobs] == list(range(100))


def test_waiting_inside_a_handler_is_refused() -> None:
    """What would wait for itself is an error there, in sync and async handlers; `start` is not."""
    said: list[str] = []
    started: list[JobState] = []

    def attempts() -> None:
        for attempt in (lambda: graph.execute("end"), graph.shutdown, lambda: graph.wait_for_completion(sync.job)):
            with pytest.raises(GraphError, match="wait for itself") as raised:
                attempt()
            said.append(str(raised.value))

    async def async_attempts() -> None:
        attempts()
        with pytest.raises(GraphError, match="wait for itself"):
            await graph.execute_async("end")
        started.append(graph.start("end"))

    sync = called(attempts)
    graph = RoutineGraph()
    graph.add_routine(called(lambda: None), "end")
    graph.add_routine(sync, "sync")
    assert graph.execute("sync").status == RunStatus.COMPLETED
    sync = called(async_attempts)
    graph.add_routine(sync, "async")
    assert graph.execute("async").status == RunStatus.COMPLETED
    assert graph.wait_for_completion(started[0], BOUND)
    assert len(said) == 6


def test_shutdown_waits_or_cancels_and_takes_no_more() -> None:
    """With `wait` running jobs end first; at its timeout, or without, they are cancelled; later jobs are refused."""
    gate = Gate()
    graph = graph_of(Hold(gate), Counter())
    jobs = [graph.start("a", {"value": number}) for number in range(3)]
    gate.wait_entered()
    gate.open()
    graph.shutdown()
    assert [job.status for job in jobs] == [RunStatus.COMPLETED] * 3
    with pytest.raises(GraphError, match="shut down"):
        graph.start("a")
    for wait, timeout in ((False, None), (True, 0.0)):
        gate = Gate()
        graph = graph_of(Hold(gate), Counter())
        jobs = [graph.start("a", {"value": number}) for number in range(3)]
        gate.wait_entered()
        graph.shutdown(wait, timeout)
        assert [job.status for job in jobs] == [RunStatus.CANCELLED] * 3
        gate.open()


def test_the_block_of_a_graph_ends_its_jobs() -> None:
    """They come to their end at the end of the block."""
    with graph_of(Source(count=100), Counter()) as graph:
        job = graph.start("a")
    assert job.status == RunStatus.COMPLETED
    assert len(job.shared_log) == 100
