"""The values of `scope="flow"` providers: each is opened and closed in one context, an async one by one asyncio task.

The ContextVars that a provider sets stay in that context, and an object of an asyncio task, such as a cancel scope, is
left by the task that entered it, whichever call requested the value first.
"""

import threading
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Any

from ...concurrency.event_loops import cancel_task, hide_task, in_loop, run_in_new_loop, running_loop
from ...concurrency.latch import Latch
from ...concurrency.loop_thread import LoopThread
from ...errors import NoActiveFlowError
from ..definitions.injection_plan import Provider, Resolver
from ..scope.context import current, enter, no_active_flow
from .provider_stack import ProviderStack

__all__ = ["SharedProviders"]


class SharedProviders:
    """The values of a run's `scope="flow"` providers: each is made once, however many calls request it at the same time."""

    __slots__ = ("_closed", "_lock", "_loop_thread", "_open", "_open_lock", "_opening", "_resolver", "_values")

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._values: dict[Callable[..., Any], Any] = {}
        self._open: list[_Resource | _AsyncResource] = []
        """The open resources, in the order of their opening."""
        self._opening: dict[Callable[..., Any], _AsyncResource] = {}
        self._closed = False
        """Whether the resources that were open at the end of the run are closed."""
        self._loop_thread: LoopThread | None = None
        self._lock = threading.RLock()
        """Held briefly."""
        self._open_lock = threading.RLock()
        """Held while a sync provider opens, by the thread that opens it."""

    def get(self, provider: Provider) -> Any:
        """The value of a sync provider."""
        with self._open_lock:
            if provider.function not in self._values:
                resource = _Resource(ProviderStack(self._resolver, self))
                value = resource.open(provider)
                self._open.append(resource)
                if self._try_pop_late(resource):
                    resource.close(refusal := self._refusal(provider))
                    raise refusal
                self._values[provider.function] = value
            return self._values[provider.function]

    def _try_pop_late(self, resource: "_Resource | _AsyncResource") -> bool:
        """Remove a resource that has opened after the end of the run; return whether it has."""
        if not self._closed or resource not in self._open:
            return False
        self._open.remove(resource)
        return True

    def _refusal(self, provider: Provider) -> NoActiveFlowError:
        return no_active_flow(f"provider {provider.definition.name!r}", current.get())

    async def get_async(self, provider: Provider) -> Any:
        """The value of a provider of any kind; the calls that wait for an async one may be in different event loops."""
        if not provider.definition.kind.awaits:
            return self.get(provider)
        while provider.function not in self._values:
            with self._lock:
                resource = self._opening.get(provider.function)
                is_opener = resource is None
                if resource is None:
                    resource = self._opening[provider.function] = _AsyncResource(
                        ProviderStack(self._resolver, self), provider
                    )
            if is_opener:
                resource.start(self._loop(), partial(self._settle, provider, resource))
            await resource.wait_open()
            if is_opener and (failure := resource.pop_failure()) is not None:
                try:
                    raise failure
                finally:
                    del failure, resource  # it would hold this frame, and this frame it
        return self._values[provider.function]

    def _settle(self, provider: Provider, resource: "_AsyncResource") -> None:
        """Store a resource that has opened; after a failure the next call tries again."""
        with self._lock:
            del self._opening[provider.function]
            if resource.failure is None:
                self._open.append(resource)
                if self._try_pop_late(resource):
                    resource.failure = self._refusal(provider)
                else:
                    self._values[provider.function] = resource.value

    def _loop(self) -> object:
        """The event loop of the flow, if the call runs in it, else a loop thread that lasts as long."""
        here = running_loop()
        if here is self._resolver.loop:
            return here
        with self._lock:
            if self._loop_thread is None:
                self._loop_thread = LoopThread("flowscope-providers")
            return self._loop_thread.loop

    def close(self, error: BaseException | None) -> BaseException | None:
        """Close all, the last opened first; return the error with which the flow ends."""
        for resource in list(self._opening.values()):
            resource.cancel()
        while self._open or not self._closed:
            if self._open:
                error = self._open.pop().close(error)
            else:
                self._closed = True
        self._stop()
        return error

    async def close_async(self, error: BaseException | None) -> BaseException | None:
        """Like `close`; a coroutine that is being closed cannot wait."""
        if issubclass(type(error), GeneratorExit):
            return self.close(error)
        for resource in list(self._opening.values()):
            resource.cancel()
            await resource.wait_ended()
        while self._open or not self._closed:
            if self._open:
                error = await self._open.pop().close_async(error)
            else:
                self._closed = True
        self._stop()
        return error

    def _stop(self) -> None:
        loop_thread, self._loop_thread = self._loop_thread, None
        if loop_thread is not None:
            loop_thread.stop()


class _Resource:
    """The open providers of a sync value."""

    __slots__ = ("_context", "_provider_stack")

    def __init__(self, provider_stack: ProviderStack) -> None:
        self._provider_stack = provider_stack
        self._context = copy_context()

    def open(self, provider: Provider) -> Any:
        """The value; after a failure the providers are closed at once."""
        try:
            return self._context.run(self._provider_stack.open, provider)
        except BaseException as error:
            self._context.run(self._provider_stack.close, error)
            raise

    def close(self, error: BaseException | None) -> BaseException | None:
        """Close the providers in their context; return the error with which the flow ends."""
        return self._context.run(self._close_at, current.get(), error)

    def _close_at(self, scope: Any, error: BaseException | None) -> BaseException | None:
        enter(scope)
        return self._provider_stack.close(error)

    async def close_async(self, error: BaseException | None) -> BaseException | None:
        """Like `close`."""
        return self.close(error)


class _AsyncResource:
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
        "_was_cancelled",
        "failure",
        "value",
    )

    def __init__(self, provider_stack: ProviderStack, provider: Provider) -> None:
        self._provider_stack = provider_stack
        self._provider = provider
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
