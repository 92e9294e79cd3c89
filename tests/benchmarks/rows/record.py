"""What reading costs: the run record and its JSON."""

from collections.abc import Callable
from time import perf_counter_ns
from typing import Final

from pydantic_core import to_json

from flowscope import current_flow, flow

from ..figures import Effort, Figure
from ..measure import Timing, compare
from .tasks import step

__all__ = ["record_json"]

MODELS_BUDGET: Final = 8.0
STRAIGHT_BUDGET: Final = 4.0
SECRET_BUDGET: Final = 1.5
TASKS: Final = 10_000


@flow
def many(count: int, password: str = "") -> None:
    """Call so many tasks."""
    current_flow().log_info(f"with {password}")
    for number in range(count):
        step(number)


def record_json(effort: Effort) -> list[Figure]:
    """`flow_run` with `model_dump_json`, and `flow_run_json`, against the JSON of the same data as plain dicts."""
    count = effort.of(TASKS)
    finished = many(count).execute()
    plain = finished.flow_run.model_dump(mode="json")
    floor = _each(lambda: to_json(plain), count)
    models = compare(floor, _each(lambda: finished.flow_run.model_dump_json(), count), effort.rounds)
    straight = compare(floor, _each(finished.flow_run_json, count), effort.rounds)
    secretive = many(count, "hunter2-Swordfish").execute()
    masked = compare(_each(finished.flow_run_json, count), _each(secretive.flow_run_json, count), effort.rounds)
    return [
        models.figure(f"flow_run and its JSON, each of {count:,} tasks", MODELS_BUDGET),
        straight.figure("  the same with flow_run_json", STRAIGHT_BUDGET),
        masked.figure("  flow_run_json of a run that has a secret, against one that has none", SECRET_BUDGET),
    ]


def _each(write: Callable[[], object], count: int) -> Timing:
    """Nanoseconds for each task."""

    def timed() -> float:
        began = perf_counter_ns()
        write()
        return (perf_counter_ns() - began) / count

    return timed
