"""One call of a function with everything injected, and everything closed again."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ..definitions.injection_plan import Plan
from .provider_stack import Opened

__all__ = ["invoke", "invoke_async", "value_unless"]

T = TypeVar("T")


def invoke(
    function: Callable[..., Any], plan: Plan, opened: Opened, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Call a sync function."""
    try:
        args, kwargs = opened.inject(plan, args, kwargs)
        value = function(*args, **kwargs)
    except BaseException as error:
        opened.close(error)
        raise
    return value_unless(opened.close(None), value)


async def invoke_async(
    function: Callable[..., Coroutine[Any, Any, Any]],
    plan: Plan,
    opened: Opened,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Call an async function."""
    try:
        args, kwargs = await opened.inject_async(plan, args, kwargs)
        value = await function(*args, **kwargs)
    except BaseException as error:
        await opened.close_async(error)
        raise
    return value_unless(await opened.close_async(None), value)


def value_unless(error: BaseException | None, value: T) -> T:
    """The value, unless closing failed."""
    if error is not None:
        raise error
    return value
