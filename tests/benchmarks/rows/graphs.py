"""What an activation of a routine graph costs, and whether that grows with the graph."""

from typing import Final

from flowscope.graph import RoutineGraph

from ..figures import Effort, Figure
from ..floor import sync_by_hand
from ..graphs import Strategy, chain, executed, fan_out
from ..measure import Comparison, compare

__all__ = ["graph_activations"]

STRATEGIES: Final[tuple[Strategy, ...]] = ("sequential", "concurrent")
BUDGET: Final = 10.0
SIZES: Final = (10, 100, 1_000)
BUDGETED: Final = SIZES[-1]
ACTIVATIONS: Final = 2_000
"""In each round, so that small graphs run as much as large ones."""


def graph_activations(effort: Effort) -> list[Figure]:
    """Activations, one at a time and several at once, against calls by hand; they share a job's start and end."""
    figures: list[Figure] = []
    for strategy in STRATEGIES:
        for shape, build in (("chain", chain), ("fan-out", fan_out)):
            for size in SIZES:
                with build(size, strategy) as graph:
                    timed = _timed(graph, size, effort)
                what = f"an activation, {strategy} {shape} of {size:,}"
                figures.append(timed.figure(what, BUDGET if size == BUDGETED else None))
    return figures


def _timed(graph: RoutineGraph, size: int, effort: Effort) -> Comparison:
    """The activations of some jobs, against as many calls by hand."""
    jobs = effort.few(max(1, ACTIVATIONS // size))
    return compare(lambda: sync_by_hand(jobs * size), lambda: executed(graph, size, jobs), effort.rounds)
