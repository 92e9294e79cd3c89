"""`WorkerPool`: threads and processes for plain callables, by id."""

# ruff: noqa: ASYNC109 - the contract has these timeouts
import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, NamedTuple, TypeVar

from ..concurrency.event_loops import in_loop
from ..concurrency.latch import Latch
from ..engine.definitions.callables import Kind, kind_of
from ..errors import CoordinationError, TaskTimeoutError
from ..executors.backends.process_executor import ProcessExecutor
from ..executors.backends.thread_executor import ThreadExecutor
from ..executors.plain_calls import start_plain_call
from ..executors.submission.executor import Executor
from ..serialization.introspection import INTERRUPTIONS
from .schedule.options import FlowType

__all__ = ["WorkerPool"]

T = TypeVar("T")
R = TypeVar("R")


class WorkerPool:
    """Threads and processes in which plain functions are called, each call known by an id while it lasts.

    It needs no event loop to be made, and may be used from several loops and threads, at once or one after the other.
    An id is forgotten when its call ends, and may then be used again.
    """

    def __init__(self, max_threads: int | None = None, max_processes: int | None = None) -> None:
        """A pool that starts its workers when they are needed.

        Args:
            max_threads: How many calls run at once in threads; None is four more than there are processors, at most 32.
            max_processes: How many in processes; None is the number of processors.

        Raises:
            DefinitionError: A number is below 1, or no whole number.
        """
        self._executors: dict[FlowType, Executor] = {
            FlowType.THREAD: ThreadExecutor(max_threads),
            FlowType.PROCESS: ProcessExecutor(max_processes),
        }
        self._pool_calls: dict[str, _PoolCall] = {}
        self._open = True
        self._lock = threading.RLock()

    @property
    def active_tasks(self) -> set[str]:
        """The ids of the calls that have not ended."""
        with self._lock:
            return set(self._pool_calls)

    async def submit_task(
        self, task_id: str, flow_type: FlowType, func: Callable[[T], R], input_data: T, timeout: float | None = None
    ) -> Any:
        """Call a function, sync or async, with the data, and return its value.

        Cancelling this ends the call: a process is killed, a thread left behind.

        Args:
            task_id: The id of the call.
            flow_type: Where it runs; an inline call that is sync and has a timeout runs in a thread.
            func: The function; for a process, one that can be imported there.
            input_data: Its only argument.
            timeout: Seconds from its start; None is no limit, 0 is over before it begins.

        Raises:
            CoordinationError: The id is active already, the pool is shut down, there is no such type, or the call has
                left with a `SystemExit`, which is the cause, and this coroutine is itself an asyncio task, as in
                `asyncio.gather` and `create_task`: an exit that is raised there ends the event loop.
            TaskTimeoutError: The call has not ended in time.
            WorkerDiedError: Its process has died.
            SerializationError: The function, the data or the value cannot travel between processes.
            CancelledError: It was cancelled.
            BaseException: What the function raised: a `SystemExit`, too, is that of this call alone.
        """
        if flow_type not in set(FlowType):
            reason = f"cannot run as {flow_type!r}. Choose one of {[*map(str, FlowType)]}."
            raise CoordinationError(f"task {task_id!r}", reason)
        work = self._call(task_id, FlowType(flow_type), func, input_data, timeout)
        ending = await self._admit(task_id, work).work
        return ending.read(task_id, inspect.currentframe())

    def _admit(self, task_id: str, work: Coroutine[Any, Any, object]) -> "_PoolCall":
        """Start a call under its id."""
        with self._lock:
            refusal = None if self._open else "comes too late: the pool is shut down. Make a new one."
            if task_id in self._pool_calls:
                refusal = "is running already. Wait for it, or choose another id."
            if refusal is not None:
                work.close()
                raise CoordinationError(f"task {task_id!r}", refusal)
            pool_call = self._pool_calls[task_id] = _PoolCall(task_id, work)
            pool_call.work.add_done_callback(lambda _: self._forget(pool_call))
            return pool_call

    def _forget(self, pool_call: "_PoolCall") -> None:
        with self._lock:
            del self._pool_calls[pool_call.task_id]
        pool_call.ended.set()

    async def _call(
        self, task_id: str, flow_type: FlowType, func: Callable[[T], object], input_data: T, timeout: float | None
    ) -> object:
        if timeout is not None and timeout <= 0:
            raise TaskTimeoutError(task_id, timeout)
        if flow_type is FlowType.INLINE and (timeout is None or kind_of(func) is Kind.ASYNC):
            return await _call_here(task_id, func, input_data, timeout)
        executor = self._executors.get(flow_type, self._executors[FlowType.THREAD])
        return await start_plain_call(executor, task_id, func, input_data, timeout=timeout)

    async def cancel_task(self, task_id: str) -> None:
        """End a call, whose awaiter gets a cancellation, and return when it has ended; an unknown id is no call."""
        with self._lock:
            pool_call = self._pool_calls.get(task_id)
        if pool_call is not None:
            pool_call.cancel()
            await pool_call.ended.wait()

    async def wait_for_task(self, task_id: str, timeout: float | None = None) -> Any:
        """Wait for the end of a call, and return its value; None at once for an id that is not active.

        Args:
            task_id: The id of the call.
            timeout: Seconds to wait; None waits as long as it takes, 0 only looks. The call goes on afterwards.

        Raises:
            TimeoutError: It has not ended in time.
            CancelledError: It was cancelled.
            CoordinationError: It has left with a `SystemExit`, and this coroutine is itself an asyncio task.
            BaseException: What the function raised.
        """
        with self._lock:
            pool_call = self._pool_calls.get(task_id)
        if pool_call is None:
            return None
        if not await pool_call.ended.wait(timeout):
            raise TimeoutError(f"task {task_id!r} has not ended after {timeout:g} s")
        return pool_call.work.result().read(task_id, inspect.currentframe())

    async def shutdown(self, wait: bool = True) -> None:
        """Take no more calls, and let the workers go.

        Args:
            wait: Whether to wait for the calls that are active. If not, they are cancelled.
        """
        with self._lock:
            self._open = False
            pool_calls = list(self._pool_calls.values())
        for pool_call in () if wait else pool_calls:
            pool_call.cancel()
        for pool_call in pool_calls:
            await pool_call.ended.wait()
        for executor in self._executors.values():
            executor.close(wait=False)


class _Ending(NamedTuple):
    """How a call has ended that was not cancelled and raised no `Exception`."""

    value: object
    interrupt: BaseException | None

    def read(self, task_id: str, reader: FrameType | None) -> object:
        """What it returned; an interrupt is raised in the frame that reads it.

        Raises:
            CoordinationError: It is an exit, and the reader would raise it in the step of an asyncio task.
        """
        if isinstance(self.interrupt, SystemExit) and _is_asyncio_task(reader):
            reason = f"has left with {self.interrupt!r}. Await it in a coroutine that catches SystemExit, to get that."
            raise CoordinationError(f"task {task_id!r}", reason) from self.interrupt
        if self.interrupt is not None:
            raise self.interrupt
        return self.value


def _is_asyncio_task(frame: FrameType | None) -> bool:
    """Whether the coroutine of a frame is the running asyncio task, and not awaited by another coroutine."""
    task = asyncio.current_task()
    coroutine = None if task is None else task.get_coro()
    return inspect.iscoroutine(coroutine) and coroutine.cr_frame is frame


async def _ending_of(work: Coroutine[Any, Any, object]) -> _Ending:
    """An interrupt or exit of one call is not raised in its asyncio task: that would end the event loop for all."""
    try:
        return _Ending(await work, None)
    except INTERRUPTIONS as error:
        return _Ending(None, error)


class _PoolCall:
    """One call, for those who wait for it or cancel it, from any thread."""

    __slots__ = ("_loop", "ended", "task_id", "work")

    def __init__(self, task_id: str, work: Coroutine[Any, Any, object]) -> None:
        self.task_id = task_id
        self._loop = asyncio.get_running_loop()
        self.work = self._loop.create_task(_ending_of(work), name=f"flowscope task {task_id}")
        self.work.add_done_callback(lambda _: work.close())  # it was not begun, if the task was cancelled before
        self.ended = Latch()

    def cancel(self) -> None:
        """Ask it to end."""
        in_loop(self._loop, self.work.cancel)


async def _call_here(task_id: str, func: Callable[[T], object], input_data: T, timeout: float | None) -> object:
    deadline = asyncio.timeout(timeout)
    try:
        async with deadline:
            value = func(input_data)
            return await value if inspect.isawaitable(value) else value
    except TimeoutError:
        if deadline.expired():
            raise TaskTimeoutError(task_id, timeout or 0.0) from None
        raise
