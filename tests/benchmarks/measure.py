"""How things are measured: floor and subject in turns, so that what drifts in the machine drifts for both."""

import gc
import tracemalloc
from collections.abc import Callable, Generator
from contextlib import contextmanager
from statistics import fmean, median
from typing import NamedTuple

from .figures import Figure

__all__ = ["Comparison", "Timing", "allocated", "compare", "readable", "repeated", "settled_objects", "traced"]

Timing = Callable[[], float]
"""Does its work once, and returns the nanoseconds that one unit of it took."""


class Comparison(NamedTuple):
    """What a floor and its subject took in each round, in nanoseconds for one unit of work."""

    floor: list[float]
    subject: list[float]

    @property
    def ratios(self) -> list[float]:
        """The ratio of each round, the lowest first."""
        return sorted(subject / floor for floor, subject in zip(self.floor, self.subject, strict=True))

    def figure(self, what: str, budget: float | None) -> Figure:
        """The median of the rounds' ratios, with the middle half of them as its detail."""
        ratios = self.ratios
        quarter = len(ratios) // 4
        low, high = ratios[quarter], ratios[-1 - quarter]
        detail = f"{readable(median(self.subject))} : {readable(median(self.floor))}, {low:.2f} to {high:.2f}"
        return Figure(what, median(ratios), "x", budget, detail)


def compare(floor: Timing, subject: Timing, rounds: int) -> Comparison:
    """Let floor and subject take turns, after one round that does not count.

    Garbage is collected before every turn, and in both as the process is set to do it, which is on unless the command
    was told otherwise. Every other round begins with the subject, so that neither always works in the other's wake.
    """
    timed = Comparison([], [])
    for number in range(rounds + 1):
        turns = [(floor, timed.floor), (subject, timed.subject)]
        for timing, figures in turns if number % 2 else reversed(turns):
            gc.collect()
            spent = timing()
            if number:
                figures.append(spent)
    return timed


def repeated(timing: Timing, times: int) -> Timing:
    """Work that is done several times in each turn, with the mean time.

    A full collection of garbage comes once in some ten thousand objects. Work that makes about as many in a turn would
    have one in every turn or in none, and a small difference between floor and subject could decide which. Over several
    repetitions both have their share.
    """
    return lambda: fmean(timing() for _ in range(times))


def readable(nanoseconds: float) -> str:
    """A duration in the unit that suits it."""
    for limit, unit in ((1e3, "ns"), (1e6, "µs"), (1e9, "ms")):
        if nanoseconds < limit:
            return f"{nanoseconds / limit * 1e3:.3g} {unit}"
    return f"{nanoseconds / 1e9:.3g} s"


@contextmanager
def traced() -> Generator[None, None, None]:
    """A block in which allocations are traced."""
    gc.collect()
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


def allocated() -> int:
    """The traced bytes that are in use, garbage aside."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def settled_objects() -> int:
    """How many objects the garbage collector knows, garbage aside."""
    gc.collect()
    return len(gc.get_objects())
