"""Sinks of facts, which integrations add: what they are told, what they put around bodies, and that they hurt nobody."""

import asyncio
import logging
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from typing import Any

import pytest

from flowscope import INJECTED, Flow, RunStatus, flow, submit, task
from flowscope.engine.ports import (
    ArtifactFact,
    FailedAttempt,
    LogLine,
    ResultFact,
    RunSink,
    RunView,
    sink_factories,
)
from flowscope.engine.scope.call import Call
from flowscope.engine.scope.context import Scope
from flowscope.serialization.exception_snapshot import Failure
from support.tracing import Tracer, span


class Facts(RunSink):
    """Writes down the name of each fact."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def run_started(self, run: RunView) -> None:
        self.seen.append(f"run {run.handle.flow_name}")

    def task_started(self, call: Call) -> None:
        self.seen.append(f"task {call.definition.name}")

    def attempt_failed(self, call: Call, failed_attempt: FailedAttempt) -> None:
        self.seen.append(
            f"attempt {failed_attempt.attempt} of {call.definition.name}: {failed_attempt.failure.info().message}"
        )

    def task_ended(self, call: Call, failure: Failure | None) -> None:
        self.seen.append(f"{call.status} {call.definition.name}")

    def logged(self, line: LogLine, message: object, scope: Scope | None) -> None:
        if line.source == "stdout":
            self.seen.append(f"print {line.message}")

    def artifact_added(self, artifact: ArtifactFact, scope: Scope | None) -> None:
        self.seen.append(f"artifact {artifact.key}")

    def result_added(self, result: ResultFact, scope: Scope | None) -> None:
        self.seen.append(f"result {result.key}")

    def run_ended(self, run: RunView, abandoned: Sequence[Call]) -> None:
        self.seen.append(f"end {run.status}, {run.task_counts().total} tasks, {len(abandoned)} abandoned")


@pytest.fixture
def facts() -> Iterator[Facts]:
    """A sink of facts for all runs of the test."""
    sink = Facts()
    sink_factories.append(lambda start: sink)
    yield sink
    sink_factories.pop()


@pytest.fixture
def tracer() -> Iterator[Tracer]:
    """A tracer for all runs of the test."""
    sink = Tracer()
    sink_factories.append(lambda start: sink)
    yield sink
    sink_factories.pop()


def test_a_sink_gets_each_fact_in_order(facts: Facts) -> None:
    """Start, tasks, a failed attempt, lines, artifacts, results and the end arrive in the order in which they happen."""
    attempts = iter([1, 2])

    @task(retries=1)
    def step() -> int:
        print("step")
        if next(attempts) == 1:
            raise ValueError("first")
        return 3

    @flow
    def work(this_flow: Flow[int] = INJECTED) -> int:
        this_flow.add_flow_artifact(key="a")
        return step()

    work().execute()
    assert facts.seen == [
        "run work",
        "artifact a",
        "task step",
        "print step",
        "attempt 1 of step: first",
        "print step",
        "completed step",
        "result flow-return-value",
        "end completed, 1 tasks, 0 abandoned",
    ]


def test_a_task_that_is_open_at_the_end_is_told_as_abandoned(facts: Facts) -> None:
    """The end of the run names the calls that were still open."""
    started: list[asyncio.Task[None]] = []

    @task
    async def endless() -> None:
        await asyncio.Event().wait()

    @flow
    async def work() -> None:
        started.append(asyncio.create_task(endless()))
        await asyncio.sleep(0)

    async def main() -> None:
        await work()
        started[0].cancel()

    asyncio.run(main())
    assert facts.seen[-1] == "end completed, 1 tasks, 1 abandoned"


def test_a_factory_may_leave_a_run_alone() -> None:
    """A factory that returns None for a run adds no sink to it."""
    sink = Facts()

    @flow
    def seen() -> None: ...

    @flow
    def unseen() -> None: ...

    factory = sink_factories
    factory.append(lambda start: sink if start.handle.flow_name == "seen" else None)
    try:
        seen().execute()
        unseen().execute()
    finally:
        factory.pop()
    assert facts_of(sink, "run ") == ["run seen"]


def facts_of(sink: Facts, beginning: str) -> list[str]:
    """Those facts that begin so."""
    return [fact for fact in sink.seen if fact.startswith(beginning)]


class Broken(RunSink):
    """Raises everywhere."""

    activates = True

    def __getattribute__(self, name: str) -> object:
        if name in {"sink", "activates", "__class__"}:
            return super().__getattribute__(name)
        raise ZeroDivisionError(name)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_sink_that_raises_hurts_neither_the_run_nor_other_sinks(
    facts: Facts, caplog: pytest.LogCaptureFixture, asynchronous: bool
) -> None:
    """Whatever a sink raises is logged once; value, record and the facts for other sinks are as without it."""

    @task
    def step() -> int:
        print("step")
        return 4

    @task
    async def step_async() -> int:
        print("step")
        return 4

    @flow
    def work() -> int:
        return step()

    @flow
    async def work_async() -> int:
        return await step_async()

    sink_factories.insert(0, lambda start: Broken())
    try:
        with caplog.at_level(logging.WARNING, "flowscope"):
            done = (work_async if asynchronous else work)().execute()
    finally:
        del sink_factories[0]
    assert done.return_value == 4
    assert done.flow_run.tasks[0].status == RunStatus.COMPLETED
    assert facts.seen[-1] == "end completed, 1 tasks, 0 abandoned"
    assert len([record for record in caplog.records if "Broken raised ZeroDivisionError" in record.message]) == 1


def test_a_factory_that_raises_hurts_no_run(facts: Facts, caplog: pytest.LogCaptureFixture) -> None:
    """A run starts although a factory raises, which is logged."""

    def factory(start: object) -> RunSink:
        raise ZeroDivisionError

    sink_factories.insert(0, factory)
    try:
        with caplog.at_level(logging.WARNING, "flowscope"):
            assert flow(lambda: 1)().execute().succeeded
    finally:
        del sink_factories[0]
    assert "ZeroDivisionError" in caplog.text
    assert facts.seen[0].startswith("run ")


@pytest.mark.parametrize("answer", [object(), Facts, 0, "sink"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_factory_that_answers_with_no_sink_hurts_no_run(
    facts: Facts, caplog: pytest.LogCaptureFixture, answer: Any, asynchronous: bool
) -> None:
    """Such an answer is logged once, and left out; other sinks are told as ever."""

    def factory(start: object) -> Any:
        return answer

    async def work_later() -> int:
        return 1

    sink_factories.insert(0, factory)
    try:
        with caplog.at_level(logging.WARNING, "flowscope"):
            work: Any = work_later if asynchronous else lambda: 1
            assert flow(work)().execute().return_value == 1
    finally:
        del sink_factories[0]
    assert caplog.text.count("TypeError: wanted a RunSink, found ") == 1
    assert facts.seen[0].startswith("run ")


@task
def spans_of_sync() -> str:
    """The span of a sync body."""
    return span.get()


@task(timeout=60)
def spans_of_timed() -> str:
    """The span of a body in a library thread."""
    return span.get()


@task
async def spans_of_async() -> str:
    """The span of an async body, also after it was suspended."""
    before = span.get()
    await asyncio.sleep(0)
    assert span.get() == before
    return before


@task
def spans_of_generator() -> Iterator[str]:
    """The span at each step of a generator."""
    yield span.get()
    yield span.get()


@task
async def spans_of_async_generator() -> AsyncIterator[str]:
    """The span at each step of an async generator."""
    yield span.get()
    yield span.get()


def test_each_body_runs_in_the_span_of_its_task_and_the_caller_does_not(
    tracer: Tracer, caplog: pytest.LogCaptureFixture
) -> None:
    """Bodies of sync, timed, async and generator tasks see their span; between and after them the flow sees its own."""
    seen: list[str] = []

    @flow
    async def work() -> None:
        own = span.get()
        seen.append(spans_of_sync())
        seen.append(spans_of_timed())
        seen.append(await spans_of_async())
        seen.extend(await asyncio.gather(spans_of_async(), spans_of_async()))
        for item in spans_of_generator():
            assert span.get() == own
            seen.append(item)
        async for item in spans_of_async_generator():
            assert span.get() == own
            seen.append(item)
        seen.append(await submit(spans_of_sync))
        seen.append(await submit(spans_of_async))
        assert span.get() == own
        seen.append(own)

    work().execute()
    assert seen == [
        "spans_of_sync",
        "spans_of_timed",
        *["spans_of_async"] * 3,
        *["spans_of_generator"] * 2,
        *["spans_of_async_generator"] * 2,
        "spans_of_sync",
        "spans_of_async",
        "flow",
    ]
    assert span.get() == "outside"
    assert "raised" not in caplog.text


def test_each_attempt_is_surrounded_anew(tracer: Tracer) -> None:
    """A task that is retried enters its surroundings once for each attempt."""
    attempts = iter([1, 2, 3])

    @task(retries=2)
    def flaky() -> None:
        if next(attempts) < 3:
            raise ValueError

    @flow
    def work() -> None:
        flaky()

    work().execute()
    assert tracer.entered == ["flow", "flaky", "flaky", "flaky"]


def test_an_error_passes_through_the_surroundings_unchanged(tracer: Tracer) -> None:
    """The exception of a body is the very object, and its traceback shows no code of the surroundings."""
    error = ValueError("own")

    @task
    def fails() -> None:
        raise error

    @flow
    def work() -> None:
        fails()

    with pytest.raises(ValueError, match="own") as caught:
        work().execute()
    assert caught.value is error
    assert tracer.entered == ["flow", "fails"]


@task
def counts_down() -> Generator[int, None, str]:
    """A generator with a value of its own."""
    yield 1
    return "value"


def test_a_generator_that_returns_a_value_is_not_hurt(tracer: Tracer) -> None:
    """The value of a generator task arrives at `yield from` through its surroundings."""
    values: list[str] = []

    def consume() -> Generator[int, None, None]:
        values.append((yield from counts_down()))

    @flow
    def work() -> list[int]:
        return list(consume())

    assert work().execute().return_value == [1]
    assert values == ["value"]


@pytest.mark.parametrize("block", ["with", "async with"])
def test_a_block_is_surrounded_like_a_flow(tracer: Tracer, block: str) -> None:
    """In a `with` block code runs in the span of the flow, and after it outside."""

    async def inside() -> str:
        async with Flow[None]():
            spans_of_sync()
            return span.get()

    if block == "with":
        with Flow[None]():
            spans_of_sync()
            found = span.get()
    else:
        found = asyncio.run(inside())
    assert found == "flow"
    assert span.get() == "outside"
