"""What the failure of an activation means for its routine and its job."""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# Handlers are lambdas here, and a message tells no types.

import itertools
import threading
from typing import Any

import pytest

from flowscope import RunStatus
from flowscope.graph import ErrorHandler, ErrorStrategy, Routine, RoutineGraph

from .routines import BOUND, Counter, Gate, Hold, Source, called, graph_of

Table = list[tuple[str | None, bool, str, str]]
"""The strategy, whether the routine is optional, and what becomes of the job and the routine."""

OUTCOMES: Table = [
    (None, False, "failed", "failed"),
    ("stop", False, "failed", "failed"),
    ("continue", False, "completed", "error_continued"),
    ("skip", False, "completed", "skipped"),
    ("retry", False, "failed", "failed"),
    ("stop", True, "completed", "error_continued"),
    ("retry", True, "completed", "error_continued"),
    ("skip", True, "completed", "skipped"),
]


def _handler(strategy: str, **options: Any) -> ErrorHandler:
    return ErrorHandler(strategy=ErrorStrategy(strategy), max_retries=2, retry_delay=0, **options)


def _failing(times: int = 1_000, error: type[Exception] = ValueError) -> tuple[Routine, list[int]]:
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        if len(calls) <= times:
            raise error("no")

    return called(fail), calls


def _graph(routine: Routine, place: str, mode: Any) -> tuple[RoutineGraph, str]:
    """With the routine as the entry or after it; its name."""
    if place == "entry":
        return graph_of(routine, execution_strategy=mode), "a"
    return graph_of(Source(count=1), routine, execution_strategy=mode), "b"


@pytest.mark.parametrize("place", ["entry", "downstream"])
@pytest.mark.parametrize("mode", ["sequential", "concurrent"])
@pytest.mark.parametrize(
    ("strategy", "optional", "job_status", "state", "level"),
    [(*row, "routine") for row in OUTCOMES] + [(*row, "graph") for row in OUTCOMES if not row[1]],
)
def test_strategies(
    strategy: str | None, optional: bool, job_status: str, state: str, level: str, place: str, mode: str
) -> None:
    """The same for the entry and for the rest, in both modes, and whether the routine or the graph says it."""
    routine, calls = _failing()
    graph, name = _graph(routine, place, mode)
    if strategy is not None:
        (routine if level == "routine" else graph).set_error_handler(_handler(strategy))
    if optional:
        routine.set_as_optional()
    job = graph.execute("a")
    assert job.status == job_status
    assert job.routine_states[name].status == state
    assert len(calls) == (3 if strategy == "retry" else 1)
    assert job.routine_states[name].retry_count == len(calls) - 1
    error = job.routine_states[name].error
    assert error is not None
    assert (error.type, error.message) == ("ValueError", "no")
    assert (job.error is not None) == (job_status == "failed")
    assert [one.event_name for one in job.get_execution_history(name)][-1] == state
    tasks = [task for task in job.flow_run.tasks if task.task_name == f"{name}.trigger"]
    assert [task.status for task in tasks] == [RunStatus.FAILED] * len(calls)


@pytest.mark.parametrize("place", ["entry", "downstream"])
@pytest.mark.parametrize("own", ["stop", "continue", "retry", "skip"])
def test_a_critical_routine_fails_the_job(own: str, place: str) -> None:
    """Whatever else its handler and the graph's say."""
    routine, _calls = _failing()
    routine.set_error_handler(_handler(own, is_critical=True))
    graph, name = _graph(routine, place, "sequential")
    graph.set_error_handler(_handler("continue"))
    job = graph.execute("a")
    assert job.status == RunStatus.FAILED
    assert job.routine_states[name].status == "failed"


def test_set_as_critical_retries_then_fails() -> None:
    """With the number of extra attempts that it was told."""
    routine, calls = _failing()
    graph = graph_of(routine.set_as_critical(max_retries=2, retry_delay=0))
    graph.set_error_handler(_handler("continue"))
    assert graph.execute("a").status == RunStatus.FAILED
    assert len(calls) == 3


def test_the_routines_handler_goes_before_the_graphs() -> None:
    """A routine that says STOP stops, though the graph goes on for the others."""
    routine, _calls = _failing()
    graph = graph_of(routine.set_error_handler(_handler("stop")))
    graph.set_error_handler(_handler("continue"))
    assert graph.execute("a").status == RunStatus.FAILED


def test_retries_help_and_are_counted_per_job() -> None:
    """Each job has all of its attempts; the count is that of the latest job, None without a handler."""
    routine, calls = _failing(times=2)
    graph = graph_of(routine.set_error_handler(_handler("retry")))
    assert graph.get_routine_retry_count("a") == 0
    for _ in range(2):
        calls.clear()
        assert graph.execute("a").status == RunStatus.COMPLETED
        assert graph.get_routine_retry_count("a") == 2
    other = graph_of(_failing()[0])
    other.execute("a")
    assert other.get_routine_retry_count("a") is None


def test_what_is_not_retryable_fails_at_once() -> None:
    """Another kind of exception is worth no attempt."""
    routine, calls = _failing(error=LookupError)
    routine.set_error_handler(_handler("retry", retryable_exceptions=(ValueError,)))
    assert graph_of(routine).execute("a").status == RunStatus.FAILED
    assert len(calls) == 1


def test_retries_keep_the_context() -> None:
    """What a later attempt emits arrives, and its job is at hand."""
    attempts = itertools.count(1)

    def handler() -> None:
        if next(attempts) == 1:
            raise ValueError
        routine.job.update_shared_data("seen", True)
        routine.emit("out", value=7)

    routine = called(handler, "out").set_error_handler(_handler("retry"))
    job = graph_of(routine, Counter()).execute("a")
    assert job.get_shared_data("seen") is True
    assert [entry["value"] for entry in job.shared_log] == [7]


def test_the_wait_for_another_attempt_holds_no_worker() -> None:
    """Another job goes through the only worker meanwhile; cancelling ends the wait."""
    failed = threading.Event()

    def fail() -> None:
        failed.set()
        raise ValueError

    graph = RoutineGraph()
    graph.add_routine(called(fail).set_error_handler(ErrorHandler(strategy=ErrorStrategy.RETRY, retry_delay=3600)), "a")
    graph.add_routine(called(lambda: None), "b")
    waiting = graph.start("a")
    assert failed.wait(BOUND)
    assert graph.execute("b").status == RunStatus.COMPLETED
    assert waiting.status == RunStatus.RUNNING
    graph.cancel(waiting)
    assert graph.wait_for_completion(waiting, 0)
    assert [one.attempt for one in waiting.pending_activations] == [2]


def test_stop_drops_queued_work_and_lists_it() -> None:
    """The job is failed at once, though another handler of it still runs."""
    gate = Gate()

    def fail(value: int) -> None:
        gate.wait_entered()
        raise ValueError(value)

    graph = RoutineGraph(execution_strategy="concurrent", max_workers=2)
    graph.add_routine(Source(count=3), "source")
    graph.add_routine(Hold(gate), "hold")
    graph.add_routine(called(fail), "fail")
    graph.connect("source", "out", "hold", "trigger")
    graph.connect("source", "out", "fail", "trigger")
    job = graph.execute("source")
    assert job.status == RunStatus.FAILED
    assert [(one.routine_id, one.data) for one in job.pending_activations] == [
        ("hold", {"value": 1}), ("fail", {"value": 1}), ("hold", {"value": 2}), ("fail", {"value": 2}),
    ]  # fmt: skip
    gate.open()
    other = graph_of(Source(count=1), Counter()).execute("a")
    assert other.status == RunStatus.COMPLETED


def test_an_exit_of_the_interpreter_in_a_handler_fails_the_job() -> None:
    """It is never continued nor tried again, and the worker lives on."""

    def leave() -> None:
        raise SystemExit(3)

    graph = graph_of(called(leave).set_error_handler(_handler("retry")))
    for _ in range(2):
        job = graph.execute("a")
        assert job.status == RunStatus.FAILED
        assert job.error is not None
        assert job.error.type == "SystemExit"
