"""What stays in memory: of a task that is kept, of tasks that are counted, and of flows that are dropped."""

import tracemalloc
from collections.abc import Callable
from typing import Final

from flowscope import flow, task

from ..figures import Effort, Figure
from ..measure import allocated, settled_objects, traced
from .tasks import COUNTED

__all__ = ["counted_memory", "flow_memory", "task_memory"]

TASK_BUDGET: Final = 400
TASKS: Final = 10_000
MILLION: Final = 1_000_000
FLOWS: Final = 10_000

SLACK: Final = 4_096
"""Bytes that may differ between two readings of the same state: caches of the interpreter and of tracing itself."""


@task
def keep(value: object) -> object:
    """Return the very value, so that neither input nor result takes memory of its own."""
    return value


@flow
def positional(value: object, count: int) -> int:
    """Call so many tasks with a value that exists already; the bytes that are in use afterwards and were not before."""
    before = allocated()
    for _ in range(count):
        keep(value)
    return allocated() - before


@flow
def by_keyword(value: object, count: int) -> int:
    """The same, with the value as a keyword argument."""
    before = allocated()
    for _ in range(count):
        keep(value=value)
    return allocated() - before


@flow(flow_config=COUNTED)
def peaks(few: int, many: int) -> tuple[int, int]:
    """The most bytes that were in use while few tasks were counted, and while many more were."""
    found: list[int] = []
    for count in (few, many):
        tracemalloc.reset_peak()
        for number in range(count):
            keep(number)
        found.append(tracemalloc.get_traced_memory()[1])
    return found[0], found[1]


@flow
def empty() -> None:
    """Do nothing."""


def task_memory(effort: Effort) -> list[Figure]:
    """What a kept task holds beside the user's own values: its record, its place in the list, its tuple of arguments."""
    count = effort.of(TASKS)
    figures: list[Figure] = []
    for what, budget, measured in (
        ("memory of a kept task", TASK_BUDGET, positional),
        ("  of one that is called with a keyword", TASK_BUDGET, by_keyword),
    ):
        with traced():
            held = measured(object(), count).execute().return_value
        figures.append(Figure(what, held / count, "bytes", budget, f"{count:,} tasks, traced"))
    return figures


def counted_memory(effort: Effort) -> list[Figure]:
    """How much higher memory rises over a million counted tasks than over the first thousands."""
    few, many = effort.of(TASKS), effort.of(MILLION)
    with traced():
        low, high = peaks(few, many).execute().return_value
    what = f"growth of the peak memory in {many:,} such tasks"
    return [Figure(what, max(0, high - low), "bytes", SLACK, f"the peak of the first {few:,}: {low:,} bytes")]


def flow_memory(effort: Effort) -> list[Figure]:
    """What flows that were created, executed and dropped leave behind."""
    count = effort.of(FLOWS)
    run_flows(count // 10)
    objects = growth(settled_objects, count)
    with traced():
        run_flows(count // 10)
        held = growth(allocated, count)
    return [
        Figure(f"objects left by {count:,} empty flows", objects, "objects", 0),
        Figure(f"bytes left by {count:,} empty flows", held, "bytes", SLACK),
    ]


def growth(measured: Callable[[], int], count: int) -> int:
    """How much more there is of something after so many flows."""
    before = measured()
    run_flows(count)
    return max(0, measured() - before)


def run_flows(count: int) -> None:
    """Create, execute and drop so many empty flows."""
    for _ in range(count):
        empty().execute()
