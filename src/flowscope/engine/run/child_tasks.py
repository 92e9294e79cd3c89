"""The submitted calls of a run: a flow does not end before they have ended or been cancelled."""

import threading
from typing import Protocol

from ...concurrency.blocking import blocking_section
from ...concurrency.latch import Latch

__all__ = ["ChildTask", "ChildTasks"]


class ChildTask(Protocol):
    """A submitted call, as its flow sees it."""

    @property
    def order(self) -> int:
        """Its execution order."""
        ...

    def cancel(self) -> bool:
        """Ask it to end."""
        ...

    def try_run_while_waiting(self) -> bool:
        """Run it here and now, if it waits for a thread, and this is one of those; whether it needs no more help."""
        ...

    def try_run_while_awaiting(self) -> bool:
        """Like `try_run_while_waiting`, in a coroutine."""
        ...


class ChildTasks:
    """The submitted calls of one run that are open, and those that failed and that nobody has asked how they went."""

    __slots__ = ("_idle", "_lock", "_open", "_unread")

    def __init__(self) -> None:
        self._open: set[ChildTask] = set()
        self._unread: dict[ChildTask, BaseException] = {}
        self._idle: Latch | None = None
        """Done when none is open any more, if somebody waits for that."""
        self._lock = threading.RLock()
        """Held for a moment, never while anything else runs."""

    def add(self, child: ChildTask) -> None:
        """Take one that is submitted."""
        with self._lock:
            self._open.add(child)

    def note_failure(self, child: ChildTask, error: BaseException) -> None:
        """Note that one has failed; to be said before it is told to whoever waits for it."""
        self._unread[child] = error

    def mark_read(self, child: ChildTask) -> None:
        """Note that somebody has asked how it went."""
        self._unread.pop(child, None)

    def remove(self, child: ChildTask) -> None:
        """Let go of one that has ended."""
        idle: Latch | None = None
        with self._lock:
            self._open.discard(child)
            if not self._open:
                idle, self._idle = self._idle, None
        if idle is not None:
            idle.set()

    @property
    def has_open(self) -> bool:
        """Whether some have not ended."""
        return bool(self._open)

    def cancel(self) -> None:
        """Ask those that are open to end."""
        for child in self._all_open():
            child.cancel()

    def end(self, error: BaseException | None) -> BaseException | None:
        """Wait for all, or cancel them if the flow fails; tell with which error the flow ends."""
        if self._open and error is None:
            error = self._wait()
        error = self._first_failure() if error is None else error
        if self._open and error is not None:
            self.cancel()
            late = self._wait()
            return error if late is None else late
        return error

    async def end_async(self, error: BaseException | None) -> BaseException | None:
        """Like `end`; a coroutine that is being closed can wait for nothing."""
        if self._open and error is None:
            error = await self._wait_async()
        error = self._first_failure() if error is None else error
        if self._open and error is not None:
            self.cancel()
            late = None if issubclass(type(error), GeneratorExit) else await self._wait_async()
            return error if late is None else late
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
        """Wait until none is open; tell what interrupted the wait."""
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
        """What is done when none is open any more; None if none is."""
        with self._lock:
            if not self._open:
                return None
            if self._idle is None:
                self._idle = Latch()
            return self._idle


def _order(child: ChildTask) -> int:
    return child.order
