"""Code that Python runs in between, finalizers and signal handlers, may print and log at any point of the library.

Each program runs in an interpreter of its own, which gives up and shows where it hangs if it does.
"""

import signal
import subprocess
import sys
from textwrap import dedent

import pytest

needs_timers = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the platform has no interval timers")

PRELUDE = """
import asyncio, faulthandler, gc, io, logging, signal, sys
from flowscope import *

faulthandler.dump_traceback_later(10, exit=True)
library = logging.getLogger("tests.reentrancy")
library.setLevel(logging.DEBUG)
library.propagate = False
library.addHandler(logging.NullHandler())
console, sys.stdout = sys.stdout, io.StringIO()

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
    """A `__del__` that prints and logs in a flow, whenever the collector runs it, blocks nothing and is not lost.

    Where it strikes while a listener is called, it is outside the flow, as the listener is, and its print is real.
    """
    code = f"""
        said = []

        def farewell():
            said.append(1)
            print("bye")
            library.info("bye")

        @flow(flow_config=FlowConfig({config}))
        def littered():
            for i in range(600):
                litter(farewell, i)
                note(i)
            gc.set_threshold(700, 10, 10)
            gc.collect()

        events = []
        made = littered()
        if {listens}:
            made.add_listener(events.append)
        made.execute()
        real = sys.stdout.getvalue().split()
        record = made.flow_run
        lines = len(record.logs) + record.dropped.logs
        print(consistent(events), len(said), len(record.tasks), set(real) <= {{"bye"}}, file=console)
        print(lines == 600 + 2 * (600 - len(real)), file=console)
        if {listens}:
            print(sum(e.event_type == "flow_message" for e in events) == lines, file=console)
    """
    assert output_of(code).split() == ["True", "600", "600", "True", "True", *(["True"] if listens else [])]


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
        print(len(flow_events.event_listeners), len(subscriptions), file=console)
    """
    assert output_of(code) == "0 0"


@needs_timers
def test_signal_handlers_may_print_and_log_at_any_point() -> None:
    """A handler that prints and logs while the flow emits events blocks nothing, and what it says is not lost."""
    code = """
        ticks = []

        def handle(number, frame):
            ticks.append(1)
            print("tick")
            library.info("tock")
            if running:
                signal.setitimer(signal.ITIMER_REAL, 0.001)

        signal.signal(signal.SIGALRM, handle)
        running = [1]

        @flow
        def interrupted():
            signal.setitimer(signal.ITIMER_REAL, 0.001)
            for i in range(4_000):
                note(i)
            running.clear()

        events = []
        made = interrupted()
        made.add_listener(events.append)
        made.execute()
        signal.setitimer(signal.ITIMER_REAL, 0)
        record = made.flow_run
        said = "".join(e.message for e in record.logs) + sys.stdout.getvalue()
        print(consistent(events), len(record.tasks), file=console)
        print(said.count("tick") == len(ticks) > 10, file=console)
    """
    assert output_of(code).split() == ["True", "4000", "True"]


@needs_timers
def test_signal_handlers_may_run_flows_at_any_point() -> None:
    """A handler that executes a flow while another one starts, runs or ends finds the library in order."""
    code = """
        inner_runs = []

        @flow
        def inner():
            note(1)

        def handle(number, frame):
            inner_runs.append(inner().execute())
            if running:
                signal.setitimer(signal.ITIMER_REAL, 0.002)

        @flow
        def outer(i):
            note(i)

        signal.signal(signal.SIGALRM, handle)
        running = [1]
        with flow_events.subscribe(lambda event: None):
            signal.setitimer(signal.ITIMER_REAL, 0.002)
            outer_runs = [outer(i).execute() for i in range(2_000)]
            running.clear()
            signal.setitimer(signal.ITIMER_REAL, 0)
        runs = outer_runs + inner_runs
        print({len(run.executed_tasks) for run in runs}, {str(run.status) for run in runs}, file=console)
        print(len(inner_runs) > 10, all(run.captured_logs()[0].source == "stdout" for run in runs), file=console)
    """
    assert output_of(code) == "{1} {'completed'}\nTrue True"
