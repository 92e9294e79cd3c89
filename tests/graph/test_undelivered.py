"""What waits for more when a job has nothing else to do."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from flowscope import RunStatus
from flowscope.graph import (
    Aggregator,
    Batcher,
    ErrorHandler,
    ErrorStrategy,
    JobState,
    Routine,
    RoutineGraph,
    event,
    slot,
)

Batching = Aggregator | Batcher


class Source(Routine):
    out = event("data")

    @slot
    def trigger(self, items: Iterable[Any]) -> None:
        for item in items:
            self.emit("out", data=item)


class Sink(Routine):
    again = event("data")

    @slot(name="input")
    def take(self, items: list[Any]) -> None:
        self.job.append_to_shared_log({"items": items})
        if len(self.job.shared_log) < 5:
            self.emit("again", data=items)


def chained(*middle: Batching, strategy: Any = "sequential") -> RoutineGraph:
    """A source, those routines one behind the other, and a sink."""
    graph = RoutineGraph("g", strategy)
    before, sends = graph.add_routine(Source(), "source"), "out"
    for number, routine in enumerate(middle):
        graph.connect(before, sends, graph.add_routine(routine, f"m{number}"), "input")
        before, sends = f"m{number}", "batch" if isinstance(routine, Batcher) else "aggregated"
    graph.connect(before, sends, graph.add_routine(Sink(), "sink"), "input")
    return graph


def arrived(job: JobState) -> list[Any]:
    return [entry["items"] for entry in job.shared_log]


@pytest.mark.parametrize("strategy", ["sequential", "concurrent"])
@pytest.mark.parametrize("middle", [Batcher(batch_size=2), Aggregator(count=2)])
def test_what_is_left_is_delivered_when_nothing_else_is_to_be_done(middle: Batching, strategy: Any) -> None:
    """As a group of its own, which is smaller."""
    with chained(middle, strategy=strategy) as graph:
        job = graph.execute("source", {"items": [1, 2, 3, 4, 5]})
    assert job.status is RunStatus.COMPLETED
    assert (
        sorted(arrived(job), key=len) == [[5], [1, 2], [3, 4]] if strategy == "sequential" else len(arrived(job)) == 3
    )
    assert sorted(item for items in arrived(job) for item in items) == [1, 2, 3, 4, 5]
    assert job.undelivered == []


def test_what_is_left_goes_upstream_first() -> None:
    """So that it may complete a group further down."""
    with chained(Batcher(batch_size=2), Aggregator(count=2)) as graph:
        job = graph.execute("source", {"items": [1, 2, 3]})
    assert len(arrived(job)) == 1
    assert [one["items"] for one in arrived(job)[0]] == [[1, 2], [3]]


def test_what_goes_round_is_delivered_once() -> None:
    """A routine that feeds itself would have something left for ever."""
    with chained(Batcher(batch_size=2)) as graph:
        graph.connect("sink", "again", "m0", "input")
        job = graph.execute("source", {"items": [1]})
    assert job.status is RunStatus.COMPLETED
    assert arrived(job) == [[1]]
    assert job.undelivered == [("m0", "input", [[1]])]


@pytest.mark.parametrize(
    "middle", [Batcher(batch_size=2, flush_partial=False), Aggregator(count=2, flush_partial=False)]
)
def test_a_job_that_ends_with_something_left_says_so(middle: Batching, tmp_path: Path) -> None:
    """In itself, also when it comes from a file, and by a warning in its log."""
    with chained(middle) as graph:
        job = graph.execute("source", {"items": [1, 2, 3]})
    assert arrived(job) == [[1, 2]]
    assert job.undelivered == [("m0", "input", [3])]
    assert JobState.load(job.save(tmp_path / "job")).undelivered == job.undelivered
    [entry] = [entry for entry in job.flow_run.logs if entry.level == "WARNING"]
    assert "'m0'" in entry.message
    assert "1 message " in entry.message


def test_a_paused_job_keeps_what_waits() -> None:
    """It has not ended, so nothing is undelivered yet; resumed, it delivers that."""
    with chained(Batcher(batch_size=2)) as graph:

        class Pauses(Sink):
            @slot(name="input")
            def take(self, items: list[Any]) -> None:
                graph.pause(self.job)
                super().take(items)

        graph.connect("m0", "batch", graph.add_routine(Pauses(), "pauses"), "input")
        job = graph.execute("source", {"items": [1, 2, 3]})
        assert job.status is RunStatus.PAUSED
        assert job.undelivered == []
        loaded = JobState.model_validate_json(job.model_dump_json())
        while loaded.status is RunStatus.PAUSED:
            graph.resume(loaded)
    assert loaded.status is RunStatus.COMPLETED
    assert [3] in arrived(loaded)
    assert loaded.undelivered == []


def test_a_cancelled_job_delivers_nothing_more_and_says_what_is_left() -> None:
    """Like one that has failed."""
    with chained(Batcher(batch_size=2)) as graph:

        class Cancels(Routine):
            @slot(name="input")
            def take(self) -> None:
                graph.cancel(self.job)

        graph.connect("m0", "batch", graph.add_routine(Cancels(), "cancels"), "input")
        job = graph.execute("source", {"items": [1, 2, 3]})
    assert job.status is RunStatus.CANCELLED
    assert job.undelivered == [("m0", "input", [3])]


def test_a_failure_that_the_job_goes_on_after_is_not_hidden_by_a_later_success() -> None:
    """The routine stays `error_continued`, with that error, here and in the file; others complete."""

    class Even(Routine):
        @slot(name="input")
        def take(self, data: int) -> None:
            if data % 2:
                raise ValueError(data)

    graph = RoutineGraph("g")
    graph.add_routine(Source(), "source")
    graph.add_routine(Even().set_error_handler(ErrorHandler(strategy=ErrorStrategy.CONTINUE)), "even")
    graph.connect("source", "out", "even", "input")
    with graph:
        job = graph.execute("source", {"items": [2, 3, 4]})
    assert job.status is RunStatus.COMPLETED
    for one in (job, JobState.model_validate_json(job.model_dump_json())):
        state = one.routine_states["even"]
        assert state.status == "error_continued"
        assert state.error is not None
        assert state.error.message == "3"
        assert one.routine_states["source"].status == "completed"
