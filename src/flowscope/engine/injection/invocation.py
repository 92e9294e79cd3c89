"""One call of a function with everything injected, and everything closed again."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ..definitions.injection_plan import Plan
from .provider_stack import ProviderStack

__all__ = ["invoke", "invoke_async", "value_unless"]

T = TypeVar("T")


def invoke(
    function: Callable[..., Any], plan: Plan, providers: ProviderStack, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Call a sync function."""
    try:
        args, kwargs = providers.inject(plan, args, kwargs)
        value = function(*args, **kwargs)
    except BaseException as error:
        providers.close(error)
        raise
    return value_unless(providers.close(None), value)


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


def value_unless(error: BaseException | None, value: T) -> T:
    """The value, unless closing failed."""
    if error is not None:
        raise error
    return value
