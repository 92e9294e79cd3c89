"""Opens and closes the values of `Inject` providers for one attempt of a call, or for one provider of a whole run."""

import sys
from collections.abc import AsyncGenerator, Generator
from typing import Any, Final, Protocol, TypeVar

from ...errors import InjectionError
from ..definitions.callables import Kind
from ..definitions.injection_plan import Plan, Provider, Resolver

__all__ = ["ProviderStack", "Shared", "value_unless"]

T = TypeVar("T")

_MISSING: Final = object()


def value_unless(error: BaseException | None, value: T) -> T:
    """The value; raises the error of the closing."""
    if error is not None:
        raise error
    return value


class Shared(Protocol):
    """The values of a run's `scope="flow"` providers."""

    def get(self, provider: Provider) -> Any:
        """The value of a sync provider."""
        ...

    async def get_async(self, provider: Provider) -> Any:
        """The value of a provider of any kind."""
        ...


class ProviderStack:
    """The open providers of one call, closed in reverse order.

    Closing never hides the error of the call: an error of a provider that closes after a failure is reported.
    """

    __slots__ = ("_generators", "_resolver", "_shared")

    def __init__(self, resolver: Resolver, shared: Shared | None = None) -> None:
        self._resolver = resolver
        self._shared = shared
        self._generators: list[tuple[str, Generator[Any, Any, Any] | AsyncGenerator[Any, Any]]] = []

    def inject(
        self, plan: Plan, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of a sync function, complete."""
        values = plan.values(self._resolver, args, kwargs)
        for parameter, provider in plan.providers:
            if parameter not in values and plan.absent(parameter, args, kwargs):
                values[parameter] = self._value(provider)
        return plan.merged(args, kwargs, values)

    async def inject_async(
        self, plan: Plan, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of an async function, complete."""
        values = plan.values(self._resolver, args, kwargs)
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
        returned = provider.function(*args, **kwargs)
        if provider.definition.kind is not Kind.GENERATOR:
            return returned
        value = next(returned, _MISSING)
        self._remember(provider, returned, value)
        return value

    async def open_async(self, provider: Provider) -> Any:
        """The value of a provider of any kind."""
        args, kwargs = await self.inject_async(provider.plan, (), {})
        returned = provider.function(*args, **kwargs)
        match provider.definition.kind:
            case Kind.SYNC:
                return returned
            case Kind.ASYNC:
                return await returned
            case Kind.GENERATOR:
                value = next(returned, _MISSING)
            case Kind.ASYNC_GENERATOR:
                value = await _first(returned)
        self._remember(provider, returned, value)
        return value

    def _remember(self, provider: Provider, generator: Any, value: object) -> None:
        name = provider.definition.name
        if value is _MISSING:
            raise InjectionError(name, "yield", "the provider ended without yielding a value. Let it yield once.")
        self._generators.append((name, generator))

    def close(self, error: BaseException | None) -> BaseException | None:
        """Close all; return the error with which the call ends."""
        while self._generators:
            name, generator = self._generators.pop()
            if isinstance(generator, Generator):
                error = self.outcome(name, error, _close(name, generator, error))
        return error

    async def close_async(self, error: BaseException | None) -> BaseException | None:
        """Close all; return the error with which the call ends."""
        while self._generators:
            name, generator = self._generators.pop()
            if isinstance(generator, Generator):
                raised = _close(name, generator, error)
            else:
                raised = await _close_async(name, generator, error)
            error = self.outcome(name, error, raised)
        return error

    async def abort_async(self, thrown: BaseException) -> BaseException | None:
        """Close all because of an exception that is not the call's; return another error of the closing."""
        error: BaseException | None = None
        while self._generators:
            name, generator = self._generators.pop()
            if isinstance(generator, Generator):
                raised = _close(name, generator, error or thrown)
            else:
                raised = await _close_async(name, generator, error or thrown)
            error = error if raised is thrown else self.outcome(name, error, raised)
        return error

    def outcome(self, name: str, error: BaseException | None, raised: BaseException | None) -> BaseException | None:
        """The error of the call, or else the error of a provider that closes."""
        if error is None:
            return raised
        if raised is not None and raised is not error:
            self._resolver.report(f"provider {name!r} failed while it was closed", raised)
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
    return _second_yield(name)


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
    return _second_yield(name)


def _second_yield(name: str) -> InjectionError:
    reason = "the provider yielded more than once. Let it yield the value once, and clean up after that."
    return InjectionError(name, "yield", reason)


async def _first(generator: AsyncGenerator[Any, Any]) -> Any:
    """The first value; the generator may outlive this event loop, whose hooks are therefore not set."""
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
