"""Threads that take calls from one queue."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Generic, Protocol, TypeVar
from weakref import WeakSet

from .blocking import register_pool_thread
from .fork import call_in_forked_children

__all__ = ["Pool", "Queue", "Worker"]

J = TypeVar("J")
J_contra = TypeVar("J_contra", contravariant=True)

_IDLE_SECONDS: Final = 10.0


class Queue(Protocol[J]):
    """What waits for a thread. It is only used by one thread at a time."""

    def append(self, call: J, /) -> None:
        """Take one."""
        ...

    def popleft(self) -> J:
        """Give the one that goes next."""
        ...

    def remove(self, call: J, /) -> None:
        """Forget one."""
        ...

    def __len__(self) -> int: ...


class Worker(Protocol[J_contra]):
    """What a thread of a pool works with, for as long as that thread lives."""

    def run(self, call: J_contra, /) -> None:
        """Run a call to its end; never raises."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class Pool(Generic[J]):
    """Up to so many daemon threads, which are started when there is work and leave after a while without.

    A thread that a call is left behind in is replaced, and leaves when that call returns.
    """

    def __init__(
        self,
        size: int,
        name: str,
        make_worker: Callable[[], Worker[J]],
        *,
        idle: float = _IDLE_SECONDS,
        make_queue: Callable[[], Queue[J]] = deque,
        refuse: Callable[[J, BaseException], object] | None = None,
    ) -> None:
        self.size = size
        self._refuse = refuse
        """Ends a call for which there is no thread at all."""
        self._make_queue = make_queue
        self._name = name
        self._make_worker = make_worker
        self._idle_seconds = idle
        self.renew()
        _pools.add(self)

    def renew(self) -> None:
        """Start anew: in a forked process the threads do not exist."""
        self._calls: Queue[J] = self._make_queue()
        self._lock = threading.RLock()
        """Entered as such: an interrupt of a thread that is about to enter a condition may leave that locked."""
        self._changed = threading.Condition(self._lock)
        self._threads: set[threading.Thread] = set()
        self._free = 0
        """How many threads wait for a call."""
        self._waiting: set[threading.Thread] = set()
        """Those that wait for something else, amid a call."""
        self.crowded: bool = False
        """Whether more threads work than it has places: one that has waited amid a call goes on beside its replacement."""
        self._closed = 0
        """How often it was closed: threads leave that were started before."""
        self._made = 0

    def put(self, call: J) -> None:
        """Take a call, and see to it that a thread comes for it."""
        with self._lock:
            self._calls.append(call)
            if self._free >= len(self._calls):
                self._changed.notify()
            elif self._has_room():
                self._hire(call)

    def _has_room(self) -> bool:
        return len(self._threads) - len(self._waiting) < self.size

    def _has_too_many(self) -> bool:
        return len(self._threads) - len(self._waiting) > self.size

    def mark_waiting(self, thread: threading.Thread, waits: bool) -> None:
        """Note whether one of its threads waits; while it does, another one may work in its place."""
        with self._lock:
            if waits and thread in self._threads:
                self._waiting.add(thread)
            else:
                self._waiting.discard(thread)
            self.crowded = self._has_too_many()
            if self._free < len(self._calls) and self._has_room():
                self._hire()

    def _hire(self, call: J | None = None) -> None:
        self._made += 1
        thread = threading.Thread(
            target=self._work, args=(self._closed,), name=f"{self._name}-{self._made}", daemon=True
        )
        try:
            self._threads.add(thread)
            thread.start()
        except BaseException as error:
            self._threads.discard(thread)
            if isinstance(error, Exception) and self._threads:
                return  # the system gives no more threads: those that are there do the work
            if call is not None:
                self._calls.remove(call)
            raise

    def owns_current_thread(self) -> bool:
        """Whether this thread is one of its own."""
        return threading.current_thread() in self._threads

    def abandon(self, thread: threading.Thread) -> None:
        """Do without one of its threads, and hire another one in its place if there is work."""
        with self._lock:
            if thread not in self._threads:
                return
            self._threads.discard(thread)
            self._waiting.discard(thread)
            if self._free >= len(self._calls):
                return
            try:
                self._hire()
            except Exception as error:
                failure = error
            else:
                return
        self._strand(failure)

    def _strand(self, error: BaseException) -> None:
        """End the calls that wait, if there is no thread for them."""
        refuse = self._refuse
        if refuse is None:
            return
        with self._lock:
            stranded = [self._calls.popleft() for _ in range(0 if self._threads else len(self._calls))]
        for call in stranded:
            refuse(call, error)

    def close(self, *, wait: bool = True) -> None:
        """Let all threads leave when there is no work left; `wait` for them, unless it is one of them that says so."""
        with self._lock:
            self._closed += 1
            self._changed.notify_all()
            leaving = list(self._threads)
        if wait and not self.owns_current_thread():
            for thread in leaving:
                thread.join()

    def _work(self, hired: int) -> None:
        try:
            worker = self._make_worker()
            register_pool_thread(_PoolThread(self))
        except BaseException as error:
            with self._lock:
                self._threads.discard(threading.current_thread())
            self._strand(error)
            return
        try:
            while (call := self._next(hired)) is not None:
                self._run(worker, call)
                del call  # it may hold much, and the wait for the next one may be long
        finally:
            try:
                worker.close()
            finally:
                with self._lock:
                    self._threads.discard(threading.current_thread())

    def _run(self, worker: Worker[J], call: J) -> None:
        try:
            worker.run(call)
        except BaseException as error:  # as where the memory ends before it is in its own hands
            if self._refuse is None:
                raise
            self._refuse(call, error)

    def _next(self, hired: int) -> J | None:
        """The next call; None tells the thread to leave."""
        me = threading.current_thread()
        with self._lock:
            while me in self._threads and not self._has_too_many():
                if self._calls:
                    return self._calls.popleft()
                if hired != self._closed or not self._wait():
                    break
            self._threads.discard(me)
            self.crowded = self._has_too_many()
            return None

    def _wait(self) -> bool:
        """Wait for a call; whether there may be one."""
        self._free += 1
        try:
            return self._changed.wait(self._idle_seconds) or bool(self._calls)
        finally:
            self._free -= 1


class _PoolThread:
    """Counts who waits in, or for, one thread."""

    def __init__(self, pool: Pool[Any]) -> None:
        self._pool = pool
        self._thread = threading.current_thread()
        self._waits = 0
        self._lock = threading.RLock()

    def begin_wait(self) -> None:
        """It waits, or somebody does on whom it waits."""
        with self._lock:
            self._waits += 1
            if self._waits == 1:
                self._pool.mark_waiting(self._thread, True)

    def end_wait(self) -> None:
        """That wait is over."""
        with self._lock:
            self._waits -= 1
            if self._waits == 0:
                self._pool.mark_waiting(self._thread, False)


_pools: Final["WeakSet[Pool[Any]]"] = WeakSet()


@call_in_forked_children
def _renew_in_child() -> None:
    for pool in list(_pools):
        pool.renew()
