"""The values of `scope="flow"` providers: each is opened and closed in one context, an async one by one asyncio task.

The ContextVars that a provider sets stay in that context, and an object of an asyncio task, such as a cancel scope, is
left by the task that entered it, whichever call requested the value first.
"""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from ...concurrency.event_loops import running_loop
from ...concurrency.loop_thread import LoopThread
from ...errors import NoActiveFlowError
from ..definitions.injection_plan import Provider, Resolver
from ..scope.context import current, no_active_flow
from .provider_cycles import OpeningWaits
from .provider_stack import ProviderStack
from .resource import AsyncResource, Resource

__all__ = ["SharedProviders"]


class SharedProviders:
    """The values of a run's `scope="flow"` providers: each is made once, however many calls request it at the same time."""

    __slots__ = (
        "_closed",
        "_lock",
        "_loop_thread",
        "_open",
        "_open_lock",
        "_opening",
        "_resolver",
        "_values",
        "_waits",
    )

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._values: dict[Callable[..., Any], Any] = {}
        self._open: list[Resource | AsyncResource] = []
        """The open resources, in the order of their opening."""
        self._opening: dict[Callable[..., Any], AsyncResource] = {}
        self._closed = False
        """Whether the resources that were open at the end of the run are closed."""
        self._loop_thread: LoopThread | None = None
        self._lock = threading.RLock()
        """Held briefly."""
        self._open_lock = threading.RLock()
        """Held while a sync provider opens, by the thread that opens it."""
        self._waits = OpeningWaits()

    def get(self, provider: Provider) -> Any:
        """The value of a sync provider.

        Raises:
            InjectionError: Its own opening waits for it.
        """
        if provider.function in self._values:
            return self._values[provider.function]
        with self._waits.waiting_for(provider), self._open_lock:
            if provider.function not in self._values:
                resource = Resource(ProviderStack(self._resolver, self))
                value = resource.open(provider, self._waits)
                self._open.append(resource)
                if self._try_pop_late(resource):
                    resource.close(refusal := self._refusal(provider))
                    raise refusal
                self._values[provider.function] = value
            return self._values[provider.function]

    def _try_pop_late(self, resource: Resource | AsyncResource) -> bool:
        """Remove a resource that has opened after the end of the run; return whether it has."""
        if not self._closed or resource not in self._open:
            return False
        self._open.remove(resource)
        return True

    def _refusal(self, provider: Provider) -> NoActiveFlowError:
        return no_active_flow(f"provider {provider.definition.name!r}", current.get())

    async def get_async(self, provider: Provider) -> Any:
        """The value of a provider of any kind; the calls that wait for an async one may be in different event loops.

        Raises:
            InjectionError: Its own opening waits for it.
        """
        if not provider.definition.kind.awaits:
            return self.get(provider)
        while provider.function not in self._values:
            with self._waits.waiting_for(provider):
                await self._open_async(provider)
        return self._values[provider.function]

    async def _open_async(self, provider: Provider) -> None:
        """Wait for the opening of an async provider, or for its failure, which the call that started it raises."""
        with self._lock:
            if provider.function in self._values:  # another event loop has opened it since the caller looked
                return
            resource = self._opening.get(provider.function)
            is_opener = resource is None
            if resource is None:
                resource = self._opening[provider.function] = AsyncResource(
                    ProviderStack(self._resolver, self), provider, self._waits
                )
        if is_opener:
            resource.start(self._loop(), partial(self._settle, provider, resource))
        await resource.wait_open()
        if is_opener and (failure := resource.pop_failure()) is not None:
            try:
                raise failure
            finally:
                del failure, resource  # it would hold this frame, and this frame it

    def _settle(self, provider: Provider, resource: AsyncResource) -> None:
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
