"""Scalars of numpy and its like are the numbers that they stand for, as keys too."""

import enum
import fractions
from typing import Any, Final

import numpy as np
import pytest

from support.model.recorded_values import written


class Whole:
    """An integer of another library."""

    def __index__(self) -> int:
        return 7


class Real:
    """A number of another library."""

    def __float__(self) -> float:
        return 0.5


class Refusing:
    """What is a number in name only."""

    def __index__(self) -> int:
        raise RuntimeError

    def __repr__(self) -> str:
        return "<refusing>"


class Size(enum.Enum):
    """A key that is no number."""

    SMALL = 1


KEYS: Final[list[tuple[Any, str]]] = [
    (np.int64(3), "3"),
    (np.uint8(3), "3"),
    (np.float32(0.5), "0.5"),
    (np.float64(0.5), "0.5"),
    (np.longdouble(0.5), "0.5"),
    (np.bool_(True), "true"),  # noqa: FBT003 - as numpy has it
    (np.str_("a"), "a"),
    (np.float32("nan"), "nan"),
    (np.datetime64("2026-01-31"), "2026-01-31"),
    ((np.int64(1), (np.int64(2), "a")), "1,2,a"),
    (Whole(), "7"),
    (Real(), "0.5"),
    (Refusing(), "<refusing>"),
    (fractions.Fraction(1, 3), "1/3"),
    (Size.SMALL, "1"),
]


@pytest.mark.parametrize(("key", "text"), KEYS, ids=lambda case: repr(case)[:30])
def test_a_key_is_written_as_the_number_that_it_stands_for(key: Any, text: str) -> None:
    """At the top, in nested containers, and beside others."""
    assert written({key: 1, "other": 2}) == {text: 1, "other": 2}
    assert written([{"a": {key: {key: 2}}}]) == [{"a": {text: {text: 2}}}]
