"""How long to wait before another attempt."""

from threading import TIMEOUT_MAX

__all__ = ["backoff"]


def backoff(delay: float, factor: float, attempt: int) -> float:
    """Seconds to wait after a failed attempt, from 1: `delay`, grown by a factor each time, as far as one can wait."""
    if not delay:
        return 0.0  # however large the factor has grown
    try:
        return min(delay * factor ** (attempt - 1), TIMEOUT_MAX)
    except OverflowError:
        return TIMEOUT_MAX
