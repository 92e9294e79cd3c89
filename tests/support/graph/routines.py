"""Routines and graphs that the tests share. All at the top of the module, so that another process finds them."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from flowscope.graph import JobState, Routine, RoutineGraph, event, slot

__all__ = [
    "BOUND",
    "AsyncGate",
    "Counter",
    "Gate",
    "Hold",
    "Relay",
    "Source",
    "begun",
    "called",
    "chain",
    "graph_of",
    "values_of",
]

T = TypeVar("T")

BOUND = 20.0
"""Seconds that no wait of a test takes, if things work."""


class Gate:
    """Lets a test see that something has come to a point, and let it pass."""

    def __init__(self) -> None:
        self._entered = threading.Semaphore(0)
        self._open = threading.Event()

    def pass_through(self) -> None:
        """Say that somebody is there, and wait for the test."""
        self._entered.release()
        assert self._open.wait(BOUND)

    def wait_entered(self, count: int = 1) -> None:
        """Wait until so many are there."""
        for _ in range(count):
            assert self._entered.acquire(timeout=BOUND)

    def open(self) -> None:
        """Let all pass."""
        self._open.set()


class AsyncGate:
    """The same for async handlers, in whatever loop they run."""

    def __init__(self) -> None:
        self._entered = threading.Semaphore(0)
        self._open: Future[None] = Future()

    async def pass_through(self) -> None:
        """Say that somebody is there, and wait for the test."""
        self._entered.release()
        async with asyncio.timeout(BOUND):
            await asyncio.shield(asyncio.wrap_future(self._open))

    def wait_entered(self, count: int = 1) -> None:
        """Wait until so many are there."""
        for _ in range(count):
            assert self._entered.acquire(timeout=BOUND)

    def open(self) -> None:
        """Let all pass."""
        self._open.set_result(None)


def begun(function: Callable[..., T], *args: Any, **kwargs: Any) -> "Future[T]":
    """A call that goes on in a daemon thread of its own, so that a test that fails leaves nobody waiting for it."""
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(function(*args, **kwargs))
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return outcome


class Source(Routine):
    """Emits `count` numbers."""

    count: int = 3
    out = event("value")

    @slot
    def trigger(self) -> None:
        """Emit them all."""
        for value in range(self.count):
            self.emit("out", value=value)


class Relay(Routine):
    """Passes a number on, one higher, and writes it down in the job."""

    out = event("value")

    @slot
    def trigger(self, value: int) -> None:
        """Pass it on."""
        self.job.append_to_shared_log({"routine": self.job.current_routine_id, "value": value})
        self.emit("out", value=value + 1)


class Counter(Routine):
    """Writes each number down in the job."""

    @slot(name="input")
    def take(self, value: int) -> None:
        """Write it down."""
        self.job.append_to_shared_log({"value": value})


class Hold(Routine):
    """Waits at a gate before it passes a number on."""

    out = event("value")

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self._gate = gate

    _gate: Gate

    @slot
    def trigger(self, value: int = 0) -> None:
        """Wait, then pass it on."""
        self._gate.pass_through()
        self.emit("out", value=value)


def called(handler: Callable[..., Any], *events: str, **options: Any) -> Routine:
    """A routine with one function as the handler of `trigger`, and these events."""
    routine = Routine()
    routine.define_slot("trigger", handler, **options)
    for name in events:
        routine.define_event(name)
    return routine


def graph_of(*routines: Routine, **options: Any) -> RoutineGraph:
    """A graph of routines named a, b, c …, the event `out` of each wired to the first slot of the next."""
    graph = RoutineGraph(**options)
    names = [graph.add_routine(routine, chr(97 + number)) for number, routine in enumerate(routines)]
    for source, target in zip(names, names[1:], strict=False):
        graph.connect(source, "out", target, next(iter(graph.routine(target).slots)))
    return graph


def chain(length: int, **options: Any) -> RoutineGraph:
    """So many relays in a row, named r0, r1 …"""
    graph = RoutineGraph(**options)
    for number in range(length):
        graph.add_routine(Relay(), f"r{number}")
    for number in range(length - 1):
        graph.connect(f"r{number}", "out", f"r{number + 1}", "trigger")
    return graph


def values_of(job: JobState) -> list[int]:
    """What its handlers have written down, in that order."""
    return [entry["value"] for entry in job.shared_log]
