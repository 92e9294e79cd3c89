"""How long a job may take."""

from collections.abc import Callable

from .._clock import seconds, tick
from .background_loop import background_loop
from .event_loops import call_later

__all__ = ["TimeLimit"]


class TimeLimit:
    """Counts from when it is made; None is no limit."""

    def __init__(self, limit: float | None) -> None:
        self.limit = limit
        """In seconds."""
        self._began = tick()
        self._disarm: Callable[[], None] | None = None

    @property
    def left(self) -> float | None:
        """Seconds, at least 0.0."""
        return None if self.limit is None else max(0.0, self.limit - seconds(self._began, tick()))

    @property
    def is_over(self) -> bool:
        """Whether none are left."""
        return self.limit is not None and seconds(self._began, tick()) >= self.limit

    def arm(self, ring: Callable[[], object]) -> None:
        """Call something, in the background loop, when it is over."""
        if self.limit is not None:
            self._disarm = call_later(background_loop(), self.limit, ring)

    def disarm(self) -> None:
        """Call nothing any more."""
        if self._disarm is not None:
            self._disarm()
