"""The graphs that benchmarks run: a message goes through a chain of routines, or from one routine to many."""

from time import perf_counter_ns
from typing import Literal

from flowscope import RunStatus
from flowscope.graph import Routine, RoutineGraph, event, slot

__all__ = ["Step", "Strategy", "chain", "executed", "fan_out"]

Strategy = Literal["sequential", "concurrent"]


class Step(Routine):
    """Send on what comes."""

    out = event("value")

    @slot
    def trigger(self, value: int) -> None:
        self.emit("out", value=value)


def chain(size: int, strategy: Strategy) -> RoutineGraph:
    """So many routines, each connected with the next."""
    graph = _routines(size, strategy)
    for number in range(1, size):
        graph.connect(f"r{number - 1}", "out", f"r{number}", "trigger")
    return graph


def fan_out(size: int, strategy: Strategy) -> RoutineGraph:
    """So many routines, the first of which is connected with all others."""
    graph = _routines(size, strategy)
    for number in range(1, size):
        graph.connect("r0", "out", f"r{number}", "trigger")
    return graph


def _routines(size: int, strategy: Strategy) -> RoutineGraph:
    graph = RoutineGraph("benchmark", strategy)
    for number in range(size):
        graph.add_routine(Step(), f"r{number}")
    return graph


def executed(graph: RoutineGraph, size: int, jobs: int) -> float:
    """Run so many jobs through all routines, one after the other; nanoseconds per activation."""
    spent = 0
    for _ in range(jobs):
        began = perf_counter_ns()
        job = graph.execute("r0", {"value": 1})
        spent += perf_counter_ns() - began
        assert job.status is RunStatus.COMPLETED
        assert len(job.routine_states) == size
    return spent / (jobs * size)
