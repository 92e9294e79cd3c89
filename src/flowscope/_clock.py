"""The only reader of time and maker of ids.

While code runs, moments are ticks: integer nanoseconds of the monotonic clock. An *anchor*, taken once per run, turns
ticks into wall time when a record is read, so that the times of one run never go backwards.
"""

import os
from datetime import UTC, datetime
from time import perf_counter_ns, sleep, time_ns
from typing import NewType

__all__ = ["Ticks", "anchor", "new_token", "now", "seconds", "sleep", "tick", "ticks_after", "time_text", "wall_time"]

Ticks = NewType("Ticks", int)
"""A moment of the monotonic clock, in nanoseconds."""

tick = perf_counter_ns


def ticks_after(seconds: float, start: int | None = None) -> Ticks:
    """The moment so many seconds after another one, by default after now."""
    return Ticks((perf_counter_ns() if start is None else start) + int(seconds * 1e9))


def anchor() -> int:
    """The nanoseconds to add to a tick to get nanoseconds since the epoch."""
    return time_ns() - perf_counter_ns()


def now() -> datetime:
    """The aware UTC time."""
    return datetime.now(UTC)


def wall_time(ticks: int, anchor: int) -> datetime:
    """The aware UTC time of a tick, to the microsecond."""
    return datetime.fromtimestamp((ticks + anchor) / 1e9, UTC)


def time_text(moment: datetime) -> str:
    """A UTC time as the JSON of records has it."""
    return f"{moment.isoformat()[:-6]}Z"


def seconds(start: int, end: int) -> float:
    """The time between two ticks, in seconds."""
    return (end - start) / 1e9


def new_token() -> str:
    """Sixteen random hexadecimal digits, unique also among forked processes."""
    return os.urandom(8).hex()
