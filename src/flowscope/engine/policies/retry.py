"""The retry policy: one rule for tasks, flows and routines."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from threading import TIMEOUT_MAX
from typing import Any, Final

from ...errors import DefinitionError, InjectionError, ParameterError, SerializationError

__all__ = ["RetryPolicy"]

_NEVER_RETRIED: Final = (ParameterError, InjectionError, SerializationError, DefinitionError)
"""Errors that another attempt would only repeat."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The number and the delays of extra attempts; pure, and shared by all calls of its owner."""

    retries: int = 0
    """The largest number of extra attempts."""
    delay: float = 0.0
    """Seconds before the first extra attempt."""
    backoff: float = 1.0
    """The factor by which the delay grows from one extra attempt to the next."""
    jitter: float = 0.0
    """The largest part of a delay that is added to it at random."""
    retry_on: tuple[type[BaseException], ...] = (Exception,)
    """The errors that another attempt follows."""
    excluded: tuple[type[BaseException], ...] = _NEVER_RETRIED
    """The errors that no attempt follows, although `retry_on` has them."""

    def problems(self) -> Iterable[str]:
        """The faults of the policy, in sentences."""
        if self.retries < 0:
            yield f"retries is {self.retries!r}, wanted a whole number of extra attempts."
        if not all(isfinite(number) and number >= 0 for number in (self.delay, self.backoff, self.jitter)):
            yield "retry_delay, retry_backoff and retry_jitter are to be finite, and not negative."
        kinds: Any = self.retry_on
        for kind in kinds:
            if not (isinstance(kind, type) and issubclass(kind, Exception)):  # pyright: ignore[reportUnnecessaryIsInstance] # of code that is not type-checked
                yield f"retry_on has {kind!r}, wanted a subclass of Exception, or a tuple of them."

    def allows_after(self, attempt: int) -> bool:
        """Whether there is an attempt left after that many; none follows a call that never started, with 0 attempts."""
        return 0 < attempt <= self.retries

    def retries_after(self, attempt: int, error: BaseException) -> bool:
        """Whether another attempt follows the attempt with this number, from 1, that failed with this error."""
        kind = type(error)  # its `__class__` may raise
        return self.allows_after(attempt) and issubclass(kind, self.retry_on) and not issubclass(kind, self.excluded)

    def delay_after(self, attempt: int) -> float:
        """Seconds between a failed attempt, counted from 1, and the next: exponential backoff, proportional jitter."""
        if not self.delay:
            return 0.0  # however large the factor has grown
        jitter = 1 + self.jitter * random.random()  # noqa: S311 - spreads retries, guards nothing
        try:
            return min(self.delay * jitter * self.backoff ** (attempt - 1), TIMEOUT_MAX)
        except OverflowError:
            return TIMEOUT_MAX
