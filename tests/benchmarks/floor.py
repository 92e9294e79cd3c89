"""The floors: the same work, recorded by hand.

A hand-instrumented call is try/except, two clock readings, and one slotted record appended to a list. Every timed loop
here and in the rows is written out beside the call that it times, because the interpreter specialises a place of call
for what is called there, and a loop that served several callees would be slower for all of them.
"""

import asyncio
import logging
from time import perf_counter_ns

__all__ = [
    "HandRecord",
    "async_by_hand",
    "bare_gather",
    "depth_by_hand",
    "flows_by_hand",
    "lines_by_hand",
    "nap",
    "noop",
    "noop_async",
    "sync_by_hand",
]


def noop(value: int) -> int:
    """The work of a task: none."""
    return value


async def noop_async(value: int) -> int:
    """The work of an async task: none."""
    return value


async def nap(value: int) -> int:
    """The work of an async task that lets the others run."""
    await asyncio.sleep(0)
    return value


class HandRecord:
    """What hand-written instrumentation keeps of a call."""

    __slots__ = ("ended", "error", "name", "started")

    def __init__(self, name: str, started: int, ended: int, error: BaseException | None) -> None:
        self.name = name
        self.started = started
        self.ended = ended
        self.error = error


def sync_by_hand(count: int) -> float:
    """Call a hand-instrumented function so often; nanoseconds per call."""
    records: list[HandRecord] = []

    def call(value: int) -> int:
        started = perf_counter_ns()
        try:
            result = noop(value)
        except BaseException as error:
            records.append(HandRecord("noop", started, perf_counter_ns(), error))
            raise
        records.append(HandRecord("noop", started, perf_counter_ns(), None))
        return result

    began = perf_counter_ns()
    for number in range(count):
        call(number)
    return (perf_counter_ns() - began) / count


def depth_by_hand(depth: int, count: int) -> float:
    """The same below so many hand-instrumented calls."""
    started = perf_counter_ns()
    try:
        result = depth_by_hand(depth - 1, count) if depth else sync_by_hand(count)
    except BaseException as error:
        HandRecord("depth", started, perf_counter_ns(), error)
        raise
    HandRecord("depth", started, perf_counter_ns(), None)
    return result


async def async_by_hand(count: int) -> float:
    """Await a hand-instrumented coroutine so often; nanoseconds per call."""
    records: list[HandRecord] = []

    async def call(value: int) -> int:
        started = perf_counter_ns()
        try:
            result = await noop_async(value)
        except BaseException as error:
            records.append(HandRecord("noop_async", started, perf_counter_ns(), error))
            raise
        records.append(HandRecord("noop_async", started, perf_counter_ns(), None))
        return result

    began = perf_counter_ns()
    for number in range(count):
        await call(number)
    return (perf_counter_ns() - began) / count


async def bare_gather(count: int) -> float:
    """Gather so many plain coroutines; nanoseconds per coroutine."""
    began = perf_counter_ns()
    await asyncio.gather(*(nap(number) for number in range(count)))
    return (perf_counter_ns() - began) / count


async def flows_by_hand(flows: int, tasks: int) -> float:
    """Gather hand-instrumented coroutines that await hand-instrumented coroutines; nanoseconds per outer one."""
    kept: list[list[HandRecord]] = []

    async def call(value: int, records: list[HandRecord]) -> int:
        started = perf_counter_ns()
        try:
            result = await nap(value)
        except BaseException as error:
            records.append(HandRecord("nap", started, perf_counter_ns(), error))
            raise
        records.append(HandRecord("nap", started, perf_counter_ns(), None))
        return result

    async def work(records: list[HandRecord]) -> None:
        for number in range(tasks):
            await call(number, records)

    async def run() -> None:
        records: list[HandRecord] = []
        started = perf_counter_ns()
        try:
            await work(records)
        except BaseException as error:
            records.append(HandRecord("work", started, perf_counter_ns(), error))
            raise
        records.append(HandRecord("work", started, perf_counter_ns(), None))
        kept.append(records)

    began = perf_counter_ns()
    await asyncio.gather(*(run() for _ in range(flows)))
    return (perf_counter_ns() - began) / flows


class _PlainLogger(logging.Logger):
    """A logger without the hook that flowscope puts into the standard one at the first flow."""

    callHandlers = logging.Logger.callHandlers


class _ListHandler(logging.Handler):
    """Appends each record to a list."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record."""
        self.records.append(record)


def lines_by_hand(count: int) -> float:
    """Log so many lines to one handler that appends to a list; nanoseconds per line."""
    logger = _PlainLogger("benchmark", logging.INFO)
    logger.addHandler(_ListHandler())
    began = perf_counter_ns()
    for _ in range(count):
        logger.info("one line of text")
    return (perf_counter_ns() - began) / count
