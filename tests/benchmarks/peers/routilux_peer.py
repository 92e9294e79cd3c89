"""The work in Routilux."""

import logging
import warnings
from time import perf_counter_ns
from typing import TYPE_CHECKING, ClassVar

from .peer import GraphPeer

if TYPE_CHECKING:
    from routilux import Routine

__all__ = ["Routilux"]

PATIENCE = 60.0
"""Seconds that a job may take."""


class Routilux(GraphPeer):
    """Routilux, whose jobs run in threads; the wait for a job's end is part of it."""

    jobs: ClassVar = 2

    def __init__(self) -> None:
        from routilux import Flow, Routine

        logging.disable()
        warnings.simplefilter("ignore", DeprecationWarning)  # of the only way to wait for a job

        self._flow = Flow
        self._routine = Routine

    def chain(self, size: int, jobs: int) -> float:
        return self._executed([(number - 1, number) for number in range(1, size)], size, jobs)

    def fan_out(self, size: int, jobs: int) -> float:
        return self._executed([(0, number) for number in range(1, size)], size, jobs)

    def _executed(self, edges: list[tuple[int, int]], size: int, jobs: int) -> float:
        flow = self._flow()
        for number in range(size):
            flow.add_routine(self._step(), f"r{number}")
        for source, target in edges:
            flow.connect(f"r{source}", "out", f"r{target}", "trigger")
        began = perf_counter_ns()
        for _ in range(jobs):
            job = flow.execute("r0", {"value": 1})
            assert flow.wait_for_completion(timeout=PATIENCE, job_state=job)
            assert len(job.execution_history) >= size
        spent = perf_counter_ns() - began
        flow.shutdown()
        return spent / (jobs * size)

    def _step(self) -> "Routine":
        routine = self._routine()

        def step(value: int) -> None:
            routine.emit("out", value=value)

        routine.define_event("out", ["value"])
        routine.define_slot("trigger", handler=step)
        return routine
