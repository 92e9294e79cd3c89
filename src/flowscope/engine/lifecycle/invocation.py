"""One call of a function: injected, called, and its providers closed."""

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any

from ..definitions.callables import Kind
from ..definitions.deferred import own_kind
from ..definitions.injection_plan import Plan
from ..injection.provider_stack import ProviderStack, value_unless
from ..scope.context import current
from .generator_drivers import GeneratorLifecycle, drive_async_generator, drive_generator

__all__ = ["invoke", "invoke_async", "value_unless"]


def invoke(
    function: Callable[..., Any], plan: Plan, providers: ProviderStack, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Call a sync function; if it returns a coroutine or generator of its own, the providers stay open until that ends."""
    try:
        args, kwargs = providers.inject(plan, args, kwargs)
        value = function(*args, **kwargs)
    except BaseException as error:
        providers.close(error)
        raise
    kind = Kind.SYNC if value is None else own_kind(value)
    match kind:
        case Kind.SYNC:
            return value_unless(providers.close(None), value)
        case Kind.ASYNC:
            return _await_open(value, providers)
        case Kind.GENERATOR:
            return drive_generator(lambda _args, _kwargs: _InjectedGenerator(value, providers))()
        case Kind.ASYNC_GENERATOR:
            return drive_async_generator(lambda _args, _kwargs: _InjectedGenerator(value, providers))()


async def invoke_async(
    function: Callable[..., Coroutine[Any, Any, Any]],
    plan: Plan,
    providers: ProviderStack,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Call an async function."""
    try:
        args, kwargs = await providers.inject_async(plan, args, kwargs)
        value = await function(*args, **kwargs)
    except BaseException as error:
        await providers.close_async(error)
        raise
    return value_unless(await providers.close_async(None), value)


async def _await_open(coroutine: Any, providers: ProviderStack) -> Any:
    """Await the rest of a call, and close its providers."""
    try:
        value = await coroutine
    except BaseException as error:
        await providers.close_async(error)
        raise
    return value_unless(await providers.close_async(None), value)


class _InjectedGenerator(GeneratorLifecycle):
    """The lifecycle of a generator that is the rest of a call; its end closes the providers of the call."""

    __slots__ = ("_generator", "_provider_stack")

    def __init__(self, generator: Any, providers: ProviderStack) -> None:
        self.scope = current.get()
        self._generator = generator
        self._provider_stack = providers

    def start(self) -> Generator[Any, Any, Any]:
        generator: Generator[Any, Any, Any] = self._generator
        return generator

    async def start_async(self) -> AsyncGenerator[Any, Any]:
        generator: AsyncGenerator[Any, Any] = self._generator
        return generator

    def close(self, error: BaseException | None) -> BaseException | None:
        return self._provider_stack.close(error)

    async def close_async(self, error: BaseException | None) -> BaseException | None:
        return await self._provider_stack.close_async(error)
