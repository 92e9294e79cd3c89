"""Groups of messages: `Aggregator` and `Batcher`, and merges in general, exactly once and within bounds."""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# Handlers are lambdas here, and a message tells no types.

import pickle
import threading
import time
from collections import Counter as Multiset
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import PrivateAttr

from flowscope import RunStatus
from flowscope.graph import Aggregator, Batcher, JobState, Routine, RoutineGraph, event, slot
from support.examples import examples
from support.graph.condition_results import Feed, Inbox, sent_by
from support.graph.routines import BOUND, Relay, Source, called, graph_of


def _gathered(job: JobState) -> list[list[Any]]:
    return [entry["message"]["items"] for entry in job.shared_log if "message" in entry]


def _graph(routine: Routine, sent: str, source: Routine, **options: Any) -> RoutineGraph:
    graph = RoutineGraph("g", **options)
    graph.add_routine(source, "source")
    graph.add_routine(routine, "gather")
    graph.add_routine(Inbox(), "inbox")
    graph.connect("source", "out", "gather", "input")
    graph.connect("gather", sent, "inbox", "input")
    return graph


@pytest.mark.parametrize(("total", "count"), [(0, 1), (1, 1), (5, 1), (6, 2), (7, 3), (2, 3), (10, 10), (1, 10)])
def test_every_group_is_sent_when_it_is_complete(total: int, count: int) -> None:
    """In order, each message once; a group that is not complete waits for ever, in the job."""
    for routine, sent in (
        (Aggregator(count=count, flush_partial=False), "aggregated"),
        (Batcher(batch_size=count, flush_partial=False), "batch"),
    ):
        job = _graph(routine, sent, Source(count=total)).execute("source")
        messages = [{"value": number} for number in range(total)]
        complete = total - total % count
        assert _gathered(job) == [messages[start : start + count] for start in range(0, complete, count)]
        kept = [one.data["items"] for one in job.merges]
        assert kept == ([messages[complete:]] if total else [])


@pytest.mark.parametrize(("total", "count"), [(2_000, 1), (2_000, 7), (2_000, 2_000), (1_999, 20)])
def test_concurrent_messages_are_gathered_once(total: int, count: int) -> None:
    """By several workers, in groups that do not overlap."""
    graph = _graph(
        Aggregator(count=count, flush_partial=False),
        "aggregated",
        Relay(),
        execution_strategy="concurrent",
        max_workers=8,
    )
    graph.add_routine(Source(count=total), "first")
    graph.connect("first", "out", "source", "trigger")
    job = graph.execute("first", timeout=BOUND)
    assert job.status == RunStatus.COMPLETED
    groups = _gathered(job)
    assert [len(group) for group in groups] == [count] * (total // count)
    [kept] = [one.data["items"] for one in job.merges]
    assert len(kept) == total % count
    numbers = Multiset(item["value"] for group in [*groups, kept] for item in group)
    assert numbers == Multiset(range(1, total + 1))


def test_jobs_do_not_share_groups() -> None:
    """However many run on one graph at once."""
    graph = _graph(
        Batcher(batch_size=3, flush_partial=False),
        "batch",
        called(lambda **message: None, "out"),
        execution_strategy="concurrent",
    )
    source = graph.routine("source")
    barrier = threading.Barrier(4)

    def handler(name: str) -> None:
        barrier.wait(BOUND)
        for number in range(7):
            source.emit("out", name=name, number=number)

    source.define_slot("begin", handler)
    entry = called(lambda name: graph.routine("entry").emit("out", name=name), "out")
    graph.add_routine(entry, "entry")
    graph.connect("entry", "out", "source", "begin")
    jobs = [graph.start("entry", {"name": name}) for name in "abcd"]
    for name, job in zip("abcd", jobs, strict=True):
        assert graph.wait_for_completion(job, BOUND)
        expected = [{"name": name, "number": number} for number in range(7)]
        assert sorted(_gathered(job), key=lambda group: group[0]["number"]) == [expected[:3], expected[3:6]]
        assert [one.data["items"] for one in job.merges] == [expected[6:]]


class _Steps(Routine):
    """Sends a number, and then, in another activation, the next one; pauses its job at some, once."""

    total: int
    out = event("number")
    next = event("number")

    _pauses: set[int] = PrivateAttr(default_factory=set[int])

    @slot
    def trigger(self, number: int = 0) -> None:
        """Send it."""
        if number in self._pauses:
            self._pauses.discard(number)
            GRAPH[0].pause(self.job)
        if number < self.total:
            self.emit("out", number=number)
            self.emit("next", number=number + 1)


GRAPH: list[RoutineGraph] = []


@settings(max_examples=examples(50), deadline=None)
@given(
    st.integers(0, 30), st.integers(1, 6), st.integers(1, 6), st.sets(st.integers(0, 30), max_size=6),
    st.sampled_from(["sequential", "concurrent"]),
)  # fmt: skip
def test_a_group_survives_pauses(total: int, count: int, size: int, pauses: set[int], mode: Any) -> None:
    """A job that is paused within groups, loaded from its JSON and resumed sends each message once, and no group but whole ones."""

    def build() -> RoutineGraph:
        steps = _Steps(total=total)
        steps._pauses = pauses  # pyright: ignore[reportPrivateUsage] # no config
        graph = _graph(Aggregator(count=count, flush_partial=False), "aggregated", steps, execution_strategy=mode)
        graph.add_routine(Batcher(batch_size=size, flush_partial=False), "batch")
        graph.add_routine(Inbox(name="batches"), "batches")
        graph.connect("gather", "aggregated", "batch", "input")
        graph.connect("batch", "batch", "batches", "input")
        graph.connect("source", "next", "source", "trigger")
        GRAPH[:] = [graph]
        return graph

    graph = build()
    job = graph.execute("source")
    while job.status == RunStatus.PAUSED:
        graph.shutdown()
        graph = build()
        assert all(len(one.data["items"]) < 6 for one in job.merges)
        job = graph.resume(JobState.model_validate_json(job.model_dump_json()))
    graph.shutdown()
    assert not pauses or min(pauses) > total
    assert job.status == RunStatus.COMPLETED
    groups, batches = _sent(job, ""), _sent(job, "batches")
    kept = {one.routine_id: one.data["items"] for one in job.merges}
    assert [len(group) for group in groups] == [count] * (total // count)
    assert [len(batch) for batch in batches] == [size] * (len(groups) // size)
    numbers = [item["number"] for group in [*groups, kept.get("gather", [])] for item in group]
    batched = [group["items"] for batch in [*batches, kept.get("batch", [])] for group in batch]
    if mode == "sequential":
        assert numbers == list(range(total))
        assert batched == groups
    assert Multiset(numbers) == Multiset(range(total))
    assert Multiset(map(repr, batched)) == Multiset(map(repr, groups))


def _sent(job: JobState, name: str) -> list[list[Any]]:
    return [entry["message"]["items"] for entry in job.shared_log if entry["name"] == name]


def test_the_time_for_many_messages_is_linear() -> None:
    """And so is the memory: no activation or state holds more than a group."""
    graph = _graph(Aggregator(count=10, flush_partial=False), "aggregated", Source(count=10_000))
    began = time.perf_counter()
    job = graph.execute("source", timeout=BOUND)
    assert time.perf_counter() - began < BOUND
    groups = _gathered(job)
    assert len(groups) == 1_000
    assert [item["value"] for group in groups for item in group] == list(range(10_000))
    held = [
        len(record.data.get("data", ()))
        for record in job.get_execution_history("gather")
        if record.event_name == "start"
    ]
    assert Multiset(held) == {0: 9_000, 10: 1_000}


def test_work_that_waits_does_not_hold_groups_again_and_again(tmp_path: Path) -> None:
    """A job that is paused with many messages on their way to a large group has each message once in its file."""
    source = called(lambda: _emit_all(source), "out")
    graph = _graph(Aggregator(count=1_000, flush_partial=False), "aggregated", source)
    GRAPH[:] = [graph]
    job = graph.execute("source")
    assert job.status == RunStatus.PAUSED
    assert len(job.pending_activations) == 999
    text = JobState.model_dump_json(job, include={"pending_activations", "merges"})
    assert text.count("needle") == 999
    graph.shutdown()
    job = _graph(Aggregator(count=999, flush_partial=False), "aggregated", Source()).resume(
        JobState.load(job.save(tmp_path / "job"))
    )
    assert job.status == RunStatus.COMPLETED
    assert [one.data["items"] for one in job.merges] == [[{"value": f"needle {number}"} for number in range(999)]]


def _emit_all(source: Routine) -> None:
    for number in range(999):
        source.emit("out", value=f"needle {number}")
    GRAPH[0].pause(source.job)


def test_a_job_goes_on_with_another_count(tmp_path: Path) -> None:
    """What waits is sent with what comes, the oldest first, in groups of the new size."""

    def emit() -> None:
        for number in range(5):
            source.emit("out", value=number)
        GRAPH[0].pause(source.job)
        for number in (5, 6):
            source.job.add_deferred_event("source", "out", {"value": number})

    source = called(emit, "out")
    GRAPH[:] = [_graph(Aggregator(count=10, flush_partial=False), "aggregated", source)]
    job = JobState.load(GRAPH[0].execute("source").save(tmp_path / "job"))
    job = _graph(Aggregator(count=3, flush_partial=False), "aggregated", source).resume(job)
    assert [[item["value"] for item in group] for group in _gathered(job)] == [[0, 1, 2], [3, 4, 5]]
    assert [one.data for one in job.merges] == [{"items": [{"value": 6}]}]


def test_a_graph_that_gathers_comes_back_from_its_spec() -> None:
    """It gathers as before, and its spec is the same again."""
    graph = _graph(Aggregator(count=2, flush_partial=False), "aggregated", Source(count=4))
    spec = graph.serialize()
    assert spec.routines[1].slots == ()
    again = RoutineGraph.deserialize(spec.model_dump_json())
    assert again.serialize() == spec
    assert _gathered(again.execute("source")) == [[{"value": 0}, {"value": 1}], [{"value": 2}, {"value": 3}]]


def test_a_pickled_routine_gathers_by_itself() -> None:
    """It is a routine of its own, whatever becomes of the one that it was made from."""
    first = Aggregator(count=2, flush_partial=False)
    second: Aggregator = pickle.loads(pickle.dumps(first))
    first.count = 3
    assert sent_by(second, {"x": 1}, {"x": 2}) == [("aggregated", {"items": [{"x": 1}, {"x": 2}]})]
    assert sent_by(first, {"x": 1}, {"x": 2}) == []


class Loud(Aggregator):
    """An aggregator with a field and a limit of its own."""

    count: int = 2
    factor: int = 10


def test_a_subclass_gathers_too() -> None:
    """With a default of its own, and what a message has as `data`, if it has any."""
    sent = sent_by(Loud(), {"data": 1, "route": "a"}, {"data": {"x": 2}}, {"y": 3}, {})
    assert sent == [("aggregated", {"items": [1, {"x": 2}]}), ("aggregated", {"items": [{"y": 3}, {}]})]


def test_what_was_gathered_is_nobodys_to_change() -> None:
    """Who sent a message, or receives it too, may change it; a group and a merge have it as it came."""
    seen: list[Any] = []

    def send() -> None:
        for number in range(4):
            item: dict[str, list[Any]] = {"number": [number]}
            source.emit("out", item=item, deep=([number],))
            item["number"].append("changed by the sender")

    def change(item: dict[str, Any]) -> None:
        item["number"].append("changed by a sibling")

    def look(item: list[Any], deep: list[Any]) -> None:
        seen.append((repr(item), repr(deep)))
        for one, (other,) in zip(item, deep, strict=True):
            one["number"].append("changed by the handler")
            other.append("changed by the handler")

    source = called(send, "out")
    graph = RoutineGraph()
    graph.add_routine(source, "source")
    for name, routine in {
        "change": called(change), "look": called(look, merge_strategy="append"), "gather": Aggregator(count=2, flush_partial=False), "inbox": Inbox(),
        "custom": called(lambda **message: change(message["all"][0]["item"]), merge_strategy=_all),
    }.items():  # fmt: skip
        graph.add_routine(routine, name)
    for name in ("change", "look", "custom"):
        graph.connect("source", "out", name, "trigger")
    graph.connect("source", "out", "gather", "input")
    graph.connect("gather", "aggregated", "inbox", "input")
    job = graph.execute("source")
    assert job.status == RunStatus.COMPLETED, job.error
    items = [{"number": [number]} for number in range(4)]
    assert seen == [
        (repr(items[:last]), repr([([number],) for number in range(last)])) for last in range(1, 5)
    ]  # fmt: skip
    assert [[one["item"] for one in group] for group in _gathered(job)] == [items[:2], items[2:]]
    [custom] = [one.data for one in job.merges if one.routine_id == "custom"]
    assert [one["item"] for one in custom["all"]] == items


SHARED: dict[str, Any] = {}


def _all(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {"all": [*old.get("all", ()), new]}


def _in_one_place(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """A merge that returns the same dictionary for all jobs."""
    SHARED["total"] = old.get("total", 0) + new["value"]
    return SHARED


def test_a_merge_is_its_jobs_whatever_its_function_returns() -> None:
    """The same object each time, or a dictionary of another kind."""
    seen: list[int] = []
    graph = graph_of(Source(count=3), called(lambda total: seen.append(total), merge_strategy=_in_one_place))
    for _ in range(2):
        graph.execute("a")
    assert seen == [0, 1, 3, 0, 1, 3]

    def count(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        return Multiset(old) + Multiset(total=new["value"] + 1)

    job = graph_of(Source(count=3), called(lambda total: seen.append(total), merge_strategy=count)).execute("a")
    assert seen[6:] == [1, 3, 6]
    assert JobState.model_validate_json(job.model_dump_json()).merges[0].data == {"total": 6}


@pytest.mark.parametrize("made", [None, [], "x", 5, {1: 2}, {None: 1}, {"a": 1, 2: 3}])
def test_a_merge_of_another_form_is_an_error_of_the_activation(made: Any) -> None:
    """It has to be a dictionary of names and values; the job fails, and ends."""
    job = graph_of(Source(count=1), called(lambda: None, merge_strategy=lambda old, new: made)).execute(
        "a", timeout=BOUND
    )
    assert job.status == RunStatus.FAILED
    assert job.error is not None
    assert "wanted a dictionary" in job.error.message
    assert not job.merges


def test_a_merge_that_holds_itself_is_an_error_of_the_activation() -> None:
    """So is a message that does, where it is merged."""
    ring: list[Any] = []
    ring.append(ring)
    strategies: list[Any] = ["append", lambda old, new: {"ring": ring}]
    for strategy in strategies:
        job = graph_of(Feed({"ring": ring}), called(lambda ring: None, merge_strategy=strategy)).execute(
            "a", timeout=BOUND
        )
        assert job.error is not None
        assert job.error.type == "RecursionError"
