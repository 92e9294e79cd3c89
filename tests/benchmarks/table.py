"""Figures as plain text."""

from collections.abc import Mapping, Sequence

from .figures import Figure

__all__ = ["aligned", "conditions_text", "figures_text"]


def conditions_text(conditions: Mapping[str, str]) -> str:
    """One condition a line."""
    return aligned(list(conditions.items()))


def figures_text(figures: Sequence[Figure]) -> str:
    """The table of budgets."""
    head = ("what", "measured", "budget", "", "how: subject : floor, middle half of the rounds")
    return aligned([head, *(_cells(figure) for figure in figures)], right=(1, 2))


def _cells(figure: Figure) -> tuple[str, ...]:
    budget = "" if figure.budget is None else f"{figure.budget:,g} {figure.unit}"
    return figure.what, _amount(figure), budget, figure.verdict, figure.detail


def _amount(figure: Figure) -> str:
    whole = figure.unit in {"bytes", "objects", "modules"}
    return f"{figure.value:,.0f} {figure.unit}" if whole else f"{figure.value:,.2f} {figure.unit}"


def aligned(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
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
