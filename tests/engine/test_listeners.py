"""Who listens, what listeners may do, and that none of it hurts the run."""

import asyncio
import logging
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from flowscope import (
    DefinitionError,
    EventType,
    Flow,
    FlowConfig,
    FlowEvent,
    NoActiveFlowError,
    RunStatus,
    Subscription,
    current_flow,
    current_flow_or_none,
    flow,
    flow_events,
    task,
)


@task
def work() -> None: ...


@flow
def working() -> None:
    work()


@flow
async def working_async() -> None:
    work()
    await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def clean_bus() -> Iterator[None]:
    """No test leaves a listener behind."""
    yield
    assert flow_events.event_listeners == []


FOUR = ["flow_start", "task_start", "task_stop", "flow_stop"]


def kinds(events: list[FlowEvent]) -> list[str]:
    return [event.event_type.value for event in events]


def test_the_list_of_listeners_is_the_users() -> None:
    """A callable appended to `event_listeners` receives every event, until it is removed."""
    events: list[FlowEvent] = []
    flow_events.event_listeners.append(events.append)
    working().execute()
    flow_events.event_listeners.remove(events.append)
    working().execute()
    assert kinds(events) == FOUR


def test_a_subscription_ends_with_its_block_or_on_close() -> None:
    """`subscribe` returns a Subscription that is a context manager, and whose close() may be called again."""
    events: list[FlowEvent] = []
    with flow_events.subscribe(events.append) as subscription:
        assert isinstance(subscription, Subscription)
        working().execute()
    subscription.close()
    working().execute()
    assert kinds(events) == FOUR
    other = flow_events.subscribe(events.append)
    other.close()
    working().execute()
    assert len(events) == 4


def test_subscriptions_filter_by_type_and_flow_name() -> None:
    """A subscription with types gets those, and one with a flow name that flow's events only."""
    starts: list[FlowEvent] = []
    named: list[FlowEvent] = []
    both: list[FlowEvent] = []

    @flow(flow_name="chosen")
    def chosen() -> None:
        work()

    with (
        flow_events.subscribe(starts.append, EventType.FLOW_START, EventType.TASK_START),
        flow_events.subscribe(named.append, flow_name="chosen"),
        flow_events.subscribe(both.append, EventType.FLOW_STOP, flow_name="chosen"),
    ):
        chosen().execute()
        working().execute()
    assert kinds(starts) == ["flow_start", "task_start"] * 2
    assert kinds(named) == FOUR
    assert kinds(both) == ["flow_stop"]
    assert {e.event_data.flow_name for e in [*named, *both]} == {"chosen"}


def test_a_flows_own_listener_hears_this_flow_only() -> None:
    """add_listener hears every execution of its flow, neither nested nor other flows; types filter; close ends it."""
    events: list[FlowEvent] = []
    stops: list[FlowEvent] = []

    @flow
    def outer() -> None:
        working().execute()

    made = outer()
    subscription = made.add_listener(events.append)
    made.add_listener(stops.append, EventType.FLOW_STOP)
    first = made.execute().flow_id
    outer().execute()
    second = made.execute().flow_id
    subscription.close()
    made.execute()
    assert kinds(events) == ["flow_start", "flow_stop"] * 2
    assert [e.event_data.flow_run_id for e in events] == [first, first, second, second]
    assert len(stops) == 3


def test_a_listener_that_joins_a_running_flow_hears_the_rest() -> None:
    """Events from then on arrive, gap-free among themselves, up to the stop."""
    events: list[FlowEvent] = []

    @flow
    def joined() -> None:
        work()
        current_flow().add_listener(events.append)
        work()

    joined().execute()
    assert kinds(events) == FOUR[1:]
    sequence = [e.sequence for e in events]
    assert sequence == list(range(sequence[0], sequence[0] + 3))


def test_a_listener_may_print(capsys: pytest.CaptureFixture[str]) -> None:
    """What a listener prints is real, not part of the flow it observes, and causes no events."""

    def listen(event: FlowEvent) -> None:
        print(event.event_type.value)
        logging.getLogger("tests.listener").warning("heard")
        assert current_flow_or_none() is None

    with flow_events.subscribe(listen):
        run = working().execute()
    assert capsys.readouterr().out.splitlines() == FOUR
    assert run.captured_logs() == []


def test_a_listener_may_log_on_the_flow_it_hears() -> None:
    """A listener that adds to the flow's log causes one more event each time, delivered after the present one."""
    events: list[FlowEvent] = []
    made = working()

    def listen(event: FlowEvent) -> None:
        events.append(event)
        if event.event_type is EventType.TASK_START:
            made.log_info("noticed")

    with flow_events.subscribe(listen):
        made.execute()
    assert kinds(events) == ["flow_start", "task_start", "flow_message", "task_stop", "flow_stop"]
    assert [e.sequence for e in events] == [1, 2, 3, 4, 5]
    assert [e.message for e in made.captured_logs()] == ["noticed"]


def test_a_listener_may_subscribe_and_unsubscribe() -> None:
    """Listeners come and go while events are delivered, themselves included, and each hears what it is there for."""
    late: list[FlowEvent] = []
    once: list[FlowEvent] = []
    subscriptions: list[Subscription] = []

    def opener(event: FlowEvent) -> None:
        if event.event_type is EventType.FLOW_START:
            subscriptions.append(flow_events.subscribe(late.append))

    def leaver(event: FlowEvent) -> None:
        once.append(event)
        own.close()

    opening = flow_events.subscribe(opener)
    own = flow_events.subscribe(leaver)
    working().execute()
    opening.close()
    subscriptions[0].close()
    assert kinds(once) == ["flow_start"]
    assert kinds(late) == FOUR[1:]


def test_a_listener_may_run_a_flow() -> None:
    """A flow executed by a listener is complete, nobody's child, and heard like any other."""
    inner: list[Flow[None]] = []
    events: list[FlowEvent] = []

    def listen(event: FlowEvent) -> None:
        events.append(event)
        if event.event_data.flow_name == "working" and event.event_type is EventType.TASK_STOP:
            inner.append(nested().execute())

    @flow
    def nested() -> None:
        print("inside")
        work()

    with flow_events.subscribe(listen):
        run = working().execute()
    assert len(run.executed_tasks) == len(inner[0].executed_tasks) == 1
    assert [e.message for e in inner[0].captured_logs()] == ["inside"]
    assert inner[0].flow_run.parent_flow_id is None
    for each in (run, inner[0]):
        own = [e for e in events if e.event_data.flow_run_id == each.flow_id]
        assert [e.sequence for e in own] == list(range(1, len(own) + 1))
        assert own[-1].event_type is EventType.FLOW_STOP


def test_listeners_of_concurrent_flows_may_block_each_other() -> None:
    """A listener that waits in one run for what another run's listener does holds no lock of theirs."""
    met = threading.Barrier(2, timeout=10)

    def listen(event: FlowEvent) -> None:
        if event.event_type is EventType.TASK_START:
            met.wait()

    flows = [working(), working()]
    with flow_events.subscribe(listen), ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(Flow[None].execute, flows))
    assert [r.status for r in runs] == [RunStatus.COMPLETED] * 2
    assert not met.broken


def test_subscribing_in_many_threads_loses_nobody() -> None:
    """Subscriptions that open and close at once never take another one with them."""
    kept: list[Subscription] = []
    heard: list[int] = []

    def churn(thread: int) -> None:
        for i in range(300):
            with flow_events.subscribe(lambda _: None):
                if i % 30 == 0:
                    kept.append(flow_events.subscribe(lambda _: heard.append(1), EventType.FLOW_START))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(churn, range(8)))
    finally:
        sys.setswitchinterval(interval)
    present = len(flow_events.event_listeners)
    working().execute()
    for subscription in kept:
        subscription.close()
    left = len(flow_events.event_listeners)
    flow_events.event_listeners.clear()
    assert (present, len(heard), left) == (80, 80, 0)


def test_a_task_called_by_a_listener_is_in_no_flow() -> None:
    """A listener is outside: a task that it calls raises in it, and the run goes on."""
    raised: list[str] = []

    def listen(event: FlowEvent) -> None:
        try:
            work()
        except NoActiveFlowError as error:
            raised.append(str(error))

    with flow_events.subscribe(listen):
        run = working().execute()
    assert len(raised) == 4
    assert len(run.executed_tasks) == 1


def test_at_the_stop_the_record_is_final() -> None:
    """A listener of FLOW_STOP finds the status, the log, the tasks and the times as they stay."""
    found: list[str] = []

    @flow(flow_config=FlowConfig(print_finished_message=True))
    def finishing() -> int:
        work()
        print("partial", end="")
        return 1

    made = finishing()
    made.add_listener(lambda _: found.append(made.flow_run.model_dump_json()), EventType.FLOW_STOP)
    made.execute()
    assert found == [made.flow_run.model_dump_json()]
    assert made.return_value == 1


def test_a_subscription_that_could_hear_nothing_is_refused() -> None:
    """What cannot be called, and a type of event that there is not; nobody is subscribed then."""
    wrong: Any = 3
    unknown: Any = "task_stopp"
    known: Any = "task_stop"
    with pytest.raises(DefinitionError, match="3 cannot be called"):
        flow_events.subscribe(wrong)
    with pytest.raises(ValueError, match="task_stopp"):
        flow_events.subscribe(print, unknown)
    with pytest.raises(DefinitionError):
        Flow[None]().add_listener(wrong)
    assert flow_events.event_listeners == []
    flow_events.subscribe(print, known).close()
