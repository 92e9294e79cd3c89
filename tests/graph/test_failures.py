"""What the failure of an activation means for its routine and its job."""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# Handlers are lambdas here, and a message tells no types.

import itertools
import threading
from pathlib import Path
from typing import Any

import pytest

from flowscope import RunStatus
from flowscope.graph import ErrorHandler, ErrorStrategy, GraphError, JobState, Routine, RoutineGraph
from support.graph.routines import BOUND, Counter, Gate, Hold, Source, called, graph_of, values_of

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


@pytest.mark.parametrize("mode", ["sequential", "concurrent"])
def test_the_wait_for_another_attempt_delays_no_sibling(mode: Any) -> None:
    """The other messages of the job, and of that very routine, go through meanwhile; the job waits for the late one."""
    first = threading.Event()
    through = threading.Semaphore(0)

    def handler(value: int) -> None:
        if value == 0 and not first.is_set():
            first.set()
            raise ValueError
        routine.emit("out", value=value)

    def take(value: int) -> None:
        end.job.append_to_shared_log({"value": value})
        through.release()

    routine, end = called(handler, "out"), called(take)
    routine.set_error_handler(ErrorHandler(strategy=ErrorStrategy.RETRY, retry_delay=3600))
    graph = graph_of(Source(count=4), routine, end, execution_strategy=mode)
    job = graph.start("a")
    for _ in range(3):
        assert through.acquire(timeout=BOUND)
    assert sorted(values_of(job)) == [1, 2, 3]
    assert job.status == RunStatus.RUNNING
    assert not graph.wait_for_completion(job, 0)
    graph.pause(job)
    assert graph.wait_for_completion(job, BOUND)
    assert job.routine_states["b"].retry_count == 1
    assert [(one.data, one.attempt) for one in job.pending_activations] == [({"value": 0}, 2)]
    assert graph.resume(job).status == RunStatus.COMPLETED
    assert sorted(values_of(job)) == [0, 1, 2, 3]
    assert graph.get_routine_retry_count("b") == 1


def test_attempts_are_counted_over_pauses() -> None:
    """A routine that pauses its job and fails has no more attempts than one that only fails."""
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        graph.pause(routine.job)
        raise ValueError

    routine = called(fail).set_error_handler(_handler("retry"))
    graph = graph_of(routine)
    job = graph.execute("a")
    for attempt in (2, 3):
        assert job.status == RunStatus.PAUSED
        assert [one.attempt for one in job.pending_activations] == [attempt]
        graph.resume(job)
    assert job.status == RunStatus.FAILED
    assert len(calls) == 3
    assert job.routine_states["a"].retry_count == graph.get_routine_retry_count("a") == 2


@pytest.mark.parametrize("delay", [1e300, 0])
def test_a_delay_may_grow_beyond_all_bounds(delay: float) -> None:
    """It is a long wait, and no error: the job can be cancelled amid it."""
    failed = threading.Event()

    def fail() -> None:
        failed.set()
        raise ValueError

    handler = ErrorHandler(strategy=ErrorStrategy.RETRY, max_retries=2_000, retry_delay=delay, retry_backoff=1e300)
    graph = graph_of(called(fail).set_error_handler(handler))
    job = graph.start("a")
    assert failed.wait(BOUND)
    graph.cancel(job)
    assert graph.wait_for_completion(job, BOUND)
    assert job.status == RunStatus.CANCELLED


class _Mute(Exception):
    """Cannot be shown."""

    def __str__(self) -> str:
        raise LookupError

    __repr__ = __str__


class _Faceless(Exception):
    """Does not tell its class."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        raise LookupError

    def add_note(self, note: str) -> None:
        raise LookupError


@pytest.mark.parametrize("error", [_Mute, _Faceless, StopIteration, StopAsyncIteration, RecursionError, MemoryError])
@pytest.mark.parametrize("strategy", [None, *ErrorStrategy])
def test_odd_exceptions_are_exceptions(error: type[Exception], strategy: ErrorStrategy | None) -> None:
    """The strategy holds for them, the job ends, its record and its JSON can be read, and the worker lives on."""
    routine, calls = _failing(error=error)
    graph = graph_of(routine)
    if strategy is not None:
        routine.set_error_handler(_handler(strategy, retryable_exceptions=(error, ValueError)))
    for _ in range(2):
        calls.clear()
        job = graph.start("a")
        assert graph.wait_for_completion(job, BOUND)
        tolerated = strategy in {ErrorStrategy.CONTINUE, ErrorStrategy.SKIP}
        assert job.status == (RunStatus.COMPLETED if tolerated else RunStatus.FAILED)
        assert len(calls) == (3 if strategy is ErrorStrategy.RETRY else 1)
        state = job.routine_states["a"]
        assert state.error is not None
        assert state.error.type == error.__qualname__
        loaded = JobState.model_validate_json(job.model_dump_json())
        assert loaded.routine_states["a"].error == state.error


class _Thorny:
    """Whoever touches it is stung."""

    def _sting(self, *args: object) -> Any:
        raise LookupError

    __eq__ = __ne__ = __lt__ = __bool__ = __hash__ = __repr__ = __str__ = __len__ = __iter__ = _sting
    __copy__ = __deepcopy__ = __reduce_ex__ = __contains__ = _sting


@pytest.mark.parametrize("merge", ["override", "append", lambda old, new: new])
@pytest.mark.parametrize("mode", ["sequential", "concurrent"])
def test_thorny_values_pass(merge: Any, mode: Any, tmp_path: Path) -> None:
    """As messages, through mappings and merges, paused and resumed: they come as they are, and are never touched."""
    thorn = _Thorny()
    seen: list[Any] = []

    def handler(value: Any) -> None:
        routine.emit("out", value=value, more={"deep": [value]})
        graph.pause(routine.job)

    routine, end = called(handler, "out"), Routine()
    end.define_slot("input", lambda x, more: seen.append((x, more)), merge)
    graph = RoutineGraph(execution_strategy=mode)
    graph.add_routine(routine, "a")
    graph.add_routine(end, "b")
    graph.connect("a", "out", "b", "input", {"value": "x"})
    job = graph.execute("a", {"value": thorn})
    assert job.flow_run.model_dump_json()
    assert graph.resume(job).status == RunStatus.COMPLETED
    x, more = seen[0]
    if merge == "append":
        x, more = x[0], more[0]
    assert x is thorn
    assert more["deep"][0] is thorn
    with pytest.raises(GraphError, match="_Thorny"):
        graph.start("a", {"value": thorn}).save(tmp_path / "job")


def test_a_failure_says_where_it_happened() -> None:
    """The exception has a note with the task; the job's error, its record's and the task's are the same."""
    raised: list[ValueError] = []

    def fail() -> None:
        raised.append(ValueError("no"))
        raise raised[0]

    job = graph_of(Source(count=1), called(fail), flow_id="g").execute("a")
    assert job.error is not None
    assert any("'b.trigger'" in note and "'g'" in note for note in raised[0].__notes__)
    assert job.error.notes == raised[0].__notes__
    assert job.flow_run.error is not None
    assert job.flow_run.error.message == job.flow_run.tasks[1].error.message == "no"  # type: ignore[union-attr] # it failed
    assert "fail" in job.error.traceback


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit, LookupError])
@pytest.mark.parametrize("kept", [True, False], ids=["checkpoints", "none"])
@pytest.mark.parametrize("mode", ["sequential", "concurrent"])
def test_whatever_a_merge_raises_fails_the_job(
    error: type[BaseException], kept: bool, mode: Any, tmp_path: Path
) -> None:
    """And nothing else: nobody hangs, and the next job goes on."""
    merges: list[int] = []

    def merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        merges.append(1)
        if len(merges) == 2:
            raise error
        return new

    graph = graph_of(Source(count=3), called(lambda value: None, merge_strategy=merge), execution_strategy=mode)
    job = graph.start("a", save_to=tmp_path / "job" if kept else None)
    assert graph.wait_for_completion(job, BOUND)
    assert job.status == RunStatus.FAILED
    assert job.error is not None
    assert job.error.type == error.__name__
    assert graph.execute("a").status == RunStatus.COMPLETED


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
