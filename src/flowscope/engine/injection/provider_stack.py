"""Latch and closing what `Inject` providers make: per attempt of a call, or once per run of a flow."""

import sys
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, Final

from ...concurrency.latch import Latch
from ...errors import InjectionError
from ..definitions.callables import Kind
from ..definitions.injection_plan import Plan, Provider, Resolver

__all__ = ["ProviderStack", "SharedProviders"]

_MISSING: Final = object()


class ProviderStack:
    """What one call has providers, to be closed in reverse order.

    Closing never hides the error of the call: what a provider raises while it is closed after a failure is reported.
    """

    __slots__ = ("_generators", "_shared", "_site")

    def __init__(self, resolver: Resolver, shared: "SharedProviders | None" = None) -> None:
        self._site = resolver
        self._shared = shared
        self._generators: list[tuple[str, Generator[Any, Any, Any] | AsyncGenerator[Any, Any]]] = []

    def inject(
        self, plan: Plan, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of a sync function, complete."""
        values = plan.values(self._site, args, kwargs)
        for parameter, provider in plan.providers:
            if parameter not in values and plan.absent(parameter, args, kwargs):
                values[parameter] = self._value(provider)
        return plan.merged(args, kwargs, values)

    async def inject_async(
        self, plan: Plan, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of an async function, complete."""
        values = plan.values(self._site, args, kwargs)
        for parameter, provider in plan.providers:
            if parameter not in values and plan.absent(parameter, args, kwargs):
                values[parameter] = await self._value_async(provider)
        return plan.merged(args, kwargs, values)

    def _value(self, provider: Provider) -> Any:
        return self._shared.get(provider) if provider.shared and self._shared is not None else self.open(provider)

    async def _value_async(self, provider: Provider) -> Any:
        if provider.shared and self._shared is not None:
            return await self._shared.get_async(provider)
        return await self.open_async(provider)

    def open(self, provider: Provider) -> Any:
        """The value of a sync provider."""
        args, kwargs = self.inject(provider.plan, (), {})
        made = provider.function(*args, **kwargs)
        if provider.definition.kind is not Kind.GENERATOR:
            return made
        value = next(made, _MISSING)
        self._remember(provider, made, value)
        return value

    async def open_async(self, provider: Provider) -> Any:
        """The value of a provider of any kind."""
        args, kwargs = await self.inject_async(provider.plan, (), {})
        made = provider.function(*args, **kwargs)
        match provider.definition.kind:
            case Kind.SYNC:
                return made
            case Kind.ASYNC:
                return await made
            case Kind.GENERATOR:
                value = next(made, _MISSING)
            case Kind.ASYNC_GENERATOR:
                value = await _first(made)
        self._remember(provider, made, value)
        return value

    def _remember(self, provider: Provider, generator: Any, value: object) -> None:
        name = provider.definition.name
        if value is _MISSING:
            raise InjectionError(name, "yield", "the provider ended without yielding a value. Let it yield once.")
        self._generators.append((name, generator))

    @property
    def awaits(self) -> bool:
        """Whether closing needs an event loop."""
        return any(isinstance(generator, AsyncGenerator) for _, generator in self._generators)

    def close(self, error: BaseException | None) -> BaseException | None:
        """Close all, and tell with which error the call ends."""
        while self._generators:
            name, generator = self._generators.pop()
            if isinstance(generator, Generator):
                error = self._outcome(name, error, _close(name, generator, error))
        return error

    async def close_async(self, error: BaseException | None) -> BaseException | None:
        """Close all, and tell with which error the call ends."""
        while self._generators:
            name, generator = self._generators.pop()
            if isinstance(generator, Generator):
                raised = _close(name, generator, error)
            else:
                raised = await _close_async(name, generator, error)
            error = self._outcome(name, error, raised)
        return error

    def _outcome(self, name: str, error: BaseException | None, raised: BaseException | None) -> BaseException | None:
        if error is None:
            return raised
        if raised is not None and raised is not error:
            self._site.report(f"provider {name!r} failed while it was closed", raised)
        return error


def _close(name: str, generator: Generator[Any, Any, Any], error: BaseException | None) -> BaseException | None:
    try:
        if error is None:
            next(generator)
        else:
            generator.throw(error)
    except StopIteration:
        return None
    except BaseException as raised:
        return raised
    generator.close()
    return InjectionError(
        name, "yield", "the provider yielded more than once. Let it yield the value once, and clean up after that."
    )


async def _close_async(
    name: str, generator: AsyncGenerator[Any, Any], error: BaseException | None
) -> BaseException | None:
    try:
        if error is None:
            await anext(generator)
        else:
            await generator.athrow(error)
    except StopAsyncIteration:
        return None
    except BaseException as raised:
        return raised
    await generator.aclose()
    return InjectionError(
        name, "yield", "the provider yielded more than once. Let it yield the value once, and clean up after that."
    )


async def _first(generator: AsyncGenerator[Any, Any]) -> Any:
    """The first value; the generator may outlive this event loop, which therefore does not get to know it."""
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        step = generator.__anext__()
    finally:
        sys.set_asyncgen_hooks(*hooks)
    try:
        return await step
    except StopAsyncIteration:
        return _MISSING


class SharedProviders:
    """The values of a run's `scope="flow"` providers: each is made once, however many calls ask at the same time."""

    __slots__ = ("_latch", "_lock", "_values", "providers")

    def __init__(self, resolver: Resolver) -> None:
        self.providers = ProviderStack(resolver, self)
        """What they have providers, to be closed at the end of the run."""
        self._values: dict[Callable[..., Any], Any] = {}
        self._latch: dict[Callable[..., Any], Latch] = {}
        self._lock = threading.RLock()

    def get(self, provider: Provider) -> Any:
        """The value of a sync provider."""
        with self._lock:
            if provider.function not in self._values:
                self._values[provider.function] = self.providers.open(provider)
            return self._values[provider.function]

    async def get_async(self, provider: Provider) -> Any:
        """The value of a provider of any kind; those who ask for an async one may be in different event loops."""
        if not provider.definition.kind.awaits:
            return self.get(provider)
        while provider.function not in self._values:
            with self._lock:
                mine = provider.function not in self._latch
                latch = self._latch.setdefault(provider.function, Latch())
            if mine:
                await self._open(provider, latch)
            else:
                await latch.wait()
        return self._values[provider.function]

    async def _open(self, provider: Provider, latch: Latch) -> None:
        """Open it, or, if that fails, let the next one try."""
        try:
            if provider.function not in self._values:
                self._values[provider.function] = await self.providers.open_async(provider)
        finally:
            del self._latch[provider.function]
            latch.set()
