"""What an activation of a routine graph costs, and whether that grows with the graph."""

from functools import partial
from statistics import median
from typing import Final

from ..figures import Effort, Figure
from ..floor import sync_by_hand
from ..graphs import Strategy, chain, executed, fan_out
from ..measure import compare

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
            first = 0.0
            for size in SIZES:
                jobs = effort.few(max(1, ACTIVATIONS // size))
                with build(size, strategy) as graph:
                    floor, subject = partial(sync_by_hand, jobs * size), partial(executed, graph, size, jobs)
                    compared = compare(floor, subject, effort.rounds)
                first = first or median(compared.subject)
                what = f"an activation, {strategy} {shape} of {size:,}"
                figure = compared.figure(what, BUDGET if size == BUDGETED else None)
                grown = f"{median(compared.subject) / first:.2f} of 10's"
                figures.append(figure._replace(detail=f"{figure.detail}; {grown}"))
    return figures
