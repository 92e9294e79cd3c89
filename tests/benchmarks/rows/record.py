"""What reading costs: the run record and its JSON."""

import gc
from time import perf_counter_ns
from typing import Any, Final

from flowscope import Flow, flow

from ..figures import Effort, Figure
from .tasks import step

__all__ = ["record_json"]

BUDGET: Final = 12.0
TASKS: Final = 10_000


@flow
def many(count: int) -> None:
    """Call so many tasks."""
    for number in range(count):
        step(number)


def record_json(effort: Effort) -> list[Figure]:
    """`flow_run` and `model_dump_json`, for each task of a run."""
    count = effort.of(TASKS)
    finished = many(count).execute()
    finished.flow_run.model_dump_json()
    spent = [_timed(finished) for _ in range(effort.rounds)]
    records, texts = (min(part) / count / 1e3 for part in zip(*spent, strict=True))
    both = min(map(sum, spent)) / count / 1e3
    parts = f"flow_run {records:.2f}, its JSON {texts:.2f}, the fastest of the rounds"
    return [Figure(f"flow_run and its JSON, each of {count:,} tasks", both, "µs", BUDGET, parts)]


def _timed(finished: Flow[Any]) -> tuple[int, int]:
    gc.collect()
    began = perf_counter_ns()
    record = finished.flow_run
    built = perf_counter_ns()
    record.model_dump_json()
    return built - began, perf_counter_ns() - built
