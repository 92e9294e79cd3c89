"""Waiting, in whatever event loop, without polling and without a lock."""

import asyncio
from collections.abc import Set
from concurrent.futures import Future

__all__ = ["Gate", "Waiting"]


class Gate:
    """Something that opens once, from any thread, and that any number wait for."""

    __slots__ = ("_opened",)

    def __init__(self) -> None:
        self._opened: Future[None] = Future()
        self._opened.set_running_or_notify_cancel()  # so that cancelling one wait does not cancel it

    def open(self) -> None:
        """Let all pass, for good."""
        self._opened.set_result(None)

    async def passed(self, seconds: float | None) -> bool:
        """Wait until it is open; False if it is not after that time."""
        if self._opened.done():
            return True
        try:
            async with asyncio.timeout(seconds):
                await asyncio.wrap_future(self._opened)
        except TimeoutError:
            return self._opened.done()
        return True


class Waiting:
    """Somebody who waits for several flows."""

    __slots__ = ("_gate", "missing")

    def __init__(self, missing: set[str]) -> None:
        self.missing = missing
        """The flows that have not settled; changed by the ledger alone."""
        self._gate = Gate()

    def wake(self) -> None:
        """Nothing is missing any more; from any thread, once."""
        self._gate.open()

    async def wait(self, seconds: float | None = None) -> None:
        """Wait until nothing is missing.

        Raises:
            TimeoutError: Something is missing after that time.
        """
        if self.missing and not await self._gate.passed(seconds):
            raise TimeoutError(_late(self.missing, seconds or 0.0))


def _late(missing: Set[str], seconds: float) -> str:
    shown = sorted(missing)[:5]
    more = f" and {len(missing) - len(shown)} more" if len(missing) > len(shown) else ""
    return f"not settled after {seconds:g} s: flow {', '.join(map(repr, shown))}{more}"
