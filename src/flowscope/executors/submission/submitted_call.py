"""A submitted call: its outcome, and the kind that it turns out to be, for a sync function may return a coroutine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any

from ...concurrency.event_loops import running_loop
from ...concurrency.latch import Latch, wait_for
from ...engine.definitions.callables import Kind
from ...engine.definitions.task_definition import TaskDefinition
from ...engine.scope.call import Call
from .executor import Executor, Submission
from .state import SubmissionState

__all__ = ["SubmittedCall"]


class SubmittedCall(Submission):
    """The call of a submission, its kind and its outcome.

    Args:
        call: The call.
        next_executor: Finds the executor of a coroutine that a sync function returns, in the context of the call. None: a
            coroutine or generator is a value.
    """

    __slots__ = (
        "_callbacks",
        "_known",
        "_lock",
        "_next_executor",
        "_rest",
        "_state",
        "_traceback",
        "call",
        "error",
        "home",
        "value",
    )

    def __init__(self, call: Call, next_executor: Callable[[], Executor] | None) -> None:
        self.call: Call = call
        self.home: object = running_loop()
        """The event loop of the submitter; None where a coroutine may not run there."""
        self.value: Any = None
        """The value that it returned."""
        self.error: BaseException | None = None
        """The exception that it raised."""
        self._traceback: TracebackType | None = None
        self._state = SubmissionState.WAITING
        self._callbacks: tuple[Callable[[], object], ...] = ()
        self._next_executor = next_executor
        self._rest: tuple[Coroutine[Any, Any, Any], Any] | None = None
        """The rest of the call, and the coroutine in it, which its function has returned; None once that has begun."""
        self._lock = threading.RLock()
        """Held for a moment, to move from one state to another."""
        self._known: Latch | None = None
        """Set when the call turns out to be async, if a waiter needs to know."""

    @property
    def order(self) -> int:
        """Its execution order."""
        return self.call.order

    @property
    def is_async(self) -> bool:
        """Whether its function has to be awaited, or has returned a coroutine of its own."""
        definition: TaskDefinition = self.call.definition
        return definition.kind is Kind.ASYNC

    @property
    def settled(self) -> bool:
        """Whether it has its value or error."""
        return self._state is SubmissionState.SETTLED

    def error_as_raised(self) -> BaseException | None:
        """What it raised, with the traceback that it had then: readers add nothing to it for one another."""
        return None if self.error is None else self.error.with_traceback(self._traceback)

    def when_settled(self, callback: Callable[[], object]) -> None:
        """Call something, in whatever thread, when it has its value or error; at once if it has."""
        with self._lock:
            if self._state is not SubmissionState.SETTLED:
                self._callbacks = (*self._callbacks, callback)
                return
        callback()

    def wait(self, timeout: float | None) -> bool:
        """Block this thread until it has its value or error; whether it has, after so many seconds."""
        return self.settled or wait_for(self.when_settled, timeout)

    def _wake_all(self) -> None:
        """Call those back who wait, each once, also where another one raises."""
        try:
            while self._callbacks:
                with self._lock:
                    callback, *others = self._callbacks or (_nothing,)
                    self._callbacks = tuple(others)
                callback()
        except BaseException:
            self._wake_all()
            raise

    def turn_async(self) -> None:
        """Note that its function has returned a coroutine of its own."""
        definition: TaskDefinition = self.call.definition
        self.call.definition = definition.of_kind(Kind.ASYNC)
        if self._known is not None:
            self._known.set()

    def wait_for_kind(self) -> bool:
        """Block this thread until it has its value or error, or turns out to be async; whether it does."""
        self._known = known = Latch()
        self.when_settled(known.set)
        return self.is_async or (known.wait_blocking() and self.is_async)

    def _drop_rest(self) -> None:
        """Close the coroutine that its function has returned, if it has not begun: it never will."""
        with self._lock:
            coroutines, self._rest = self._rest or (), None
        for coroutine in coroutines:
            coroutine.close()

    def stay_out_of(self, loop: object) -> None:
        """Let a coroutine that its function may return run elsewhere: this event loop is blocked."""
        if self.home is loop:
            self.home = None


def _nothing() -> None:
    """Another thread has called back the last one just now."""
