"""The future of a submitted call, which `submit` returns."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Generic, TypeVar

from ...concurrency.blocking import blocking_section
from ...concurrency.event_loops import cancelled_error_type, is_cancelled_error, running_loop
from ...concurrency.latch import new_waiter, waker
from ...engine.run.cancellation import note_interruption
from ...model.status import RunStatus
from .submission import TaskSubmission

__all__ = ["TaskFuture"]

T_co = TypeVar("T_co", covariant=True)


class TaskFuture(Generic[T_co]):
    """A submitted call: awaitable in any event loop, and to be waited for in any thread."""

    __slots__ = ("__weakref__", "_submission")

    def __init__(self, submission: TaskSubmission) -> None:
        self._submission = submission

    @property
    def task_id(self) -> str:
        """The id of the task in its flow's record."""
        return self._submission.call.handle.task_id(self._submission.order) or ""

    @property
    def status(self) -> RunStatus:
        """`pending` until it starts, then the status of the task."""
        return self._submission.call.status

    def done(self) -> bool:
        """Whether it has ended."""
        return self._submission.settled

    def cancel(self) -> bool:
        """Ask it to end.

        One that waits does not start; an async one is cancelled at its next `await`; a worker process is killed; a
        thread, which cannot be stopped, is left behind, and the task counts as cancelled at once.

        Returns:
            Whether it is not too late.
        """
        return self._submission.cancel()

    def result(self, timeout: float | None = None) -> T_co:
        """Wait for the end, and return the task's value.

        Args:
            timeout: Seconds to wait; None waits as long as it takes.

        Raises:
            BaseException: The task raised it.
            CancelledError: It was cancelled; caught as that of asyncio and of `concurrent.futures`.
            TimeoutError: It has not ended in time; it goes on.
            RuntimeError: It runs in the event loop of this thread, which would wait for itself.
        """
        error = self.exception(timeout)
        if error is not None:
            raise error
        value: T_co = self._submission.value
        return value

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the end, and return what the task raised; None if it returned.

        Args:
            timeout: Seconds to wait; None waits as long as it takes.

        Raises:
            CancelledError: It was cancelled.
            TimeoutError: It has not ended in time.
            RuntimeError: It runs in the event loop of this thread, which would wait for itself.
        """
        if not self.done():
            self.check_wait()
            if timeout is None:
                self._submission.try_run_while_waiting()
            with blocking_section():
                in_time = self._submission.wait(timeout)
            if not in_time:
                raise TimeoutError
        self._submission.read()
        error = self._submission.error_as_raised()
        if error is not None and is_cancelled_error(error):
            note_interruption(self._submission.call.handle.run)
            raise cancelled_error_type()
        return error

    def turns_async(self) -> bool:
        """Wait until it has ended, or its sync function has returned a coroutine of its own; whether it has."""
        if not self.done():
            self._submission.try_run_while_waiting()
            with blocking_section():
                self._submission.wait_for_kind()
        return self._submission.is_async

    def check_wait(self) -> None:
        """Raise a RuntimeError where waiting, instead of awaiting, would never end."""
        here = running_loop()
        if here is None or self.done():
            return
        self._submission.stay_out_of(here)
        if self._submission.loop is here:
            raise RuntimeError(
                f"task {self._submission.call.definition.name!r} runs in the event loop of this thread, which would wait for "
                "itself. Await its future, or iterate with `async for`."
            )

    def __await__(self) -> Generator[Any, None, T_co]:
        """Wait for the end, and return the task's value; cancelling the wait cancels the task."""
        submission = self._submission
        while not submission.settled:
            submission.try_run_while_awaiting()
            waiter = new_waiter()
            submission.when_settled(waker(waiter))
            try:
                with blocking_section():
                    yield from waiter.__await__()
            except BaseException:
                submission.cancel()
                raise
        submission.read()
        error = submission.error_as_raised()
        if error is not None:
            raise error
        value: T_co = submission.value
        return value

    def __repr__(self) -> str:
        return f"<TaskFuture {self._submission.call.definition.name!r} {self.status}>"
