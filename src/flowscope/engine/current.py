"""Asking for the context from anywhere: what flow and task is this code running in?"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from functools import partial, update_wrapper
from typing import Any, ParamSpec, TypeVar

from ..errors import NoActiveTaskError
from .definitions.callables import Kind, kind_of
from .definitions.deferred import own_kind
from .lifecycle.generator_drivers import GeneratorLifecycle, drive_async_generator, drive_generator
from .live import Flow, Task, is_flow
from .scope.context import Scope, current, enter, leave, no_active_flow

__all__ = ["bind_context", "current_flow", "current_flow_or_none", "current_task", "current_task_or_none"]

P = ParamSpec("P")
R = TypeVar("R")


def current_flow() -> Flow[Any]:
    """The running flow.

    Raises:
        NoActiveFlowError: No flow is running here.
    """
    flow = current_flow_or_none()
    if flow is None:
        raise no_active_flow("current_flow()", current.get())
    return flow


def current_flow_or_none() -> Flow[Any] | None:
    """The running flow; None where none is running."""
    scope = current.get()
    flow = None if scope is None else scope.handle.running_flow()
    return flow if is_flow(flow) else None


def current_task() -> Task:
    """The running task.

    Raises:
        NoActiveTaskError: No task is running here.
    """
    task = current_task_or_none()
    if task is None:
        raise NoActiveTaskError
    return task


def current_task_or_none() -> Task | None:
    """The running task; None where none is running."""
    scope = current.get()
    return scope if isinstance(scope, Task) and scope.handle.run is not None else None


def bind_context(function: Callable[P, R]) -> Callable[P, R]:
    """The function bound to the present flow and task, for threads and callbacks that you start yourself.

    Only the scope in the flow is bound, no other context variables. After the flow has ended, the bound function runs
    outside all flows. An async function or generator stays one, also behind a plain wrapper.
    """
    scope = current.get()

    def bound(*args: Any, **kwargs: Any) -> Any:
        token = enter(scope)
        try:
            value: Any = function(*args, **kwargs)
        finally:
            leave(token, scope)
        kind = Kind.SYNC if value is None else own_kind(value)
        return value if kind is Kind.SYNC else _bound(scope, kind, lambda: value)()

    kind = kind_of(function)
    return update_wrapper(bound if kind is Kind.SYNC else _bound(scope, kind, function), function)


def _bound(scope: Scope | None, kind: Kind, function: Callable[..., Any]) -> Any:
    """A function of that kind, bound to a scope."""

    async def bound_async(*args: Any, **kwargs: Any) -> Any:
        token = enter(scope)
        try:
            return await function(*args, **kwargs)
        finally:
            leave(token, scope)

    def lifecycle(args: tuple[Any, ...], kwargs: dict[str, Any]) -> GeneratorLifecycle:
        return _BoundGenerator(scope, function, args, kwargs)

    if kind is Kind.ASYNC:
        return bound_async
    return drive_generator(lifecycle) if kind is Kind.GENERATOR else drive_async_generator(lifecycle)


class _BoundGenerator(GeneratorLifecycle):
    """The lifecycle of a generator of a bound function."""

    __slots__ = ("_make",)

    def __init__(
        self, scope: Scope | None, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.scope = scope
        self._make = partial(function, *args, **kwargs)

    def start(self) -> Generator[Any, Any, Any]:
        generator: Generator[Any, Any, Any] = self._make()
        return generator

    async def start_async(self) -> AsyncGenerator[Any, Any]:
        generator: AsyncGenerator[Any, Any] = self._make()
        return generator
