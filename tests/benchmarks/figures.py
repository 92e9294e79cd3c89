"""What a benchmark row is made of: figures with budgets, and how much work to spend on them."""

from collections.abc import Callable
from typing import NamedTuple

__all__ = ["FULL", "QUICK", "TINY", "Effort", "Figure", "Row"]


class Effort(NamedTuple):
    """How much work a measurement does."""

    name: str
    size: float
    """The factor on every number of calls, flows and lines."""
    rounds: int
    """How often a floor and its subject take turns."""

    @property
    def options(self) -> list[str]:
        """The options of the command that ask for it."""
        return [] if self.name == "full" else [f"--{self.name}"]

    def of(self, number: int) -> int:
        """A full number of repetitions, scaled, and never less than ten."""
        return max(10, round(number * self.size))

    def few(self, number: int) -> int:
        """A full number of slow repetitions, scaled, and never less than one."""
        return max(1, round(number * self.size))

    def rounds_of(self, most: int) -> int:
        """The rounds of a measurement that takes long: at most so many."""
        return min(self.rounds, most)


FULL = Effort("full", 1.0, 15)
QUICK = Effort("quick", 0.1, 5)
TINY = Effort("quick-tiny", 0.001, 1)


class Figure(NamedTuple):
    """One line of the table."""

    what: str
    value: float
    unit: str
    """What the value counts; "x" is a ratio to the floor."""
    budget: float | None = None
    """At most so much; None where no budget is set, and the figure is told for orientation."""
    detail: str = ""
    """How the value came about."""

    @property
    def verdict(self) -> str:
        """Whether the budget is met."""
        if self.budget is None:
            return ""
        return "met" if self.value <= self.budget else "MISSED"


class Row(NamedTuple):
    """One budget, by the name that `--only` takes."""

    name: str
    measure: Callable[[Effort], list[Figure]]
