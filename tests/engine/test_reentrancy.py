"""Code that Python runs in between, finalizers and signal handlers, may print and log at any point of the library.

Each program runs in an interpreter of its own, which gives up and shows where it hangs if it does.
"""

import signal
import subprocess
import sys
from textwrap import dedent

import pytest

PRELUDE = """
import asyncio, faulthandler, gc, logging, signal, sys
from flowscope import *

faulthandler.dump_traceback_later(15, exit=True)
library = logging.getLogger("tests.reentrancy")
library.setLevel(logging.DEBUG)
library.propagate = False
library.addHandler(logging.NullHandler())

class Garbage:
    # only the collector finds it, whenever that may run
    def __init__(self, farewell):
        self.me = self
        self.farewell = farewell

    def __del__(self):
        self.farewell()

def litter(farewell, i):
    # the next collection comes a few allocations from here
    gc.disable()
    Garbage(farewell)
    gc.set_threshold(1 + i % 60, 1_000_000, 1_000_000)
    gc.enable()

@task
def note(i):
    print(i)

def consistent(events):
    return [event.sequence for event in events] == list(range(1, len(events) + 1))
"""


def output_of(code: str) -> str:
    """What a program printed, which ended well."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PRELUDE + dedent(code)],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.mark.parametrize("config", ["", "capture_events=True", "max_logs=3", "capture_events=True, max_events=3"])
@pytest.mark.parametrize("listens", [True, False])
def test_finalizers_may_print_and_log_at_any_point(config: str, listens: bool) -> None:
    """A `__del__` that prints and logs inside a flow, whenever the collector runs it, blocks nothing and loses nothing."""
    code = f"""
        said = []
        config = FlowConfig({config})
        listens = {listens}

        def farewell():
            said.append(1)
            print("bye")
            library.info("bye")

        @flow(flow_config=config)
        def littered():
            for i in range(1_200):
                litter(farewell, i)
                note(i)
            gc.set_threshold(700, 10, 10)
            gc.collect()

        events = []
        made = littered()
        if listens:
            made.add_listener(events.append)
        made.execute()
        record = made.flow_run
        byes = [e for e in record.logs if e.message == "bye"]
        told = [e for e in events if e.event_data.data.get("message_data", dict()).get("message") == "bye"]
        print(consistent(events), len(said) == 1_200, len(record.tasks))
        if config.max_logs is None:
            assert len(byes) == 2_400, len(byes)
        if listens:
            assert len(told) == 2_400, len(told)
        assert record.dropped.logs == (0 if config.max_logs is None else 3_600 - 3)
    """
    assert output_of(code) == "True True 1200"


def test_finalizers_may_drop_streams_and_subscriptions_at_any_point() -> None:
    """A stream that the collector drops, or a `__del__` that unsubscribes, blocks nobody who subscribes meanwhile."""
    code = """
        def farewell():
            subscriptions.pop().close()

        subscriptions = [flow_events.subscribe(lambda event: None) for _ in range(600)]

        for i in range(600):
            gc.disable()
            stream = flow_events.stream()
            aiter(stream)
            cycle = [stream]
            cycle.append(cycle)
            del stream, cycle
            litter(farewell, i)
            with flow_events.subscribe(lambda event: None):
                pass
        gc.set_threshold(700, 10, 10)
        gc.collect()
        print(len(flow_events.event_listeners), len(subscriptions))
    """
    assert output_of(code) == "0 0"


def test_finalizers_may_run_flows_at_any_point() -> None:
    """A `__del__` that executes a flow, whenever the collector runs it, finds the library in order."""
    code = """
        inner_runs = []

        @flow
        def inner():
            note(1)

        def farewell():
            inner_runs.append(inner().execute())

        @flow
        def outer(i):
            note(i)

        outer_runs = []
        with flow_events.subscribe(lambda event: None):
            for i in range(600):
                litter(farewell, i)
                outer_runs.append(outer(i).execute())
        gc.set_threshold(700, 10, 10)
        gc.collect()
        runs = outer_runs + inner_runs
        print(len(runs), {len(run.executed_tasks) for run in runs}, {str(run.status) for run in runs})
    """
    assert output_of(code) == "1200 {1} {'completed'}"


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the platform has no interval timers")
def test_signal_handlers_may_print_and_log_at_any_point() -> None:
    """A handler that prints and logs while the flow emits events blocks nothing, and is recorded whole."""
    code = """
        ticks = []

        def handle(number, frame):
            ticks.append(1)
            print("tick")
            library.info("tock")

        signal.signal(signal.SIGALRM, handle)

        @flow
        def interrupted():
            signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
            for i in range(6_000):
                note(i)
            signal.setitimer(signal.ITIMER_REAL, 0)

        events = []
        made = interrupted()
        made.add_listener(events.append)
        made.execute()
        record = made.flow_run
        messages = [e.message for e in record.logs]
        print(consistent(events), len(record.tasks))
        print(messages.count("tock") == len(ticks) > 10)
        print(sum(message.count("tick") for message in messages) == len(ticks))
    """
    assert output_of(code).split() == ["True", "6000", "True", "True"]
