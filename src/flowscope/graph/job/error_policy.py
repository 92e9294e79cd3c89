"""What the failure of an activation means: decided here, and nowhere else."""

from enum import Enum
from typing import Final

from .options import ErrorHandler, ErrorStrategy

__all__ = ["FailureDecision", "failure_decision", "handler_of"]


class FailureDecision(Enum):
    """What follows a failed activation."""

    RETRY = "retry"
    FAIL_JOB = "failed"
    CONTINUE = "error_continued"
    SKIP = "skipped"


_STOP: Final = ErrorHandler()


def handler_of(own: ErrorHandler | None, shared: ErrorHandler | None) -> ErrorHandler:
    """The error handler that is asked: the routine's own, else that of the graph, else one that stops the job."""
    return own or shared or _STOP


def failure_decision(error: BaseException, attempt: int, handler: ErrorHandler, *, optional: bool) -> FailureDecision:
    """What follows.

    Args:
        error: What was raised.
        attempt: Which attempt that was, from 1.
        handler: The error handler that is asked.
        optional: Whether the routine is optional.
    """
    if not isinstance(error, Exception):
        return FailureDecision.FAIL_JOB
    if handler.retries_after(attempt, error):
        return FailureDecision.RETRY
    if handler.is_critical:
        return FailureDecision.FAIL_JOB
    if handler.strategy is ErrorStrategy.SKIP:
        return FailureDecision.SKIP
    if handler.strategy is ErrorStrategy.CONTINUE or optional:
        return FailureDecision.CONTINUE
    return FailureDecision.FAIL_JOB
