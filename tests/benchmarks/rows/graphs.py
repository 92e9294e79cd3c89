"""What an activation of a routine graph costs, and whether that grows with the graph."""

import gc
from statistics import median
from typing import Final

from flowscope.graph import RoutineGraph

from ..figures import Effort, Figure
from ..graphs import Strategy, chain, executed, fan_out

__all__ = ["graph_activations"]

STRATEGIES: Final[tuple[Strategy, ...]] = ("sequential", "concurrent")
BUDGET: Final = 25.0
"""Microseconds."""
SIZES: Final = (10, 100, 1_000)
BUDGETED: Final = SIZES[-1]
ACTIVATIONS: Final = 2_000
"""In each round, so that small graphs run as much as large ones."""


def graph_activations(effort: Effort) -> list[Figure]:
    """Activations in chains and fan-outs, one at a time and several at once; a job's start and end are shared by them."""
    figures: list[Figure] = []
    for strategy in STRATEGIES:
        for shape, build in (("chain", chain), ("fan-out", fan_out)):
            costs: dict[int, float] = {}
            for size in SIZES:
                with build(size, strategy) as graph:
                    costs[size] = _microseconds(graph, size, effort)
                what = f"an activation, {strategy} {shape} of {size:,}"
                budget = BUDGET if size == BUDGETED else None
                figures.append(Figure(what, costs[size], "µs", budget, f"{costs[size] / costs[SIZES[0]]:.2f} of 10's"))
    return figures


def _microseconds(graph: RoutineGraph, size: int, effort: Effort) -> float:
    """The median of the rounds."""
    jobs = effort.few(max(1, ACTIVATIONS // size))
    spent: list[float] = []
    for _ in range(effort.rounds + 1):
        gc.collect()
        spent.append(executed(graph, size, jobs) / 1e3)
    return median(spent[1:] or spent)
