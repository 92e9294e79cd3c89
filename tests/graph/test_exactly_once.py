"""Whatever is paused, saved and resumed, each message is handled exactly once."""

import threading
from collections import Counter
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from flowscope import RunStatus
from flowscope.graph import JobState, Routine, RoutineGraph

from .routines import called


class Shape(NamedTuple):
    """A random graph, and where its job is paused."""

    size: int
    edges: list[tuple[int, int]]
    counting: set[int]
    """The routines whose slot counts its messages in a merge."""
    mode: Any
    pauses: set[int]
    """Before and after which of all activations, counted as they come, the job is paused."""


@st.composite
def _shapes(draw: st.DrawFn) -> Shape:
    size = draw(st.integers(2, 5))
    pairs = [(source, target) for target in range(size) for source in range(target)]
    return Shape(
        size,
        draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=7)),
        draw(st.sets(st.integers(1, size - 1))),
        draw(st.sampled_from(["sequential", "concurrent"])),
        draw(st.sets(st.integers(0, 40), max_size=8)),
    )


def _count(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {"count": old.get("count", 0) + 1, "path": new["path"]}


class _Calls:
    """Counts activations over all threads, and pauses at the chosen ones."""

    def __init__(self, pauses: set[int]) -> None:
        self._pauses = pauses
        self._seen = 0
        self._lock = threading.Lock()

    def pauses_now(self) -> bool:
        with self._lock:
            self._seen += 1
            return self._seen in self._pauses


def _build(shape: Shape, calls: _Calls) -> RoutineGraph:
    graph = RoutineGraph("g", execution_strategy=shape.mode, max_workers=3)
    for number in range(shape.size):
        routine = called(
            _handler(number, graph, calls),
            "out",
            merge_strategy=_count if number in shape.counting else "override",
        )
        graph.add_routine(routine, str(number))
    for source, target in shape.edges:
        graph.connect(str(source), "out", str(target), "trigger")
    return graph


def _handler(number: int, graph: RoutineGraph, calls: _Calls) -> Any:
    def handler(path: list[int], count: int | None = None) -> None:
        routine: Routine = graph.routine(str(number))
        job = routine.job
        pauses = calls.pauses_now()
        for branch in range(2):
            if pauses and branch == 1:
                graph.pause(job)
            if len(path) < 3:
                routine.emit("out", path=[*path, number, branch])
        job.append_to_shared_log({"entry": (number, None if count else tuple(path), count)})

    return handler


def _outcome(job: JobState) -> Counter[Any]:
    return Counter(tuple(entry["entry"]) for entry in job.shared_log)


@settings(max_examples=60, deadline=None)
@given(_shapes())
def test_resuming_is_exactly_once(shape: Shape) -> None:
    """A job that is paused anywhere, loaded from its JSON and resumed does what an uninterrupted one does."""
    with _build(shape, _Calls(set())) as graph:
        expected = graph.execute("0", {"path": []})
    calls = _Calls(shape.pauses)
    graph = _build(shape, calls)
    job = graph.execute("0", {"path": []})
    while job.status == RunStatus.PAUSED:
        graph.shutdown()
        graph = _build(shape, calls)
        job = graph.resume(JobState.model_validate_json(job.model_dump_json()))
    graph.shutdown()
    assert expected.status == job.status == RunStatus.COMPLETED
    assert _outcome(job) == _outcome(expected)
    assert len(job.flow_run.tasks) == len(expected.flow_run.tasks)
    counted = [job.performance(), expected.performance()]
    assert len({None if one is None else one.total_executions for one in counted}) == 1
    assert not job.pending_activations
