"""The submitted calls of a run: a flow ends after they have ended."""

import threading
from typing import Protocol

from ...concurrency.blocking import blocking_section
from ...concurrency.latch import Latch

__all__ = ["ChildTask", "ChildTasks"]


class ChildTask(Protocol):
    """A submitted call, as its flow uses it."""

    @property
    def order(self) -> int:
        """Its execution order."""
        ...

    def cancel(self) -> bool:
        """Request its end."""
        ...

    def try_run_while_waiting(self) -> bool:
        """Run it in this thread, if it waits for a thread of this pool; return whether it needs no further thread."""
        ...

    def try_run_while_awaiting(self) -> bool:
        """Like `try_run_while_waiting`, in a coroutine."""
        ...


class ChildTasks:
    """The open submitted calls of one run, and the failed ones whose outcome was not read."""

    __slots__ = ("_idle", "_lock", "_open", "_unread")

    def __init__(self) -> None:
        self._open: set[ChildTask] = set()
        self._unread: dict[ChildTask, BaseException] = {}
        self._idle: Latch | None = None
        """Set when no child is open; None if no thread waits."""
        self._lock = threading.RLock()
        """Held briefly, never while other code runs."""

    def add(self, child: ChildTask) -> None:
        """Add a submitted call."""
        with self._lock:
            self._open.add(child)

    def note_failure(self, child: ChildTask, error: BaseException) -> None:
        """Record a failure, before the waiters of the child get its outcome."""
        self._unread[child] = error

    def mark_read(self, child: ChildTask) -> None:
        """Record that the outcome of a child was read."""
        self._unread.pop(child, None)

    def remove(self, child: ChildTask) -> None:
        """Remove a child that has ended."""
        idle: Latch | None = None
        with self._lock:
            self._open.discard(child)
            if not self._open:
                idle, self._idle = self._idle, None
        if idle is not None:
            idle.set()

    @property
    def has_open(self) -> bool:
        """Whether a child has not ended."""
        return bool(self._open)

    def cancel(self) -> None:
        """Cancel the open children."""
        for child in self._all_open():
            child.cancel()

    def end(self, error: BaseException | None) -> BaseException | None:
        """Wait for all, or cancel them if the flow fails; return the error with which the flow ends."""
        if self._open and error is None:
            error = self._wait()
        error = self._first_failure() if error is None else error
        if self._open and error is not None:
            self.cancel()
            interrupt = self._wait()
            return error if interrupt is None else interrupt
        return error

    async def end_async(self, error: BaseException | None) -> BaseException | None:
        """Like `end`; a coroutine that is being closed cannot wait."""
        if self._open and error is None:
            error = await self._wait_async()
        error = self._first_failure() if error is None else error
        if self._open and error is not None:
            self.cancel()
            interrupt = None if issubclass(type(error), GeneratorExit) else await self._wait_async()
            return error if interrupt is None else interrupt
        return error

    def _all_open(self) -> list[ChildTask]:
        with self._lock:
            return sorted(self._open, key=_order)

    def _first_failure(self) -> BaseException | None:
        if not self._unread:
            return None
        unread = dict(self._unread)
        return unread[min(unread, key=_order)]

    def _wait(self) -> BaseException | None:
        """Wait until no child is open; return the error that interrupted the wait."""
        try:
            while (latch := self._latch()) is not None:
                for child in self._all_open():
                    child.try_run_while_waiting()
                with blocking_section():
                    latch.wait_blocking()
        except BaseException as interrupt:
            return interrupt
        return None

    async def _wait_async(self) -> BaseException | None:
        try:
            while (latch := self._latch()) is not None:
                for child in self._all_open():
                    child.try_run_while_awaiting()
                with blocking_section():
                    await latch.wait()
        except BaseException as interrupt:
            return interrupt
        return None

    def _latch(self) -> Latch | None:
        """The latch that is set when no child is open; None if none is open now."""
        with self._lock:
            if not self._open:
                return None
            if self._idle is None:
                self._idle = Latch()
            return self._idle


def _order(child: ChildTask) -> int:
    return child.order
