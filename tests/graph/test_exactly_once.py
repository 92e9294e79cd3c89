"""Whatever is paused, saved and resumed, each message is handled exactly once."""

import asyncio
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from flowscope import RunStatus
from flowscope.graph import ErrorHandler, ErrorStrategy, JobState, Routine, RoutineGraph, event, slot
from support.examples import examples

BRANCHES = 2
DEPTH = 3
"""How far messages go, in circles too."""


class Node(Routine):
    """Handles a message by its path, which no other message of that event has, and sends longer ones on."""

    number: int
    defers: bool = False
    fails: bool = False
    out = event("path")

    watch: ClassVar["_Watch"]
    """Of the test that is running: a graph that is rebuilt from its spec finds it too."""

    def handle(self, path: list[Any], *merged: Any) -> None:
        """Do all that a handler may do, at each step perhaps amid a pause."""
        job = self.job
        self.watch.step(job)
        if self.fails and self.watch.is_first(self.number, path):
            raise ValueError(path)
        job.append_to_shared_log({"path": (self.number, *path), "merged": (self.number, *merged)})
        job.update_shared_data(repr((self.number, *path)), len(path))
        for message in self.sends(path):
            self.watch.step(job)
            self.emit("out", path=message)
        for message in self.keeps_for_later(path):
            job.add_deferred_event(str(self.number), "out", {"path": message})
        self.watch.step(job)

    def sends(self, path: list[Any]) -> list[list[Any]]:
        """The paths of its messages."""
        return [[*path, self.number, branch] for branch in range(BRANCHES)] if len(path) < 2 * DEPTH else []

    def keeps_for_later(self, path: list[Any]) -> list[list[Any]]:
        """The paths of its deferred events."""
        return [[*path, self.number, "later"]] if self.defers and len(path) < 2 * DEPTH else []


def count(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """A sum of one for each message."""
    return {"total": old.get("total", 0) + 1, **new}


class Plain(Node):
    """Takes each message by itself."""

    @slot
    def trigger(self, path: list[Any]) -> None:
        """Handle it."""
        self.handle(path)


class PlainAsync(Node):
    """The same in an event loop."""

    @slot
    async def trigger(self, path: list[Any]) -> None:
        """Handle it."""
        await asyncio.sleep(0)
        self.handle(path)


class Counting(Node):
    """Counts its messages in a merge."""

    @slot(merge_strategy=count)
    def trigger(self, path: list[Any], total: int = 1) -> None:
        """Handle it."""
        self.handle(path, total)


class CountingAsync(Node):
    """The same in an event loop."""

    @slot(merge_strategy=count)
    async def trigger(self, path: list[Any], total: int = 1) -> None:
        """Handle it."""
        self.handle(path, total)
        await asyncio.sleep(0)


class Appending(Node):
    """Gathers its messages."""

    @slot(merge_strategy="append")
    def trigger(self, path: list[Any]) -> None:
        """Handle the last one."""
        self.handle(path[-1], len(path))


KINDS: tuple[type[Node], ...] = (Plain, PlainAsync, Counting, CountingAsync, Appending)


class Shape(NamedTuple):
    """A random graph, circles included, and where and how its job is interrupted."""

    nodes: list[tuple[type[Node], bool, bool]]
    """Their classes, and whether they defer events and fail at first."""
    edges: list[tuple[int, int]]
    mode: Any
    pauses: set[int]
    """At which of all steps, counted as they come, the job is paused."""
    ways: list[str]
    """How it is resumed, the first time, the second time …"""


@st.composite
def _shapes(draw: st.DrawFn) -> Shape:
    later = draw(st.booleans())
    nodes = st.tuples(st.sampled_from(KINDS), st.booleans() if later else st.just(value=False), st.booleans())
    # the entry takes its first message as it is, so it is of a kind that does
    first: tuple[type[Node], bool, bool] = (Plain, *draw(nodes)[1:])
    made = [first, *draw(st.lists(nodes, min_size=1, max_size=3))]
    ends = st.integers(0, len(made) - 1)
    return Shape(
        made,
        [(0, 1), *draw(st.lists(st.tuples(ends, ends), max_size=4))],
        draw(st.sampled_from(["sequential", "concurrent"])),
        draw(st.sets(st.integers(1, 60), max_size=8)),
        draw(st.lists(st.sampled_from(["same", "json", "spec", "file", "async"]), min_size=1, max_size=8)),
    )


class _Watch:
    """Counts steps over all threads, and pauses at the chosen ones."""

    def __init__(self, pauses: set[int]) -> None:
        self._pauses = pauses
        self._seen = 0
        self._failed: set[str] = set()
        self._lock = threading.Lock()
        self.graph: RoutineGraph

    def step(self, job: JobState) -> None:
        with self._lock:
            self._seen += 1
            pauses = self._seen in self._pauses
        if pauses:
            self.graph.pause(job)

    def is_first(self, number: int, path: list[Any]) -> bool:
        """Whether this message has not failed here."""
        with self._lock:
            key = repr((number, path))
            if key in self._failed:
                return False
            self._failed.add(key)
            return True


def _node(shape: Shape, number: int) -> Node:
    kind, defers, fails = shape.nodes[number]
    return kind(number=number, defers=defers, fails=fails)


def _build(shape: Shape) -> RoutineGraph:
    graph = RoutineGraph("g", execution_strategy=shape.mode, max_workers=3)
    graph.set_error_handler(ErrorHandler(strategy=ErrorStrategy.RETRY, max_retries=5, retry_delay=0))
    for number in range(len(shape.nodes)):
        graph.add_routine(_node(shape, number), str(number))
    for source, target in shape.edges:
        graph.connect(str(source), "out", str(target), "trigger")
    return graph


def _resumed(
    graph: RoutineGraph, job: JobState, way: str, shape: Shape, watch: _Watch
) -> tuple[RoutineGraph, JobState]:
    if way in {"same", "async"}:
        return graph, asyncio.run(graph.resume_async(job)) if way == "async" else graph.resume(job)
    other = RoutineGraph.deserialize(graph.serialize().model_dump_json()) if way == "spec" else _build(shape)
    graph.shutdown()
    watch.graph = other
    if way == "file":
        with tempfile.TemporaryDirectory() as folder:
            job = JobState.load(job.save(Path(folder) / "job"))
    else:
        job = JobState.model_validate_json(job.model_dump_json())
    return other, other.resume(job)


def _run(shape: Shape, pauses: set[int]) -> JobState:
    watch = Node.watch = _Watch(pauses)
    graph = watch.graph = _build(shape)
    job = graph.execute("0", {"path": []})
    turns = 0
    while job.status == RunStatus.PAUSED:
        graph, job = _resumed(graph, job, shape.ways[turns % len(shape.ways)], shape, watch)
        turns += 1
    graph.shutdown()
    assert len(job.pause_points) == turns
    return job


def _paths(job: JobState) -> Counter[tuple[Any, ...]]:
    """What was handled: by whom, and with which path."""
    return Counter(tuple(entry["path"]) for entry in job.shared_log)


def _merged(job: JobState) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(entry["merged"]) for entry in job.shared_log)


def _due(shape: Shape, handled: Counter[tuple[Any, ...]], kept: Counter[str]) -> Counter[tuple[Any, ...]]:
    """What had to be handled, given that: the first message, and each that a handler or a resumption has sent."""
    receivers: dict[int, list[int]] = {number: [] for number in range(len(shape.nodes))}
    for source, target in shape.edges:
        receivers[source].append(target)
    due: Counter[tuple[Any, ...]] = Counter({(0,): 1})
    for (number, *path), times in handled.items():
        node = _node(shape, number)
        for message in [*node.sends(path), *node.keeps_for_later(path)]:
            for target in receivers[number]:
                due[target, *message] += times - kept[repr(message)]
    return +due


@settings(max_examples=examples(120), deadline=None, print_blob=True)
@given(_shapes())
def test_resuming_is_exactly_once(shape: Shape) -> None:
    """A job that is paused anywhere, and resumed in any way, does what an uninterrupted one does."""
    job = _run(shape, shape.pauses)
    assert job.status == job.flow_run.status == RunStatus.COMPLETED
    assert not job.pending_activations
    handled = _paths(job)
    kept = Counter(repr(one.data["path"]) for one in job.deferred_events)
    assert handled == _due(shape, handled, kept)
    assert {repr(path) for path in handled} == set(job.shared_data)
    by_node = Counter(number for (number, *_), times in handled.items() for _ in range(times))
    assert _merged(job) == Counter(
        merged
        for number, total in by_node.items()
        for merged in ([(number, n) for n in range(1, total + 1)] if _merges(shape, number) else [(number,)] * total)
    )
    finished = [one.routine_id for one in job.execution_history if one.event_name == "completed"]
    assert Counter(finished) == {str(number): total for number, total in by_node.items()}
    tasks = job.flow_run.tasks
    assert [task.execution_order for task in tasks] == list(range(1, len(tasks) + 1))
    completed = [task for task in tasks if task.status == RunStatus.COMPLETED]
    assert len(completed) == len(finished)
    performance = job.performance()
    assert performance is not None
    assert (performance.total_executions, performance.completed) == (len(tasks), len(finished))
    if not any(defers for _kind, defers, _fails in shape.nodes):
        expected = _run(shape, set())
        assert handled == _paths(expected)
        assert _merged(job) == _merged(expected)
        assert len(tasks) == len(expected.flow_run.tasks)
        assert {one.routine_id: one.data.get("total") for one in job.merges} == {
            one.routine_id: one.data.get("total") for one in expected.merges
        }


def _merges(shape: Shape, number: int) -> bool:
    return number != 0 and shape.nodes[number][0] not in {Plain, PlainAsync}
