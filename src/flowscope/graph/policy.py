"""What the failure of an activation means: decided here, and nowhere else."""

from enum import Enum
from typing import Final

from .kinds import ErrorHandler, ErrorStrategy

__all__ = ["Verdict", "verdict_on"]


class Verdict(Enum):
    """What follows a failed activation."""

    RETRY = "retry"
    FAIL_JOB = "failed"
    CONTINUE = "error_continued"
    SKIP = "skipped"


_STOP: Final = ErrorHandler()


def verdict_on(
    error: BaseException, attempt: int, own: ErrorHandler | None, shared: ErrorHandler | None, *, optional: bool
) -> Verdict:
    """What follows.

    Args:
        error: What the handler raised.
        attempt: Which attempt that was, from 1.
        own: The routine's error handler.
        shared: The graph's, which is asked where the routine has none.
        optional: Whether the routine is optional.
    """
    handler = own or shared or _STOP
    if not isinstance(error, Exception):
        return Verdict.FAIL_JOB
    if handler.retries_after(attempt, error):
        return Verdict.RETRY
    if handler.is_critical:
        return Verdict.FAIL_JOB
    if handler.strategy is ErrorStrategy.SKIP:
        return Verdict.SKIP
    if handler.strategy is ErrorStrategy.CONTINUE or optional:
        return Verdict.CONTINUE
    return Verdict.FAIL_JOB
