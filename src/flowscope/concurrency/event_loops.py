"""What needs an event loop. asyncio takes as long to import as all of flowscope: so it is imported when it is used."""

# ruff: noqa: PLC0415
import contextvars
import logging
import sys
import threading
from collections.abc import Callable, Coroutine
from functools import cache, partial
from traceback import clear_frames
from types import TracebackType
from typing import Any, Protocol, TypeVar

__all__ = [
    "Deadline",
    "ThreadTimeout",
    "Wakers",
    "call_later",
    "cancel_task",
    "cancelled_error",
    "cancelled_error_type",
    "current_asyncio_task",
    "deadline_in",
    "hide_task",
    "in_loop",
    "is_being_cancelled",
    "is_cancelled_error",
    "run_in_new_loop",
    "run_in_thread",
    "running_loop",
    "sleep",
    "spawn",
    "start_loop_in_thread",
    "stop_loop_in_thread",
    "wait_in_thread",
]

T = TypeVar("T")


class Deadline(Protocol):
    """What `asyncio.timeout` gives: a block with a time limit."""

    async def __aenter__(self) -> object: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> bool | None: ...

    def expired(self) -> bool:
        """Whether the time is over."""
        ...


async def sleep(seconds: float) -> None:
    """Wait; cancellable."""
    import asyncio

    await asyncio.sleep(seconds)


def deadline_in(seconds: float) -> Deadline:
    """Cancel the block after that time."""
    import asyncio

    return asyncio.timeout(seconds)


def running_loop() -> object:
    """The event loop that is running in this thread; None if none is."""
    asyncio = sys.modules.get("asyncio")
    return None if asyncio is None else asyncio._get_running_loop()  # noqa: SLF001 - documented, for this


def cancelled_error(*reason: str) -> BaseException:
    """The exception of a cancelled asyncio task."""
    import asyncio

    return asyncio.CancelledError(*reason)


def current_asyncio_task() -> Any:
    """The asyncio task that is running."""
    return sys.modules["asyncio"].current_task()  # an import statement takes longer than the rest


def cancel_task(task: Any) -> None:
    """Cancel an asyncio task, from any thread."""
    loop = task.get_loop()
    if running_loop() is loop:
        task.cancel()
    else:
        in_loop(loop, task.cancel)


def hide_task(task: Any) -> None:
    """Keep a task from being cancelled with all others when its loop ends: it ends with the flow that runs there."""
    import asyncio

    asyncio._unregister_task(task)  # noqa: SLF001 - documented, for those who manage tasks


def spawn(
    loop: Any,
    function: Callable[[], Coroutine[Any, Any, None]],
    context: contextvars.Context,
    drop: Callable[[], object],
) -> None:
    """Run an async function as a task of a loop, from any thread; `drop` is called if it is never started."""
    if running_loop() is loop:
        _create_task(loop, function, context, drop)
    elif not in_loop(loop, partial(_create_task, loop, function, context, drop)):
        drop()


def _create_task(
    loop: Any,
    function: Callable[[], Coroutine[Any, Any, None]],
    context: contextvars.Context,
    drop: Callable[[], object],
) -> None:
    task = loop.create_task(function(), context=context)
    _spawned[task] = drop
    task.add_done_callback(_task_done)


def _task_done(task: Any) -> None:
    drop = _spawned.pop(task)
    if task.cancelled():
        drop()


_spawned: dict[Any, Callable[[], object]] = {}
"""Tasks that nobody else holds, for a loop only holds them weakly, and what to call for those that never start."""


def start_loop_in_thread(name: str) -> object:
    """An event loop that runs in a daemon thread."""
    loop = _new_loop()
    thread = threading.Thread(target=_run_for_ever, args=(loop,), name=name, daemon=True)
    try:
        thread.start()
    except BaseException:
        loop.close()
        raise
    _loop_threads[loop] = thread
    return loop


def _new_loop() -> Any:
    """An event loop; where there cannot be one, no descriptor of half a loop stays with the error."""
    import asyncio

    try:
        return asyncio.new_event_loop()
    except BaseException as error:
        clear_frames(error.__traceback__)
        raise


def _run_for_ever(loop: Any) -> None:
    """Run a loop until it is stopped: an exit or interrupt that one of its tasks raises does not end it for the others."""
    while True:
        try:
            loop.run_forever()
        except BaseException:
            logging.getLogger("flowscope").warning("a task in the background event loop raised", exc_info=True)
        else:
            return


_loop_threads: dict[Any, threading.Thread] = {}


def stop_loop_in_thread(loop: Any) -> None:
    """Stop such a loop, for good: a thread that runs while the interpreter ends may crash it."""
    thread = _loop_threads.pop(loop)
    for task in list(_spawned):
        task._log_destroy_pending = False  # noqa: SLF001 - there is nobody left to tell
    if in_loop(loop, loop.stop):
        thread.join(1.0)
    if not thread.is_alive():
        loop.close()


def call_later(loop: Any, seconds: float, callback: Callable[[], object]) -> Callable[[], None]:
    """Call something in the loop of another thread after a time; returns what prevents it, and lets go of it."""
    wanted = [callback]

    def call() -> None:
        for one in wanted.copy():
            one()

    in_loop(loop, lambda: loop.call_later(seconds, call))
    return wanted.clear


@cache
def cancelled_error_type() -> type[BaseException]:
    """What is raised to those who wait without awaiting: caught as either library's `CancelledError`."""
    import asyncio
    import concurrent.futures

    class CancelledError(asyncio.CancelledError, concurrent.futures.CancelledError):
        """The task was cancelled."""

    return CancelledError


def in_loop(loop: Any, callback: Callable[[], object]) -> bool:
    """Call something soon in the loop of another thread; False if that loop is closed."""
    try:
        loop.call_soon_threadsafe(callback)
    except RuntimeError:
        return False
    return True


def is_cancelled_error(error: BaseException) -> bool:
    """Whether it is the exception of a cancelled asyncio task or future.

    Nothing is imported for it: this is asked of failures, which may be that nothing can be imported any more.
    """
    module = sys.modules.get("asyncio.exceptions")
    kind: Any = getattr(module, "CancelledError", None)
    return kind is not None and isinstance(error, kind)


def is_being_cancelled() -> bool:
    """Whether somebody has asked the running asyncio task to end."""
    import asyncio

    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def run_in_new_loop(function: Callable[[], Coroutine[Any, Any, T]], context: contextvars.Context | None = None) -> T:
    """Run an async function to its end, in an event loop of its own.

    It runs in this thread, or, where a loop is running here already, in a new one with a copy of this context, or in
    the very context given. The loop that this thread may have set stays set.
    """
    if running_loop() is not None:
        return run_in_thread(lambda: _run_here(function, context))
    return _run_here(function, context)


def _run_here(function: Callable[[], Coroutine[Any, Any, T]], context: contextvars.Context | None) -> T:
    import asyncio

    with asyncio.Runner(loop_factory=_new_loop) as runner:
        return runner.run(function(), context=context)


async def wait_in_thread(function: Callable[[], object]) -> None:
    """Let the loop go on while a thread waits for something.

    Not as `asyncio.to_thread` does, which refuses to work in a thread that outlives the main one.
    """
    import asyncio
    from concurrent.futures import Future

    ended: Future[None] = Future()
    ended.set_running_or_notify_cancel()  # the wait may be cancelled, and the function goes on
    context = contextvars.copy_context()

    def work() -> None:
        try:
            context.run(function)
        except BaseException as error:
            ended.set_exception(error)
        else:
            ended.set_result(None)

    threading.Thread(target=work, name="flowscope-wait", daemon=True).start()
    await asyncio.wrap_future(ended)


class ThreadTimeout(Exception):  # noqa: N818 - a signal between two functions of this library
    """A call in a thread was left behind."""

    def __init__(self, thread: threading.Thread) -> None:
        super().__init__(thread)
        self.thread = thread


class Wakers(Protocol):
    """The callbacks that end waits."""

    def add(self, callback: Callable[[], object], /) -> None:
        """Add one; it may be called at once."""
        ...

    def discard(self, callback: Callable[[], object], /) -> None:
        """Remove one."""
        ...


def run_in_thread(
    function: Callable[[], T],
    timeout: float | None = None,
    name: str | None = None,
    wakers: Wakers | None = None,
) -> T:
    """Call a function in a new daemon thread, in a copy of this context, and wait for its outcome.

    Args:
        function: The function.
        timeout: Seconds to wait; None waits as long as it takes.
        name: The name of the thread.
        wakers: A callback that ends the wait is in it meanwhile.

    Raises:
        ThreadTimeout: It has not ended in time, or the wait was ended; the thread is left behind.
    """
    context = contextvars.copy_context()
    outcome: list[tuple[bool, Any]] = []
    ended = threading.Event()

    def run() -> None:
        try:
            outcome.append((True, context.run(function)))
        except BaseException as error:
            outcome.append((False, error))
        finally:
            ended.set()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    if wakers is not None:
        wakers.add(ended.set)
    try:
        ended.wait(timeout)
    finally:
        if wakers is not None:
            wakers.discard(ended.set)
    if not outcome:
        raise ThreadTimeout(thread)
    succeeded, value = outcome.pop()
    if succeeded:
        return value  # type: ignore[no-any-return] # what the function returned
    raise value
