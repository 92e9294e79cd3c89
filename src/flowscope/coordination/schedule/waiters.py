"""Waiting for flows, in whatever event loop, without polling."""

from collections.abc import Set

from ...concurrency.latch import Latch

__all__ = ["Waiting"]


class Waiting:
    """A wait for several flows."""

    __slots__ = ("_complete", "missing")

    def __init__(self, missing: set[str]) -> None:
        self.missing: set[str] = missing
        """The flows that have not settled; changed by the state alone."""
        self._complete = Latch()

    def wake(self) -> None:
        """Nothing is missing any more; from any thread, once."""
        self._complete.set()

    async def wait(self, seconds: float | None = None) -> None:
        """Wait until nothing is missing.

        Raises:
            TimeoutError: Something is missing after that time.
        """
        if self.missing and not await self._complete.wait(seconds):
            raise TimeoutError(_late(self.missing, seconds or 0.0))


def _late(missing: Set[str], seconds: float) -> str:
    shown = sorted(missing)[:5]
    more = f" and {len(missing) - len(shown)} more" if len(missing) > len(shown) else ""
    return f"not settled after {seconds:g} s: flow {', '.join(map(repr, shown))}{more}"
