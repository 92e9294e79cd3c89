"""Figures as plain text."""

from collections.abc import Mapping, Sequence

from .figures import Figure
from .measure import readable
from .peers.peer import WORK
from .peers.side_by_side import Cost, Outcome

__all__ = ["conditions_text", "figures_text", "peers_text"]


def conditions_text(conditions: Mapping[str, str]) -> str:
    """One condition a line."""
    return _aligned(list(conditions.items()))


def figures_text(figures: Sequence[Figure]) -> str:
    """The table of budgets."""
    head = ("what", "measured", "budget", "", "how: subject : floor, middle half of the rounds")
    return _aligned([head, *(_cells(figure) for figure in figures)], right=(1, 2))


def _cells(figure: Figure) -> tuple[str, ...]:
    budget = "" if figure.budget is None else f"{figure.budget:,g} {figure.unit}"
    return figure.what, _amount(figure), budget, figure.verdict, figure.detail


def _amount(figure: Figure) -> str:
    whole = figure.unit in {"bytes", "objects", "modules"}
    return f"{figure.value:,.0f} {figure.unit}" if whole else f"{figure.value:,.2f} {figure.unit}"


def peers_text(outcomes: Sequence[Outcome]) -> str:
    """The same work side by side; a library a line, after the work by hand."""
    measured = [outcome for outcome in outcomes if outcome.costs]
    missing = [f"{outcome.title}: {outcome.reason}" for outcome in outcomes if not outcome.costs]
    if not measured:
        return "\n".join(missing)
    by_hand = {
        work: Cost(cost.by_hand, cost.by_hand) for outcome in reversed(measured) for work, cost in outcome.costs.items()
    }
    rows = [
        (outcome.title, *(_cost(work, outcome.costs.get(work)) for work in WORK))
        for outcome in (Outcome("by hand", by_hand), *measured)
    ]
    head = ("", *WORK.values())
    return "\n".join([_aligned([head, *rows], right=range(1, len(head))), *missing])


def _cost(work: str, cost: Cost | None) -> str:
    if cost is None:
        return ""
    if work == "task_memory":
        return f"{cost.amount:,.0f} bytes"
    ratio = cost.amount / cost.by_hand
    return f"{readable(cost.amount)} = {ratio:,.{0 if ratio >= 100 else 1}f} x"


def _aligned(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Rows as columns, each as wide as its widest cell; those in `right` are flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)
