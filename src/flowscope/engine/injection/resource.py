"""The open value of one `scope="flow"` provider: opened and closed in one context, an async one by one asyncio task."""

import threading
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Any

from ...concurrency.event_loops import cancel_task, hide_task, in_loop, run_in_new_loop, running_loop
from ...concurrency.latch import Latch
from ..definitions.injection_plan import Provider
from ..scope.context import current, enter
from .provider_cycles import OpeningWaits
from .provider_stack import ProviderStack

__all__ = ["AsyncResource", "Resource"]


class Resource:
    """The open providers of a sync value."""

    __slots__ = ("_context", "_provider_stack")

    def __init__(self, provider_stack: ProviderStack) -> None:
        self._provider_stack = provider_stack
        self._context = copy_context()

    def open(self, provider: Provider, waits: OpeningWaits) -> Any:
        """The value; after a failure the providers are closed at once."""
        try:
            return self._context.run(self._open_here, provider, waits)
        except BaseException as error:
            self._context.run(self._provider_stack.close, error)
            raise

    def _open_here(self, provider: Provider, waits: OpeningWaits) -> Any:
        with waits.opening(provider):
            return self._provider_stack.open(provider)

    def close(self, error: BaseException | None) -> BaseException | None:
        """Close the providers in their context; return the error with which the flow ends."""
        return self._context.run(self._close_at, current.get(), error)

    def _close_at(self, scope: Any, error: BaseException | None) -> BaseException | None:
        enter(scope)
        return self._provider_stack.close(error)

    async def close_async(self, error: BaseException | None) -> BaseException | None:
        """Like `close`."""
        return self.close(error)


class AsyncResource:
    """The open providers of an async value: one asyncio task opens them, waits, and closes them."""

    __slots__ = (
        "_cancelled",
        "_closing",
        "_context",
        "_ended",
        "_error",
        "_lock",
        "_loop",
        "_outcome",
        "_provider",
        "_provider_stack",
        "_ready",
        "_scope",
        "_task",
        "_waiting_calls",
        "_waits",
        "_was_cancelled",
        "failure",
        "value",
    )

    def __init__(self, provider_stack: ProviderStack, provider: Provider, waits: OpeningWaits) -> None:
        self._provider_stack = provider_stack
        self._provider = provider
        self._waits = waits
        self._context = copy_context()
        self._lock = threading.Lock()
        self._waiting_calls = 0
        """The number of calls that wait for the value."""
        self._cancelled = False
        self._ready, self._closing, self._ended = Latch(), Latch(), Latch()
        self._scope = current.get()
        """The scope in which it is closed."""
        self._error: BaseException | None = None
        """The error with which the flow ends so far."""
        self._was_cancelled = False
        """Whether its task was cancelled while the flow was running."""
        self._outcome: BaseException | None = None
        self._loop: Any = None
        self._task: Any = None
        self.value: Any = None
        self.failure: BaseException | None = None
        """The error of the opening."""

    def start(self, loop: object, settle: Callable[[], None]) -> None:
        """Start a task of the loop that opens it; the task calls `settle` after the opening or its failure."""
        self._loop = loop
        begin = partial(self._begin, settle)
        if running_loop() is loop:
            begin()
        else:
            in_loop(loop, begin)

    def _begin(self, settle: Callable[[], None]) -> None:
        self._task = self._loop.create_task(self._open_and_close(settle), context=self._context)
        hide_task(self._task)
        if self._cancelled:
            self._task.cancel()

    async def _open_and_close(self, settle: Callable[[], None]) -> None:
        try:
            if await self._try_open(settle):
                await self._close_at_end()
        finally:
            self._ready.set()
            self._ended.set()

    async def _try_open(self, settle: Callable[[], None]) -> bool:
        try:
            with self._waits.opening(self._provider):
                self.value = await self._provider_stack.open_async(self._provider)
        except BaseException as error:
            self.failure = error
            await self._provider_stack.close_async(error)
        settle()
        failure = self.failure
        self._ready.set()
        if failure is not None:
            await self._provider_stack.close_async(failure)
        return failure is None

    def pop_failure(self) -> BaseException | None:
        """Remove and return the error of the opening."""
        failure, self.failure = self.failure, None
        return failure

    async def _close_at_end(self) -> None:
        try:
            await self._closing.wait()
        except GeneratorExit:  # its event loop is gone: the end of the flow closes it
            raise
        except BaseException as thrown:  # by a cancel scope that the provider holds open, or by the end of the loop
            self._was_cancelled = True
            self._outcome = await self._provider_stack.abort_async(thrown)
        else:
            enter(self._scope)
            self._outcome = await self._provider_stack.close_async(self._error)

    def cancel(self) -> None:
        """Cancel the task."""
        self._cancelled = True
        if self._task is not None:
            cancel_task(self._task)

    async def wait_open(self) -> None:
        """Wait for the opening or its failure; if all waiting calls are cancelled, the opening is cancelled."""
        with self._lock:
            self._waiting_calls += 1
        try:
            await self._ready.wait()
        except BaseException as error:
            with self._lock:
                self._waiting_calls -= 1
                is_unwanted = not self._waiting_calls and not self._ready.is_set
            if is_unwanted:
                self.cancel()
                if not issubclass(type(error), GeneratorExit):
                    await self._ended.wait()
            raise

    async def wait_ended(self) -> None:
        """Wait for the end of its task; a cancelled wait cancels that task."""
        while not self._ended.is_set:
            try:
                await self._ended.wait()
            except GeneratorExit:
                raise
            except BaseException:
                self.cancel()

    def close(self, error: BaseException | None) -> BaseException | None:
        """Close it, and block this thread until then; return the error with which the flow ends."""
        self._error, self._scope = error, current.get()
        if not self._loop.is_running() or running_loop() is self._loop:
            return self._close_elsewhere(error)
        self._closing.set()
        try:
            self._ended.wait_blocking()
        except BaseException as interrupt:
            self.cancel()
            return interrupt if error is None else error
        return self._error_after(error)

    def _close_elsewhere(self, error: BaseException | None) -> BaseException | None:
        """Close it in its context, but in another event loop: its own is closed, or waits for this."""
        if self._ended.is_set:
            return self._error_after(error)
        if self._task is not None:
            self._task._log_destroy_pending = False  # noqa: SLF001 - the task may never run again
        self._context.run(enter, self._scope)
        error = run_in_new_loop(lambda: self._provider_stack.close_async(error), self._context)
        self._closing.set()
        return error

    async def close_async(self, error: BaseException | None) -> BaseException | None:
        """Close it; return the error with which the flow ends."""
        if not self._loop.is_running():
            return self.close(error)
        self._error, self._scope = error, current.get()
        self._closing.set()
        await self.wait_ended()
        return self._error_after(error)

    def _error_after(self, error: BaseException | None) -> BaseException | None:
        if self._was_cancelled:
            return self._provider_stack.outcome(self._provider.definition.name, error, self._outcome)
        return self._outcome
