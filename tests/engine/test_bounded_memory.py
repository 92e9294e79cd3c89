"""With `add_task_to_self=False` tasks are counted and timed, not kept: memory stays flat."""

import asyncio
import gc
import threading
import tracemalloc
import weakref
from collections.abc import Callable
from math import isclose

import pytest

from flowscope import EventType, Flow, FlowConfig, FlowEvent, RunStatus, Task, bind_context, task

COUNTED = FlowConfig(add_task_to_self=False)


@task
def add(x: int) -> int:
    return x + 1


@task
async def add_later(x: int) -> int:
    await asyncio.sleep(0)
    return x + 1


@task(raise_on_error=False)
def fragile(x: int) -> int:
    if x % 2:
        raise ValueError(x)
    return x


def growth_of(work: Callable[[], None]) -> int:
    """How many bytes more are in use after some work than before it."""
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    work()
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    return after - before


def test_nothing_but_counts_and_times_is_kept() -> None:
    """No task is in the record or among the executed tasks; `dropped.tasks` and the durations count them."""
    with Flow[None](flow_config=COUNTED) as made:
        for n in range(10):
            add(n)
        fragile(1)
        fragile(2)
    record = made.flow_run
    assert record.tasks == []
    assert list(made.executed_tasks) == []
    assert record.dropped.tasks == 12
    assert made.durations_with_tasks_status().flow_tasks == {}
    durations = made.durations()
    assert {name: timing.count for name, timing in durations.calls.items()} == {"add": 10, "fragile": 2}
    timing = durations.calls["add"]
    assert 0 < timing.min <= timing.mean <= timing.max <= timing.total == durations.flow_tasks["add"]
    assert isclose(timing.mean, timing.total / 10)
    assert timing.total <= durations.flow_duration
    assert made.succeeded


def test_with_tasks_kept_nothing_is_dropped() -> None:
    """By default every task is kept, and none is counted as dropped."""
    with Flow[None]() as made:
        add(1)
    assert made.flow_run.dropped.tasks == 0
    assert len(made.flow_run.tasks) == 1


def test_counts_can_be_read_while_the_flow_runs() -> None:
    """Durations and the count of dropped tasks are right at any moment, also read often, across any batching."""
    with Flow[None](flow_config=COUNTED) as made:
        for n in range(1, 5_001):
            add(n)
            if n % 500 == 0:
                assert made.durations().calls["add"].count == n
                assert made.flow_run.dropped.tasks == n


def test_events_and_logs_are_as_ever() -> None:
    """Listeners hear of every task with its id and outcome, and what tasks print is logged under their ids."""
    events: list[FlowEvent] = []
    made = Flow[None](flow_config=COUNTED)
    made.add_listener(events.append, EventType.TASK_START, EventType.TASK_STOP, EventType.FLOW_STOP)

    @task
    def say() -> None:
        print("hello")

    with made:
        say()
        fragile(1)
    kinds = [(e.event_type, e.event_data.task_name) for e in events]
    assert kinds == [
        (EventType.TASK_START, "say"),
        (EventType.TASK_STOP, "say"),
        (EventType.TASK_START, "fragile"),
        (EventType.TASK_STOP, "fragile"),
        (EventType.FLOW_STOP, None),
    ]
    assert events[3].event_data.data["error"].message == "1"
    assert events[4].event_data.data["tasks"] == {"total": 2, "failed": 1}
    printed = [e for e in made.flow_run.logs if e.source == "stdout"]
    assert [e.task_id for e in printed] == [events[0].event_data.task_run_id]
    assert len({e.event_data.task_run_id for e in events[:4]}) == 2


def test_errors_and_values_come_back_as_ever() -> None:
    """Values, exceptions with their notes, retries and the flow's own outcome do not depend on what is kept."""
    boom = ValueError("boom")
    attempts: list[int] = []

    @task(retries=2)
    def fails() -> None:
        attempts.append(1)
        raise boom

    def run() -> int:
        assert add(1) == 2
        fails()
        return 1

    made = Flow[int](flow_config=COUNTED).setup(run)
    with pytest.raises(ValueError) as caught:
        made.execute()
    assert caught.value is boom
    assert len(boom.__notes__) == 1
    assert len(attempts) == 3
    assert made.flow_run.dropped.tasks == 2
    assert made.status is RunStatus.FAILED


def test_arguments_and_values_are_let_go() -> None:
    """What went into a task and came out of it is free once the task has ended."""

    class Payload:
        """Can be referred to weakly."""

    @task
    def passes(payload: Payload) -> list[Payload]:
        return [payload]

    references: list[weakref.ref[Payload]] = []
    with Flow[None](flow_config=COUNTED):
        for _ in range(3):
            payload = Payload()
            references.append(weakref.ref(payload))
            passes(payload)
            del payload
        gc.collect()
        assert [reference() for reference in references] == [None] * 3


@pytest.mark.slow
def test_memory_is_flat_over_two_hundred_thousand_tasks() -> None:
    """Two hundred thousand tasks leave no more memory in use than the first thousands."""

    def batch(size: int) -> None:
        for n in range(size):
            add(n)

    tracemalloc.start()
    try:
        with Flow[None](flow_config=COUNTED) as made:
            batch(5_000)
            growth = growth_of(lambda: batch(200_000))
    finally:
        tracemalloc.stop()
    assert made.flow_run.dropped.tasks == 205_000
    assert growth < 200_000


@pytest.mark.slow
def test_memory_is_flat_over_failing_tasks() -> None:
    """Failed tasks leave neither their exceptions nor their tracebacks behind, where no log keeps them."""
    config = FlowConfig(add_task_to_self=False, logging_enabled=False)

    def failures(size: int) -> None:
        for _ in range(size):
            fragile(1)

    tracemalloc.start()
    try:
        with Flow[None](flow_config=config) as made:
            failures(3_000)
            growth = growth_of(lambda: failures(20_000))
    finally:
        tracemalloc.stop()
    assert made.flow_run.dropped.tasks == 23_000
    assert growth < 200_000


@pytest.mark.slow
async def test_memory_is_flat_over_concurrent_tasks() -> None:
    """Batches of concurrent async tasks leave nothing behind."""

    async def batches(number: int) -> None:
        for _ in range(number):
            await asyncio.gather(*(add_later(n) for n in range(100)))

    tracemalloc.start()
    try:
        async with Flow[None](flow_config=COUNTED) as made:
            await batches(30)
            gc.collect()
            before, _ = tracemalloc.get_traced_memory()
            await batches(100)
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert made.durations().calls["add_later"].count == 13_000
    assert after - before < 200_000


def test_threads_count_together() -> None:
    """Calls from many threads at once are each counted once."""
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait(30)
        for n in range(3_000):
            add(n)

    with Flow[None](flow_config=COUNTED) as made:
        threads = [threading.Thread(target=bind_context(work), daemon=True) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert made.durations().calls["add"].count == 24_000
    assert made.flow_run.dropped.tasks == 24_000


async def test_a_task_still_open_at_the_end_is_counted() -> None:
    """A task that the flow leaves open is counted, and told as abandoned, once, though it is not kept."""
    events: list[FlowEvent] = []
    started, resume = asyncio.Event(), asyncio.Event()

    @task
    async def lingers() -> None:
        started.set()
        await resume.wait()

    made = Flow[None](flow_config=COUNTED)
    made.add_listener(events.append, EventType.TASK_STOP)
    async with made:
        stray = asyncio.create_task(lingers())
        await started.wait()
    resume.set()
    await stray
    assert [e.event_data.data["status"] for e in events] == [RunStatus.ABANDONED]
    assert made.flow_run.dropped.tasks == 1


def test_a_task_by_hand_is_its_makers_to_keep() -> None:
    """A task made by hand has its status, value and error for whoever holds it, though the flow does not."""
    made = Task(lambda: 5)
    with Flow[None](flow_config=COUNTED) as owner:
        assert made.execute_sync() == 5
    assert made.status is RunStatus.COMPLETED
    assert list(owner.executed_tasks) == []
    assert owner.flow_run.dropped.tasks == 1


def test_a_thread_that_was_left_behind_is_let_go_once_it_has_ended() -> None:
    """A timed-out call that is not kept leaves no trace of its thread in the running flow."""
    release, entered, threads = threading.Event(), threading.Event(), list[threading.Thread]()

    @task(timeout=0.01, raise_on_error=False)
    def slow() -> None:
        threads.append(threading.current_thread())
        entered.set()
        release.wait(30)

    with Flow[None](flow_config=COUNTED) as made:
        slow()
        entered.wait(30)
        release.set()
        thread = threads.pop()
        thread.join(30)
        reference = weakref.ref(thread)
        del thread
        for n in range(5_000):
            add(n)
        gc.collect()
        assert reference() is None
    assert made.flow_run.dropped.tasks == 5_001
