"""What needs an event loop. asyncio takes as long to import as all of flowscope: so it is imported when it is used."""

# ruff: noqa: PLC0415
import contextvars
import sys
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Protocol, TypeVar

__all__ = [
    "Deadline",
    "Opening",
    "ThreadTimeout",
    "deadline_in",
    "is_being_cancelled",
    "is_cancelled_error",
    "loop_is_running",
    "run_in_new_loop",
    "run_in_thread",
    "sleep",
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


class Opening:
    """Something that others wait for, in whatever event loop they run."""

    __slots__ = ("_future",)

    def __init__(self) -> None:
        from concurrent.futures import Future

        self._future: Future[None] = Future()

    async def wait(self) -> None:
        """Wait until it is done; cancelling the wait cancels nothing else."""
        import asyncio

        await asyncio.shield(asyncio.wrap_future(self._future))

    def done(self) -> None:
        """Wake those who wait."""
        self._future.set_result(None)


def loop_is_running() -> bool:
    """Whether an event loop is running in this thread."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None  # noqa: SLF001 - documented, for this


def is_cancelled_error(error: BaseException) -> bool:
    """Whether it is the exception of a cancelled asyncio task or future."""
    import asyncio

    return isinstance(error, asyncio.CancelledError)


def is_being_cancelled() -> bool:
    """Whether somebody has asked the running asyncio task to end."""
    import asyncio

    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def run_in_new_loop(function: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run an async function to its end, in an event loop of its own.

    It runs in this thread, or, where a loop is running here already, in a new one with a copy of this context. The
    loop that this thread may have set stays set.
    """
    if loop_is_running():
        return run_in_thread(lambda: _run_here(function))
    return _run_here(function)


def _run_here(function: Callable[[], Coroutine[Any, Any, T]]) -> T:
    import asyncio

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(function())


async def wait_in_thread(function: Callable[[], object]) -> None:
    """Let the loop go on while a thread waits for something."""
    import asyncio

    await asyncio.to_thread(function)


class ThreadTimeout(Exception):  # noqa: N818 - a signal between two functions of this library
    """A call in a thread was left behind."""

    def __init__(self, thread: threading.Thread) -> None:
        super().__init__(thread)
        self.thread = thread


def run_in_thread(function: Callable[[], T], timeout: float | None = None, name: str | None = None) -> T:
    """Call a function in a new daemon thread, in a copy of this context, and wait for its outcome.

    Raises:
        ThreadTimeout: It has not ended in time; the thread is left behind.
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
    if not ended.wait(timeout):
        raise ThreadTimeout(thread)
    succeeded, value = outcome.pop()
    if succeeded:
        return value  # type: ignore[no-any-return] # what the function returned
    raise value
