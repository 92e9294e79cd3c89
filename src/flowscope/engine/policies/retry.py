"""The retry policy: one rule for tasks, flows and routines."""

import logging
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isfinite
from threading import TIMEOUT_MAX
from typing import Any, Final, TypeVar

from ...errors import DefinitionError, InjectionError, ParameterError, SerializationError

__all__ = ["RetryDelay", "RetryPolicy", "RetryPredicate"]

T = TypeVar("T")

_log: Final = logging.getLogger("flowscope")

RetryDelay = float | tuple[float, ...] | Callable[[int], float]
"""The delays before extra attempts."""
RetryPredicate = Callable[[BaseException], bool]
"""Says whether another attempt follows an error."""

_NEVER_RETRIED: Final = (ParameterError, InjectionError, SerializationError, DefinitionError)
"""Errors that another attempt would only repeat."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The number and the delays of extra attempts; pure, and shared by all calls of its owner."""

    retries: int = 0
    """The largest number of extra attempts."""
    delay: RetryDelay = 0.0
    """Seconds before the first extra attempt; or the seconds before each, the last of them for all further ones; or a function
    of the number of the extra attempt, from 1."""
    backoff: float = 1.0
    """The factor by which a delay that is one number grows from one extra attempt to the next."""
    jitter: float = 0.0
    """The largest part of a delay that is added to it at random."""
    retry_on: tuple[type[BaseException], ...] | RetryPredicate = (Exception,)
    """The errors that another attempt follows, or a function that says so of an error."""
    excluded: tuple[type[BaseException], ...] = _NEVER_RETRIED
    """The errors that no attempt follows, although `retry_on` has them."""

    def problems(self) -> Iterable[str]:
        """The faults of the policy, in sentences."""
        if self.retries < 0:
            yield f"retries is {self.retries!r}, wanted a whole number of extra attempts."
        delays = () if callable(self.delay) else self.delay if isinstance(self.delay, tuple) else (self.delay,)
        if not all(isfinite(number) and number >= 0 for number in (*delays, self.backoff, self.jitter)):
            yield "retry_delay, retry_backoff and retry_jitter are to be finite, and not negative."
        kinds: Any = () if callable(self.retry_on) else self.retry_on
        for kind in kinds:
            if not (isinstance(kind, type) and issubclass(kind, Exception)):  # pyright: ignore[reportUnnecessaryIsInstance] # of code that is not type-checked
                yield f"retry_on has {kind!r}, wanted a subclass of Exception, or a tuple of them."

    def allows_after(self, attempt: int) -> bool:
        """Whether there is an attempt left after that many; none follows a call that never started, with 0 attempts."""
        return 0 < attempt <= self.retries

    def retries_after(self, attempt: int, error: BaseException) -> bool:
        """Whether another attempt follows the attempt with this number, from 1, that failed with this error."""
        kind = type(error)  # its `__class__` may raise
        if not self.allows_after(attempt) or issubclass(kind, self.excluded):
            return False
        retry_on = self.retry_on
        if isinstance(retry_on, tuple):
            return issubclass(kind, retry_on)
        return issubclass(kind, Exception) and bool(_answer(retry_on, error, fallback=False))

    def delay_after(self, attempt: int) -> float:
        """Seconds between a failed attempt, counted from 1, and the next: exponential backoff, proportional jitter."""
        delay, backoff = self.delay, self.backoff
        if callable(delay):
            function = delay
            delay, backoff = _answer(lambda number: _checked_delay(function(number)), attempt, fallback=0.0), 1.0
        elif isinstance(delay, tuple):
            delay, backoff = delay[min(attempt, len(delay)) - 1], 1.0
        if not delay:
            return 0.0  # however large the factor has grown
        jitter = 1 + self.jitter * random.random()  # noqa: S311 - spreads retries, guards nothing
        try:
            return min(delay * jitter * backoff ** (attempt - 1), TIMEOUT_MAX)
        except OverflowError:
            return TIMEOUT_MAX


def _answer(function: Callable[[Any], T], argument: object, *, fallback: T) -> T:
    """What a function of the user answers; the fallback, with a warning, if it raises: the error of the task is to stay."""
    try:
        return function(argument)
    except Exception:
        _log.warning("a function given as retry_on or retry_delay raised; taken as %r", fallback, exc_info=True)
        return fallback


def _checked_delay(delay: Any) -> float:
    seconds = float(delay)
    if not (isfinite(seconds) and seconds >= 0):
        raise ValueError(f"the function given as retry_delay returned {seconds}, wanted seconds")
    return seconds
