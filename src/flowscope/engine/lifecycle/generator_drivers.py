"""Generators inside a flow, step by step.

Each step runs in the generator's own scope, and between the steps the consumer has its own scope: so a context never
leaks through a `yield`.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from ..injection.provider_stack import value_unless
from ..scope.context import Scope, enter, leave

__all__ = ["GeneratorLifecycle", "drive_async_generator", "drive_generator"]

T = TypeVar("T")


class GeneratorLifecycle:
    """One generator from its first step to its exhaustion or close: its scope, and the context manager around its steps."""

    __slots__ = ("scope",)

    scope: Scope | None
    """The scope of its steps."""

    def start(self) -> Generator[Any, Any, Any]:
        """Make the generator."""
        raise NotImplementedError

    async def start_async(self) -> AsyncGenerator[Any, Any]:
        """Make the async generator."""
        raise NotImplementedError

    def close(self, error: BaseException | None) -> BaseException | None:
        """Close the providers of the generator; return the error with which it ends."""
        return error

    async def close_async(self, error: BaseException | None) -> BaseException | None:
        """Close the providers of the async generator; return the error with which it ends."""
        return error

    def yielded(self) -> None:
        """Count an item that goes to the consumer."""

    def complete(self, value: object) -> None:
        """Record that the generator has returned, or that its consumer has closed it."""

    def try_tolerate(self, error: BaseException) -> bool:  # noqa: ARG002 - for subclasses
        """Record an error; return True if the generator ends without raising it."""
        return False

    def surroundings(self) -> AbstractContextManager[object] | None:
        """The context manager around each step; None for none."""
        return None

    def inside(self, step: Callable[..., T], *values: Any) -> T:
        """Make a step in its scope."""
        token = enter(self.scope)
        try:
            context_manager = self.surroundings()
            if context_manager is None:
                return step(*values)
            with context_manager:
                return step(*values)
        finally:
            leave(token, self.scope)

    async def inside_async(self, step: Callable[..., Awaitable[T]], *values: Any) -> T:
        """Make an async step in its scope."""
        token = enter(self.scope)
        try:
            context_manager = self.surroundings()
            if context_manager is None:
                return await step(*values)
            with context_manager:
                return await step(*values)
        finally:
            leave(token, self.scope)


def drive_generator(
    begin: Callable[[tuple[Any, ...], dict[str, Any]], GeneratorLifecycle],
) -> Callable[..., Generator[Any, Any, Any]]:
    """A generator function whose generators have such lifecycles; `begin` is called at the first step."""

    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        lifecycle = begin(args, kwargs)
        result = None
        try:
            try:
                generator = lifecycle.inside(lifecycle.start)
                step, value = generator.send, None
                while True:
                    item = lifecycle.inside(step, value)
                    lifecycle.yielded()
                    try:
                        value = yield item
                        step = generator.send
                    except GeneratorExit:
                        lifecycle.inside(generator.close)
                        break
                    except BaseException as thrown:
                        step, value = generator.throw, thrown
            except StopIteration as stop:
                result = stop.value
            except BaseException as error:
                lifecycle.inside(lifecycle.close, error)
                raise
            result = value_unless(lifecycle.inside(lifecycle.close, None), result)
        except BaseException as error:
            if not lifecycle.try_tolerate(error):
                raise
            return None
        lifecycle.complete(result)
        return result

    return call


def drive_async_generator(
    begin: Callable[[tuple[Any, ...], dict[str, Any]], GeneratorLifecycle],
) -> Callable[..., AsyncGenerator[Any, Any]]:
    """An async generator function whose generators have such lifecycles; `begin` is called at the first step."""

    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        lifecycle = begin(args, kwargs)
        try:
            try:
                generator = await lifecycle.inside_async(lifecycle.start_async)
                step, value = generator.asend, None
                while True:
                    item = await lifecycle.inside_async(step, value)
                    lifecycle.yielded()
                    try:
                        value = yield item
                        step = generator.asend
                    except GeneratorExit:
                        await lifecycle.inside_async(generator.aclose)
                        break
                    except BaseException as thrown:
                        step, value = generator.athrow, thrown
            except StopAsyncIteration:
                pass
            except BaseException as error:
                await lifecycle.inside_async(lifecycle.close_async, error)
                raise
            value_unless(await lifecycle.inside_async(lifecycle.close_async, None), None)
        except BaseException as error:
            if not lifecycle.try_tolerate(error):
                raise
            return
        lifecycle.complete(None)

    return call
