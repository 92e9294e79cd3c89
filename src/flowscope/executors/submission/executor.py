"""The port that every executor implements, and the submission as an executor gets it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from threading import Thread
from types import TracebackType
from typing import Any, ClassVar, Final, Self

from ...concurrency.event_loops import wait_in_thread
from ...engine.lifecycle.task_drivers import Attempt
from ...engine.scope.call import Call

__all__ = ["Executor", "Submission"]

_EARLIER_NAMES: Final = {"holds": "owns_current_thread", "leave_behind": "abandon"}


class Submission(ABC):
    """A submitted call of a task, as an executor gets it. All of its methods may be called from any thread."""

    __slots__ = ()

    call: Call
    """The call, with the task's definition."""
    home: object
    """The event loop of the submitter; None where a coroutine may not run there."""
    loop: object
    """The event loop in which it runs beside others; None for a thread or process."""

    @property
    @abstractmethod
    def is_async(self) -> bool:
        """Whether its function has to be awaited, or has returned a coroutine of its own."""

    @property
    @abstractmethod
    def cancelled(self) -> bool:
        """Whether its cancellation was asked for."""

    @property
    @abstractmethod
    def settled(self) -> bool:
        """Whether it has its value or error."""

    @abstractmethod
    def run(self, attempt: Attempt | None = None, interrupt: Callable[[], object] | None = None) -> None:
        """Run it to its end in this thread; never raises.

        Args:
            attempt: Makes the attempts, instead of calling the function here.
            interrupt: Stops a running attempt, from another thread, so that it raises; None leaves the thread behind.
        """

    @abstractmethod
    def run_in(self, loop: object) -> None:
        """Run it as a task of an event loop, and return at once."""

    @abstractmethod
    def go_on(self) -> None:
        """Run the coroutine that its sync function has returned to its end, in an event loop of its own, here."""

    @abstractmethod
    def turn_async(self) -> None:
        """Note that its sync function has returned a coroutine of its own."""

    @abstractmethod
    def refuse(self, error: BaseException) -> None:
        """Let it fail before its start."""

    @abstractmethod
    def cancel(self) -> bool:
        """Ask it to end; return whether it is not too late."""

    @abstractmethod
    def when_settled(self, callback: Callable[[], object]) -> None:
        """Call something, in any thread, when it has its value or error; at once if it has."""

    @abstractmethod
    def wait(self, timeout: float | None) -> bool:
        """Block this thread until it has its value or error; return whether it has, after so many seconds."""


class Executor(ABC):
    """Where submitted calls run.

    An executor is made without starting anything, starts what it needs with the first call, and may be used again
    after it was closed. All of its methods may be called from any thread.
    """

    name: str
    """What `TaskRun.executor` says of its tasks."""
    remote: ClassVar[bool] = False
    """Whether functions run in another process: they are called where they are when that process submits to it."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Take the methods that were called `holds` and `leave_behind` under their present names too."""
        super().__init_subclass__(**kwargs)
        for earlier, present in _EARLIER_NAMES.items():
            if earlier in vars(cls) and present not in vars(cls):
                setattr(cls, present, vars(cls)[earlier])

    @property
    @abstractmethod
    def workers(self) -> int:
        """How many calls it runs at once."""

    @property
    def in_flight(self) -> int:
        """How many calls `map_tasks` keeps submitted ahead: two for each worker."""
        return 2 * self.workers

    @abstractmethod
    def start(self, submission: Submission, /) -> None:
        """Take a call, and return at once.

        Sooner or later `submission.run()` is to be called, once, in some thread, or `submission.run_in(loop)` from
        any. Neither raises, and both do nothing if the submission was cancelled before. What `start` raises, the task
        fails with.
        """

    def go_on(self, submission: Submission) -> None:
        """Go on with a call of a sync function that has returned a coroutine of its own, here where it was called.

        By default it gets an event loop of its own in this thread, as an async function does in `submission.run()`.
        """
        submission.go_on()

    def owns_current_thread(self) -> bool:
        """Whether its submissions wait for this thread, which runs a waiting submission rather than wait for it."""
        return False

    def abandon(self, thread: Thread) -> None:  # noqa: B027 - most have no threads of their own
        """Do without a thread that goes on with a submission that was cancelled: a thread cannot be stopped."""

    @abstractmethod
    def close(self, *, wait: bool = True) -> None:
        """Run what it has taken to the end, then let go of threads and processes.

        Args:
            wait: Whether to return only then.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it, and let the event loop go on meanwhile."""
        await wait_in_thread(self.close)
