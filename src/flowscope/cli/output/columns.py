"""The columns of a table that a narrow terminal has room for."""

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len

__all__ = ["columns_that_fit", "room_for_names"]

MIN_NAME: Final = 16


def columns_that_fit(table: Sequence[Sequence[str]], width: int, gap: int, spare: Sequence[int]) -> list[int]:
    """The numbers of the columns that are shown, the first of which has names.

    Args:
        table: The rows, with their heading if they have one.
        width: The characters of a line.
        gap: The characters between two columns.
        spare: The columns that are left out, one after the other, while names have fewer than 16 characters.
    """
    kept = list(range(len(table[0])))
    wanted = min(MIN_NAME, _width(table, 0))
    for number in spare:
        if room_for_names(table, width, gap, kept) >= wanted:
            break
        kept.remove(number)
    return kept


def room_for_names(table: Sequence[Sequence[str]], width: int, gap: int, columns: Sequence[int]) -> int:
    """The characters that the other columns leave for the first; at least one."""
    return max(1, width - sum(gap + _width(table, number) for number in columns if number))


def _width(table: Sequence[Sequence[str]], number: int) -> int:
    return max(cell_len(row[number]) for row in table)
