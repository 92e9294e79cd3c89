"""What a line of the log costs: printed, and logged through the flow."""

from time import perf_counter_ns
from typing import Any, Final

from flowscope import INJECTED, Flow, flow, task

from ..figures import Effort, Figure
from ..floor import lines_by_hand
from ..measure import compare

__all__ = ["log_line", "print_line"]

BUDGET: Final = 2.0
LINES: Final = 10_000


@task
def print_lines(count: int) -> float:
    """Print so many lines; nanoseconds per line."""
    began = perf_counter_ns()
    for _ in range(count):
        print("one line of text")
    return (perf_counter_ns() - began) / count


@task
def log_lines(count: int, this_flow: Flow[Any] = INJECTED) -> float:
    """Log so many lines; nanoseconds per line."""
    began = perf_counter_ns()
    for _ in range(count):
        this_flow.log_info("one line of text")
    return (perf_counter_ns() - began) / count


@flow
def printing(count: int) -> float:
    """Print in a task."""
    return print_lines(count)


@flow
def logging_info(count: int) -> float:
    """Log in a task."""
    return log_lines(count)


def print_line(effort: Effort) -> list[Figure]:
    """A captured print, against a logging call to one handler that appends to a list."""
    count = effort.of(LINES)
    timed = compare(lambda: lines_by_hand(count), lambda: printing(count).execute().return_value, effort.rounds)
    return [timed.figure("one captured print line", BUDGET)]


def log_line(effort: Effort) -> list[Figure]:
    """A `log_info`, against the same."""
    count = effort.of(LINES)
    timed = compare(lambda: lines_by_hand(count), lambda: logging_info(count).execute().return_value, effort.rounds)
    return [timed.figure("one log_info", BUDGET)]
