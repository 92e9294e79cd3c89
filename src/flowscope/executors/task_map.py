"""Submitting a task once for each item of an iterable, some items ahead of whoever reads the results."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Iterator
from typing import Any, Generic, Self, TypeVar, overload

from ..concurrency.blocking import blocking_section
from ..concurrency.latch import new_waiter, waker
from ..engine.definitions.options import whole_number
from ..errors import DefinitionError
from ..serialization.json.json_leaves import safe_repr
from .selection import executor_for
from .submission.future import TaskFuture
from .submission.submission import TaskSubmission
from .submit import start_submission, task_of

__all__ = ["TaskMap", "map_tasks"]

X = TypeVar("X")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@overload
def map_tasks(
    task_fn: Callable[[X], Coroutine[Any, Any, T]], iterable: Iterable[X], /, *, limit: int | None = None
) -> TaskMap[T]: ...
@overload
def map_tasks(task_fn: Callable[[X], T], iterable: Iterable[X], /, *, limit: int | None = None) -> TaskMap[T]: ...
def map_tasks(task_fn: Callable[[Any], Any], iterable: Iterable[Any], /, *, limit: int | None = None) -> TaskMap[Any]:
    """The results of a task for each item, in the order of the items; iterate over them, sync or async.

    Items are taken, and tasks submitted, while somebody iterates; so the iterable may be endless. A failed task raises
    where its result is due. When the iteration ends early, the tasks in flight are cancelled.

    Args:
        task_fn: A function or bound method decorated with `@task`, sync or async, of one argument.
        iterable: The items.
        limit: How many tasks are submitted ahead of the reader; None for twice the executor's workers, and 100 on
            asyncio.

    Raises:
        DefinitionError: `task_fn` is no task, or a generator; or `limit` is no whole number, or below 1.
    """
    task_of(task_fn)
    count = whole_number(limit)
    if limit is not None and (count is None or count < 1):
        reason = f"limit is {safe_repr(limit)}, wanted a whole number of at least 1, or None."
        raise DefinitionError("map_tasks", reason)
    return TaskMap(task_fn, iterable, count)


class TaskMap(Generic[T_co]):
    """What `map_tasks` returns: the results in the order of the items; iterate over them, sync or async."""

    def __init__(self, task_fn: Callable[[Any], Any], items: Iterable[Any], limit: int | None) -> None:
        self._task_fn = task_fn
        self._items = items
        self._limit = limit

    def __iter__(self) -> Iterator[T_co]:
        return _Ordered(self._task_fn, self._items, self._limit)

    def __aiter__(self) -> AsyncIterator[T_co]:
        return _Ordered(self._task_fn, self._items, self._limit)

    def as_completed(self) -> Completions[T_co]:
        """The results in the order of their completion; iterate over them, sync or async."""
        return Completions(self._task_fn, self._items, self._limit)


class Completions(TaskMap[T_co]):
    """The results of a `TaskMap` in the order of their completion."""

    def __iter__(self) -> Iterator[T_co]:
        return _Completed(self._task_fn, self._items, self._limit)

    def __aiter__(self) -> AsyncIterator[T_co]:
        return _Completed(self._task_fn, self._items, self._limit)


class _Ordered(Generic[T]):
    """One iteration, sync or async. When it ends, or is dropped, what is in flight is cancelled."""

    def __init__(self, task_fn: Callable[[Any], Any], items: Iterable[Any], limit: int | None) -> None:
        self._submissions: OrderedDict[TaskSubmission, None] = OrderedDict()
        """What is in flight, in the order of the items; the first of a plain dict takes long once many are taken."""
        self._definition, self._bound = task_of(task_fn)
        self._items = iter(items)
        self._limit = limit or max(1, executor_for(self._definition).in_flight)

    def __iter__(self) -> Self:
        return self

    def __aiter__(self) -> Self:
        return self

    def __next__(self) -> T:
        submission = self._next_submission() if self._fill() else None
        if submission is None:
            raise StopIteration
        try:
            value: T = self._taken(submission).result()
        except StopIteration as error:
            self._drop(submission)
            raise _no_end(submission) from error
        except BaseException:
            self._drop(submission)
            raise
        return value

    async def __anext__(self) -> T:
        submission = await self._next_submission_async() if self._fill() else None
        if submission is None:
            raise StopAsyncIteration
        try:
            value: T = await self._taken(submission)
        except StopAsyncIteration as error:
            self._drop(submission)
            raise _no_end(submission) from error
        except BaseException:
            self._drop(submission)
            raise
        return value

    def _fill(self) -> bool:
        """Submit what may be; whether anything is in flight."""
        while len(self._submissions) < self._limit:
            try:
                item = next(self._items)
            except StopIteration:
                break
            except BaseException:
                self._drop()
                raise
            self._submitted(
                start_submission(executor_for(self._definition), self._definition, (*self._bound, item), {})
            )
        return bool(self._submissions)

    def _submitted(self, submission: TaskSubmission) -> None:
        self._submissions[submission] = None

    def _next_submission(self) -> TaskSubmission | None:
        """The submission whose result comes next; None at the end."""
        return next(iter(self._submissions))

    async def _next_submission_async(self) -> TaskSubmission | None:
        return next(iter(self._submissions))

    def _taken(self, submission: TaskSubmission) -> TaskFuture[T]:
        del self._submissions[submission]
        return TaskFuture(submission)

    def _drop(self, *submissions: TaskSubmission) -> None:
        """Cancel the submissions in flight, whose results are not read."""
        self._items = iter(())
        for submission in (*submissions, *self._submissions):
            submission.read()
            submission.cancel()
        self._submissions.clear()

    def __del__(self) -> None:
        if "_limit" in vars(self):  # else its making was interrupted
            self._drop()


def _no_end(submission: TaskSubmission) -> RuntimeError:
    """Stands for what would end the iteration as if it were complete, as PEP 479 has it for generators."""
    return RuntimeError(f"task {submission.call.definition.name!r} raised {type(submission.error).__name__}")


def _oldest(submissions: OrderedDict[TaskSubmission, None]) -> TaskSubmission | None:
    """The oldest submission; None if there is none."""
    while True:
        try:
            return next(iter(submissions), None)
        except RuntimeError:
            pass  # another thread that reads the same iteration has changed them just now


class _Completed(_Ordered[T]):
    """One iteration in the order of completion."""

    def __init__(self, task_fn: Callable[[Any], Any], items: Iterable[Any], limit: int | None) -> None:
        self._stealable: OrderedDict[TaskSubmission, None] = OrderedDict()
        """Submissions in flight that this thread may run: each is tried until it has left its queue, not for each result."""
        super().__init__(task_fn, items, limit)
        self._arrivals = _Arrivals()

    def _submitted(self, submission: TaskSubmission) -> None:
        super()._submitted(submission)
        self._stealable[submission] = None
        arrivals = self._arrivals
        submission.when_settled(lambda: arrivals.add(submission))

    def _next_submission(self) -> TaskSubmission | None:
        oldest = _oldest(self._submissions)
        if oldest is not None and not self._arrivals.has_some:
            TaskFuture(oldest).check_wait()
        while not self._arrivals.has_some and self._try_run_oldest(TaskSubmission.try_run_while_waiting):
            pass
        return self._arrivals.wait(self._submissions)

    async def _next_submission_async(self) -> TaskSubmission | None:
        while self._try_run_oldest(TaskSubmission.try_run_while_awaiting):
            pass
        return await self._arrivals.wait_async(self._submissions)

    def _try_run_oldest(self, run: Callable[[TaskSubmission], bool]) -> bool:
        """Run the oldest that waits for this thread; True if it has left its queue, and the next may be tried."""
        oldest = _oldest(self._stealable)
        if oldest is None or not run(oldest):
            return False
        self._stealable.pop(oldest, None)
        return True

    def _taken(self, submission: TaskSubmission) -> TaskFuture[T]:
        future = super()._taken(submission)
        self._stealable.pop(submission, None)
        self._arrivals.wake()
        return future

    def _drop(self, *submissions: TaskSubmission) -> None:
        super()._drop(*submissions)
        self._stealable.clear()


class _Arrivals:
    """The tasks that have ended, in that order, for any number of readers."""

    def __init__(self) -> None:
        self._ready: deque[TaskSubmission] = deque()
        self._lock = threading.RLock()
        self._wakers: list[Callable[[], object]] = []

    @property
    def has_some(self) -> bool:
        """Whether one waits to be read."""
        return bool(self._ready)

    def add(self, submission: TaskSubmission) -> None:
        """Take one that has ended."""
        self._ready.append(submission)
        self.wake()

    def wake(self) -> None:
        """Let all readers look again."""
        with self._lock:
            wakers, self._wakers = self._wakers, []
        for wake in wakers:
            wake()

    def _is_worth_waiting(self, in_flight: Collection[TaskSubmission], wake: Callable[[], object]) -> bool:
        """Whether there is nothing yet and something to come; then `wake` is called when that changes."""
        with self._lock:
            if self._ready or not in_flight:
                return False
            self._wakers.append(wake)
            return True

    def _next(self) -> TaskSubmission | None:
        try:
            return self._ready.popleft()
        except IndexError:
            return None

    def wait(self, in_flight: Collection[TaskSubmission]) -> TaskSubmission | None:
        """The next one; None when none is in flight any more."""
        waiter = threading.Lock()
        waiter.acquire()
        while True:
            submission = self._next()
            if submission is not None or not in_flight:
                return submission
            if self._is_worth_waiting(in_flight, waiter.release):
                with blocking_section():
                    waiter.acquire()

    async def wait_async(self, in_flight: Collection[TaskSubmission]) -> TaskSubmission | None:
        """The next one; None when none is in flight any more."""
        while True:
            submission = self._next()
            if submission is not None or not in_flight:
                return submission
            waiter = new_waiter()
            if self._is_worth_waiting(in_flight, waker(waiter)):
                with blocking_section():
                    await waiter
