"""How many examples a property is tried with."""

from hypothesis import settings

__all__ = ["examples"]


def examples(count: int) -> int:
    """So many when all tests are run; a part of them when the slow ones are left out, as the loaded profile says."""
    return max(1, count * settings().max_examples // 100)
