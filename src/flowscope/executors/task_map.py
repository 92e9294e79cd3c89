"""Submitting a task once for each item of an iterable, some items ahead of whoever reads the results."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Iterator
from typing import Any, Generic, Self, TypeVar, overload

from ..concurrency.blocking import blocking
from ..concurrency.latch import new_waiter, waker
from ..errors import DefinitionError
from .selection import executor_for
from .submission.future import TaskFuture
from .submission.submission import Job
from .submit import start_job, task_of

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
        DefinitionError: `task_fn` is no task, or a generator; or `limit` is below 1.
    """
    task_of(task_fn)
    if limit is not None and limit < 1:
        raise DefinitionError("map_tasks", f"limit is {limit!r}, wanted at least 1, or None.")
    return TaskMap(task_fn, iterable, limit)


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
        self._jobs: OrderedDict[Job, None] = OrderedDict()
        """What is in flight, in the order of the items; the first of a plain dict takes long once many are taken."""
        self._spec, self._bound = task_of(task_fn)
        self._items = iter(items)
        self._limit = limit or max(1, executor_for(self._spec).in_flight)

    def __iter__(self) -> Self:
        return self

    def __aiter__(self) -> Self:
        return self

    def __next__(self) -> T:
        job = self._next_job() if self._fill() else None
        if job is None:
            raise StopIteration
        try:
            value: T = self._taken(job).result()
        except StopIteration as error:
            self._drop(job)
            raise _no_end(job) from error
        except BaseException:
            self._drop(job)
            raise
        return value

    async def __anext__(self) -> T:
        job = await self._next_job_async() if self._fill() else None
        if job is None:
            raise StopAsyncIteration
        try:
            value: T = await self._taken(job)
        except StopAsyncIteration as error:
            self._drop(job)
            raise _no_end(job) from error
        except BaseException:
            self._drop(job)
            raise
        return value

    def _fill(self) -> bool:
        """Submit what may be; whether anything is in flight."""
        while len(self._jobs) < self._limit:
            try:
                item = next(self._items)
            except StopIteration:
                break
            except BaseException:
                self._drop()
                raise
            self._submitted(start_job(executor_for(self._spec), self._spec, (*self._bound, item), {}))
        return bool(self._jobs)

    def _submitted(self, job: Job) -> None:
        self._jobs[job] = None

    def _next_job(self) -> Job | None:
        """The one whose result comes next; None if there is none any more."""
        return next(iter(self._jobs))

    async def _next_job_async(self) -> Job | None:
        return next(iter(self._jobs))

    def _taken(self, job: Job) -> TaskFuture[T]:
        del self._jobs[job]
        return TaskFuture(job)

    def _drop(self, *jobs: Job) -> None:
        """Cancel what nobody will read."""
        self._items = iter(())
        for job in (*jobs, *self._jobs):
            job.read()
            job.cancel()
        self._jobs.clear()

    def __del__(self) -> None:
        self._drop()


def _no_end(job: Job) -> RuntimeError:
    """Stands for what would end the iteration as if it were complete, as PEP 479 has it for generators."""
    return RuntimeError(f"task {job.call.spec.name!r} raised {type(job.error).__name__}")


def _oldest(jobs: OrderedDict[Job, None]) -> Job | None:
    """The first one; None if there is none."""
    while True:
        try:
            return next(iter(jobs), None)
        except RuntimeError:
            pass  # another thread that reads the same iteration has changed them just now


class _Completed(_Ordered[T]):
    """One iteration in the order of completion."""

    def __init__(self, task_fn: Callable[[Any], Any], items: Iterable[Any], limit: int | None) -> None:
        self._unhelped: OrderedDict[Job, None] = OrderedDict()
        """Those in flight that may need help: each is asked until it needs none, not for each result."""
        super().__init__(task_fn, items, limit)
        self._arrivals = _Arrivals()

    def _submitted(self, job: Job) -> None:
        super()._submitted(job)
        self._unhelped[job] = None
        arrivals = self._arrivals
        job.when_settled(lambda: arrivals.add(job))

    def _next_job(self) -> Job | None:
        oldest = _oldest(self._jobs)
        if oldest is not None and not self._arrivals.has_some:
            TaskFuture(oldest).check_wait()
        while not self._arrivals.has_some and self._helps_one(Job.help):
            pass
        return self._arrivals.wait(self._jobs)

    async def _next_job_async(self) -> Job | None:
        while self._helps_one(Job.help_async):
            pass
        return await self._arrivals.wait_async(self._jobs)

    def _helps_one(self, help_: Callable[[Job], bool]) -> bool:
        """Help the oldest that may need it; whether that was of use, so that the next may be helped."""
        oldest = _oldest(self._unhelped)
        if oldest is None or not help_(oldest):
            return False
        self._unhelped.pop(oldest, None)
        return True

    def _taken(self, job: Job) -> TaskFuture[T]:
        future = super()._taken(job)
        self._unhelped.pop(job, None)
        self._arrivals.wake()
        return future

    def _drop(self, *jobs: Job) -> None:
        super()._drop(*jobs)
        self._unhelped.clear()


class _Arrivals:
    """The tasks that have ended, in that order, for any number of readers."""

    def __init__(self) -> None:
        self._ready: deque[Job] = deque()
        self._lock = threading.RLock()
        self._wakers: list[Callable[[], object]] = []

    @property
    def has_some(self) -> bool:
        """Whether one waits to be read."""
        return bool(self._ready)

    def add(self, job: Job) -> None:
        """Take one that has ended."""
        self._ready.append(job)
        self.wake()

    def wake(self) -> None:
        """Let all readers look again."""
        with self._lock:
            wakers, self._wakers = self._wakers, []
        for wake in wakers:
            wake()

    def _is_worth_waiting(self, in_flight: Collection[Job], wake: Callable[[], object]) -> bool:
        """Whether there is nothing yet and something to come; then `wake` is called when that changes."""
        with self._lock:
            if self._ready or not in_flight:
                return False
            self._wakers.append(wake)
            return True

    def _next(self) -> Job | None:
        try:
            return self._ready.popleft()
        except IndexError:
            return None

    def wait(self, in_flight: Collection[Job]) -> Job | None:
        """The next one; None when none is in flight any more."""
        waiter = threading.Lock()
        waiter.acquire()
        while True:
            job = self._next()
            if job is not None or not in_flight:
                return job
            if self._is_worth_waiting(in_flight, waiter.release):
                with blocking():
                    waiter.acquire()

    async def wait_async(self, in_flight: Collection[Job]) -> Job | None:
        """The next one; None when none is in flight any more."""
        while True:
            job = self._next()
            if job is not None or not in_flight:
                return job
            waiter = new_waiter()
            if self._is_worth_waiting(in_flight, waker(waiter)):
                with blocking():
                    await waiter
