"""`async for event in flow_events.stream()`: live, bounded, and never in the way."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator

import pytest

from flowscope import EventType, Flow, FlowEvent, RunStatus, flow, flow_events, task


@pytest.fixture(autouse=True)
def clean_bus() -> Iterator[None]:
    """Every stream is unsubscribed when its test is over."""
    yield
    gc.collect()
    assert flow_events.event_listeners == []


@task
async def work() -> None:
    await asyncio.sleep(0)


@flow
async def working(n: int = 1) -> None:
    for _ in range(n):
        await work()


@flow
def printing(n: int) -> None:
    for i in range(n):
        print(i)


def kinds(events: list[FlowEvent]) -> list[str]:
    return [event.event_type.value for event in events]


FOUR = ["flow_start", "task_start", "task_stop", "flow_stop"]


async def test_a_stream_of_one_flow_ends_with_it() -> None:
    """With an id the stream carries that flow's events alone, up to and including its FLOW_STOP."""
    made = working(2)
    stream = flow_events.stream(made.flow_id)
    events: list[FlowEvent] = []

    async def consume() -> None:
        async for event in stream:
            events.append(event)
            if len(events) == 1:
                started.set()

    started = asyncio.Event()
    consumer = asyncio.create_task(consume())
    await asyncio.sleep(0)
    await asyncio.gather(working().execute_async(), made.execute_async(), working().execute_async())
    await consumer
    assert started.is_set()
    assert [event async for event in stream] == [], "an ended stream stays ended"
    assert kinds(events) == ["flow_start", "task_start", "task_stop", "task_start", "task_stop", "flow_stop"]
    assert {e.event_data.flow_run_id for e in events} == {made.flow_id}
    assert stream.dropped == 0


async def test_the_consumer_lives_beside_the_run() -> None:
    """Events arrive while the flow is running, not only at its end."""
    made_progress = asyncio.Event()

    @flow
    async def waiting() -> None:
        await work()
        await made_progress.wait()

    made = waiting()

    async def consume() -> list[RunStatus]:
        seen: list[RunStatus] = []
        async for event in flow_events.stream(made.flow_id):
            seen.append(made.status)
            if event.event_type is EventType.TASK_STOP:
                made_progress.set()
        return seen

    consumer = asyncio.create_task(consume())
    await asyncio.sleep(0)
    await made
    assert (await consumer)[:3] == [RunStatus.RUNNING] * 3


async def test_it_is_subscribed_when_iteration_starts() -> None:
    """What happens between making the stream and iterating over it is not in it."""
    stream = flow_events.stream()
    await working()
    assert flow_events.event_listeners == []
    iterator = aiter(stream)
    await working()
    events = [await anext(iterator) for _ in range(4)]
    assert kinds(events) == FOUR
    assert len({e.event_data.flow_run_id for e in events}) == 1
    await stream.aclose()


async def test_events_of_other_threads_arrive_in_order() -> None:
    """Sync flows in other threads wake the consumer, and each one's events are in order and complete."""
    ids = [printing(20) for _ in range(4)]
    events: list[FlowEvent] = []

    async def consume() -> None:
        stopped = 0
        async for event in flow_events.stream():
            events.append(event)
            stopped += event.event_type is EventType.FLOW_STOP
            if stopped == len(ids):
                break

    consumer = asyncio.create_task(consume())
    await asyncio.sleep(0)
    await asyncio.gather(*(asyncio.to_thread(made.execute) for made in ids))
    await consumer
    for made in ids:
        own = [e.sequence for e in events if e.event_data.flow_run_id == made.flow_id]
        assert own == list(range(1, 23))


async def test_the_oldest_are_dropped_and_counted() -> None:
    """A consumer that is too slow loses the oldest events, knows how many, and still sees the end."""
    made = printing(100)
    stream = flow_events.stream(made.flow_id, max_pending=5)
    iterator = aiter(stream)
    made.execute()
    assert stream.dropped == 102 - 5
    events = [event async for event in iterator]
    assert [e.sequence for e in events] == [98, 99, 100, 101, 102]
    assert events[-1].event_type is EventType.FLOW_STOP


async def test_the_stream_is_bounded_by_default() -> None:
    """A consumer that never reads holds a bounded number of events, and the run does not wait for it."""
    made = printing(12_000)
    stream = flow_events.stream(made.flow_id)
    iterator = aiter(stream)
    assert made.execute().succeeded
    assert stream.dropped > 0
    events = [event async for event in iterator]
    assert len(events) + stream.dropped == 12_002
    assert events[-1].event_type is EventType.FLOW_STOP


async def test_a_consumer_may_break_out_early() -> None:
    """Leaving the loop ends the subscription when the stream is dropped or closed, and later runs are not hurt."""
    started = asyncio.Event()

    async def consume() -> FlowEvent | None:
        async for event in flow_events.stream():
            return event
        return None

    async def consume_block() -> FlowEvent | None:
        async with flow_events.stream() as stream:
            async for event in stream:
                return event
        return None

    consumers = [asyncio.create_task(consume()), asyncio.create_task(consume_block())]
    asyncio.get_running_loop().call_soon(started.set)
    await started.wait()
    await working()
    first = await asyncio.gather(*consumers)
    gc.collect()
    assert [e.event_type for e in first if e is not None] == [EventType.FLOW_START] * 2
    assert flow_events.event_listeners == []
    assert (await working()).succeeded


async def test_a_cancelled_consumer_unsubscribes() -> None:
    """Cancelling a consumer that waits leaves no listener behind."""

    async def consume() -> None:
        async for _ in flow_events.stream():
            pass

    consumer = asyncio.create_task(consume())
    await asyncio.sleep(0)
    assert len(flow_events.event_listeners) == 1
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer
    del consumer
    await asyncio.sleep(0)
    gc.collect()
    assert flow_events.event_listeners == []


async def test_cancelling_one_wait_loses_no_event() -> None:
    """A wait with a timeout that expires leaves the stream usable, and nothing between the waits is lost."""
    async with flow_events.stream() as stream:
        iterator = aiter(stream)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(iterator), 0.001)
        await working()
        assert kinds([await anext(iterator) for _ in range(4)]) == FOUR


async def test_several_consumers_have_a_stream_each() -> None:
    """Streams do not take events from one another."""
    made = working(3)

    async def consume() -> list[str]:
        return kinds([event async for event in flow_events.stream(made.flow_id)])

    consumers = [asyncio.create_task(consume()) for _ in range(5)]
    await asyncio.sleep(0)
    await made
    heard = await asyncio.gather(*consumers)
    assert all(h == heard[0] for h in heard)
    assert len(heard[0]) == 8


async def test_closing_ends_the_iteration() -> None:
    """aclose() wakes a waiting consumer, whose loop ends; closing again does nothing."""
    stream = flow_events.stream()

    async def consume() -> int:
        return len([event async for event in stream])

    consumer = asyncio.create_task(consume())
    await asyncio.sleep(0)
    await stream.aclose()
    await stream.aclose()
    assert await consumer == 0


def test_a_stream_of_a_loop_that_is_closed_does_not_hurt() -> None:
    """A run whose consumer's loop is gone completes as always."""
    stream = flow_events.stream()

    async def consume() -> None:
        await anext(aiter(stream))

    async def abandon() -> asyncio.Task[None]:
        waiting = asyncio.create_task(consume())
        await asyncio.sleep(0)
        return waiting

    loop = asyncio.new_event_loop()
    waiting = loop.run_until_complete(abandon())
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(waiting)
    loop.close()
    assert len(flow_events.event_listeners) == 1
    assert printing(3).execute().succeeded
    asyncio.run(stream.aclose())


async def test_a_stream_keeps_no_finished_flow_alive() -> None:
    """Events that wait in a stream are data: the flow they tell of is collected."""
    stream = flow_events.stream()
    iterator = aiter(stream)

    def run_it() -> weakref.ref[Flow[None]]:
        return weakref.ref(printing(3).execute())

    reference = run_it()
    gc.collect()
    assert reference() is None
    assert (await anext(iterator)).event_type is EventType.FLOW_START
    await stream.aclose()


async def test_many_threads_feed_one_stream() -> None:
    """Eight threads at once: nothing is lost below the bound."""
    start = threading.Barrier(8)

    def run_one() -> None:
        start.wait()
        printing(100).execute()

    async with flow_events.stream() as stream:
        iterator = aiter(stream)
        threads = [threading.Thread(target=run_one) for _ in range(8)]
        for thread in threads:
            thread.start()
        events = [await anext(iterator) for _ in range(8 * 102)]
        for thread in threads:
            thread.join()
    assert stream.dropped == 0
    assert len({e.event_id for e in events}) == 8 * 102
