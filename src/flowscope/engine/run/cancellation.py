"""The cancellation of a run: any thread asks for it, and the code of the flow gets a `CancelledError`.

An event loop raises it in the asyncio task of the flow. In other code the next task, wait or message raises it, once in each
thread, so that the clean-up of a flow may call tasks again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol, final

from ..._clock import sleep
from ...concurrency.event_loops import (
    cancelled_error,
    current_asyncio_task,
    in_loop,
    is_cancelled_error,
    running_loop,
)
from ...concurrency.process_locks import LOCKS
from ...model.flow_cancelled import FlowCancelledError
from ..scope.call import order_at
from ..scope.context import Handle, Scope, current
from .child_tasks import ChildTasks

__all__ = [
    "Cancellation",
    "LoopPlace",
    "Wakers",
    "cancel_run",
    "interrupt",
    "join_outer_run",
    "note_interruption",
    "pause",
    "wakers_of",
]


@final
class LoopPlace:
    """The asyncio task in which the code of a run is awaited; None where another code than an event loop drives it."""

    __slots__ = ("_earlier", "task")

    def __init__(self) -> None:
        self.task: Any = None if running_loop() is None else current_asyncio_task()
        self._earlier: int = 0 if self.task is None else self.task.cancelling()
        """The number of cancellations that this task had before the run."""

    @property
    def loop(self) -> Any:
        """The event loop of the task."""
        return self.task.get_loop()

    def is_here(self) -> bool:
        """Whether this code runs in the task."""
        return self.task is not None and running_loop() is not None and current_asyncio_task() is self.task

    def withdraw(self, count: int) -> bool:
        """Take cancellations back; return whether the task is being cancelled for another reason."""
        if not self.is_here():
            return False
        for _ in range(count):
            self.task.uncancel()
        return bool(self.task.cancelling() > self._earlier)


class CancellableRun(Protocol):
    """A run, as its cancellation uses it."""

    handle: Handle
    orders: Iterator[int]
    children: ChildTasks | None
    cancellation: Cancellation | None
    is_decided: bool
    loop: object
    place: LoopPlace | None
    nested: set[Any] | None
    siblings: set[Any] | None
    wakers: Wakers | None
    ended: int


@final
class Cancellation:
    """The cancellation of one run, or (with `outer`) of the run around it. It also stands for the run's counter of calls."""

    __slots__ = (
        "_cancels",
        "_first_later",
        "_is_delivered",
        "_orders",
        "_outer",
        "_run",
        "error",
        "message",
        "threads",
    )

    def __init__(self, run: CancellableRun, reason: str, outer: Cancellation | None = None) -> None:
        self._run = run
        self._outer = outer
        handle = run.handle
        if outer is None:
            self.error: FlowCancelledError | None = FlowCancelledError(handle.flow_id, reason)
            self.error.refer_to(handle.find_flow)
            self.message: str = f"flow {handle.flow_name!r} was cancelled{reason and ': '}{reason}"
            self.threads: set[int] = set()
            """The threads whose code has been interrupted."""
        else:
            self.error = None
            self.message = outer.message
            self.threads = outer.threads
        self._cancels = 0
        """The number of cancellations that the asyncio task has had from here."""
        self._is_delivered = False
        """Whether the asyncio task of the run has been cancelled, or its code interrupted."""
        self._orders = run.orders
        self._first_later = 0
        """The execution order of the first call that began after it; 0 before that."""

    def __iter__(self) -> Iterator[int]:
        """The counter of calls: it interrupts code that begins one."""
        return self

    def __next__(self) -> int:
        """The execution order of the next call.

        Raises:
            CancelledError: This thread has not been interrupted yet.
        """
        self.interrupt()
        order = next(self._orders)
        self._first_later = self._first_later or order
        return order

    def interrupt(self) -> None:
        """Raise a `CancelledError`, once in each thread; in the event loop of the flow, in the flow's own asyncio task alone."""
        thread = threading.get_ident()
        run = self._run
        if thread in self.threads or self._is_later(current.get()):
            return
        if run.loop is not None and running_loop() is run.loop:
            if self._is_delivered or run.place is None or not run.place.is_here():
                return
        else:
            self.threads.add(thread)
        self._note_delivered_here()
        raise cancelled_error(self.message)

    def _is_later(self, scope: Scope | None) -> bool:
        """Whether a call has begun after the interruption: it belongs to the clean-up."""
        return 0 < self._first_later <= order_at(scope, self._run.handle)

    def _note_delivered_here(self) -> None:
        """Keep the event loop from interrupting the same asyncio task again."""
        part: Cancellation | None = self
        while part is not None:
            place = part._run.place  # noqa: SLF001 - of this class
            if place is None or place.is_here():
                part._is_delivered = True  # noqa: SLF001 - of this class
            part = part._outer  # noqa: SLF001 - of this class

    def includes(self, order: int) -> bool:
        """Whether the call of this execution order is cancelled with the run: it began before the clean-up."""
        return not 0 < self._first_later <= order

    def deliver(self) -> None:
        """Cancel the asyncio task of the run, the submitted calls and the nested runs, and end the waits of its threads."""
        run = self._run
        self.deliver_in_loop()
        if run.wakers is not None:
            run.wakers.call()
        if run.children is not None:
            run.children.cancel()
        for nested in list(run.nested or ()):
            _cancel(nested, Cancellation(nested, "", self))

    def deliver_in_loop(self) -> None:
        """Cancel the asyncio task of the run, soon: then it is suspended inside the flow."""
        place = self._run.place
        if place is not None and place.task is not None:
            in_loop(place.loop, self._cancel_asyncio_task)

    def _cancel_asyncio_task(self) -> None:
        place = self._run.place
        if place is None or self._run.is_decided or self._is_delivered:
            return
        if self._outer is not None and place.task.cancelling():
            return  # that of the outer run, or cancelled with it
        self._is_delivered = True
        self._cancels = 1
        place.task.cancel(self.message)

    def outcome(self, error: BaseException | None) -> BaseException | None:
        """The error with which the run ends, when its code has ended with an error or none."""
        place, is_own = self._run.place, self.error is not None
        is_cancelled_outside = place is not None and is_own and place.withdraw(self._cancels)
        if error is None:
            if not is_own or self._is_delivered_here():
                return None  # the code has caught the CancelledError
            error = cancelled_error(self.message)
        if not is_cancelled_error(error):
            return error
        self.threads.add(threading.get_ident())
        if self.error is None or is_cancelled_outside:
            return error
        self.error.__cause__ = error
        return self.error

    def _is_delivered_here(self) -> bool:
        return self._is_delivered if self._run.place is not None else threading.get_ident() in self.threads

    def note_interruption(self) -> None:
        """Note that the code of this thread has got its `CancelledError`."""
        if running_loop() is None:
            self.threads.add(threading.get_ident())

    def release(self) -> Iterator[int]:
        """Drop the run around the run; return the counter of calls."""
        self._outer = None
        return self._orders


def cancel_run(run: CancellableRun, reason: str) -> bool:
    """Ask the code of a run to end, from any thread; return whether it is not too late."""
    return _cancel(run, Cancellation(run, reason))


def _cancel(run: CancellableRun, cancellation: Cancellation) -> bool:
    with LOCKS.making:
        if run.is_decided or run.ended:
            return False
        if run.cancellation is not None:
            return True
        run.orders = run.cancellation = cancellation
    cancellation.deliver()
    return True


def interrupt(run: CancellableRun | None) -> None:
    """Interrupt this code, if its run was cancelled.

    Raises:
        CancelledError: The run was cancelled, and this code has not been interrupted yet.
    """
    if run is not None and run.cancellation is not None:
        run.cancellation.interrupt()


def note_interruption(run: CancellableRun | None) -> None:
    """Note that the code of this thread has got a `CancelledError` of its run's cancellation, if the run was cancelled."""
    if run is not None and run.cancellation is not None:
        run.cancellation.note_interruption()


def join_outer_run(run: CancellableRun, outer: CancellableRun | None, earlier: Cancellation | None) -> None:
    """Let a nested run be cancelled with the run around it; `earlier` is the cancellation that its clean-up has survived."""
    if outer is None or outer is run:
        return
    siblings = run.siblings = _nested_of(outer)
    siblings.add(run)
    if outer.cancellation is not None and outer.cancellation is not earlier:
        _cancel(run, Cancellation(run, "", outer.cancellation))


def _nested_of(run: CancellableRun) -> set[Any]:
    with LOCKS.making:
        if run.nested is None:
            run.nested = set()
        return run.nested


@final
class Wakers:
    """The callbacks that end the waits of a run's threads when the run is cancelled."""

    __slots__ = ("_callbacks", "_run")

    def __init__(self, run: CancellableRun) -> None:
        self._run = run
        self._callbacks: set[Callable[[], object]] = set()

    def add(self, callback: Callable[[], object]) -> None:
        """Add one; it is called at once, if the run was cancelled just now."""
        self._callbacks.add(callback)
        if self._run.cancellation is not None:
            callback()

    def discard(self, callback: Callable[[], object]) -> None:
        """Remove one: its wait is over."""
        self._callbacks.discard(callback)

    def call(self) -> None:
        """End the waits."""
        for callback in list(self._callbacks):
            callback()


def wakers_of(run: CancellableRun | None) -> Wakers | None:
    """The callbacks that end the waits of a run's threads; None for a run that is over, or was cancelled before."""
    if run is None or run.cancellation is not None:
        return None
    with LOCKS.making:
        if run.wakers is None:
            run.wakers = Wakers(run)
        return run.wakers


def pause(seconds: float) -> None:
    """Wait in this thread; the cancellation of the run ends the wait with a `CancelledError`."""
    scope = current.get()
    run: CancellableRun | None = None if scope is None else scope.handle.run
    wakers = wakers_of(run)
    if wakers is None:
        interrupt(run)
        sleep(seconds)
        return
    event = threading.Event()
    wakers.add(event.set)
    try:
        if event.wait(seconds):
            interrupt(run)
    finally:
        wakers.discard(event.set)
