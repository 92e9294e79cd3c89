"""`@flow` and `@task`."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import suppress
from functools import WRAPPER_ASSIGNMENTS, update_wrapper
from typing import Any, Literal, ParamSpec, Protocol, TypedDict, TypeVar, overload

from typing_extensions import Unpack

from ..model.config import FlowConfig
from .definitions.callables import define, unwrap_partial
from .definitions.options import check_names, check_types, tags_of
from .definitions.task_definition import TaskDefinition, remember_definition
from .flow_base import unchecked_copy
from .lifecycle.executor_hook import ExecutorChoice
from .lifecycle.flow_definition import FlowDefinition
from .lifecycle.task_drivers import caller_of
from .live import LIVE_TYPES, Flow

__all__ = ["flow", "task"]

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])
G = TypeVar("G", bound=Iterator[Any] | AsyncIterator[Any])
"""A generator."""


class FlowDecorator(Protocol):
    """The decorator that `@flow(...)` returns."""

    @overload
    def __call__(self, target: Callable[P, Coroutine[Any, Any, R]], /) -> Callable[P, Flow[R]]: ...
    @overload
    def __call__(self, target: Callable[P, R], /) -> Callable[P, Flow[R]]: ...


class TaskDecorator(Protocol):
    """The decorator that `@task(...)` returns."""

    def __call__(self, target: F, /) -> F:
        """Make a task of a function."""
        ...


class TolerantTaskDecorator(Protocol):
    """The decorator that `@task(raise_on_error=False)` returns: the task may return None, unless it is a generator."""

    @overload
    def __call__(self, target: Callable[P, G], /) -> Callable[P, G]: ...
    @overload
    def __call__(
        self, target: Callable[P, Coroutine[Any, Any, R]], /
    ) -> Callable[P, Coroutine[Any, Any, R | None]]: ...
    @overload
    def __call__(self, target: Callable[P, R], /) -> Callable[P, R | None]: ...


@overload
def flow(target: Callable[P, Coroutine[Any, Any, R]], /) -> Callable[P, Flow[R]]: ...
@overload
def flow(target: Callable[P, R], /) -> Callable[P, Flow[R]]: ...
@overload
def flow(
    *,
    flow_name: str | None = None,
    flow_id: str | None = None,
    flow_config: FlowConfig | None = None,
    validate: bool = True,
    tags: str | tuple[str, ...] = (),
) -> FlowDecorator: ...
def flow(
    target: Callable[..., Any] | None = None,
    /,
    *,
    flow_name: str | None = None,
    flow_id: str | None = None,
    flow_config: FlowConfig | None = None,
    validate: bool = True,
    tags: str | tuple[str, ...] = (),
    **unknown: object,
) -> Any:
    """Make a flow of a function: calling it gives a `Flow` that is set up and not yet executed.

    Args:
        target: A sync or async function, method, partial or callable object.
        flow_name: The name in records; None takes the function's.
        flow_id: The id of the first execution of each flow made; None makes a new one for each.
        flow_config: What its flows capture, keep and print; None takes the defaults.
        validate: Whether arguments are checked and coerced by Pydantic.
        tags: Words to find its runs by; a text is one tag.
        **unknown: None: another option is refused.

    Raises:
        DefinitionError: `target` cannot be a flow, or an option has a name or a type that cannot work.
        InjectionError: Its wiring cannot work.
    """
    options: dict[str, object] = {
        "flow_name": flow_name,
        "flow_id": flow_id,
        "flow_config": flow_config,
        "validate": validate,
        "tags": tags,
    }

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        definition = define(function, "flow")
        check_names("flow", definition.name, unknown, options)
        check_types(f"flow {definition.name!r}", options)
        planned = FlowDefinition(definition, LIVE_TYPES, validate=validate)
        fields: dict[str, Any] = {
            "flow_name": flow_name or planned.name,
            "tags": tags_of(tags),
            **({} if flow_config is None else {"flow_config": flow_config}),
            **({} if flow_id is None else {"flow_id": flow_id}),
        }

        checked: Flow[Any] = Flow(**fields)  # raises for invalid fields here, so that no call has to check them

        def make_flow(*args: Any, **kwargs: Any) -> Flow[Any]:
            return unchecked_copy(checked).setup_planned(planned, args, kwargs)

        return _looks_like(function, make_flow, planned.name)

    return decorate if target is None else decorate(target)


class TaskOptions(TypedDict, total=False):
    """The options of `@task`, beside `raise_on_error`."""

    task_name: str | None
    retries: int
    retry_delay: float
    retry_backoff: float
    retry_jitter: float
    retry_on: type[Exception] | tuple[type[Exception], ...]
    timeout: float | None
    executor: ExecutorChoice | None
    validate: bool
    tags: str | tuple[str, ...]


@overload
def task(target: F, /) -> F: ...
@overload
def task(*, raise_on_error: Literal[True] = True, **options: Unpack[TaskOptions]) -> TaskDecorator: ...
@overload
def task(*, raise_on_error: Literal[False], **options: Unpack[TaskOptions]) -> TolerantTaskDecorator: ...
@overload
def task(*, raise_on_error: bool, **options: Unpack[TaskOptions]) -> TaskDecorator | TolerantTaskDecorator: ...
def task(
    target: Callable[..., Any] | None = None,
    /,
    *,
    task_name: str | None = None,
    raise_on_error: bool = True,
    retries: int = 0,
    retry_delay: float = 0.0,
    retry_backoff: float = 1.0,
    retry_jitter: float = 0.0,
    retry_on: type[Exception] | tuple[type[Exception], ...] = (Exception,),
    timeout: float | None = None,
    executor: ExecutorChoice | None = None,
    validate: bool = False,
    tags: str | tuple[str, ...] = (),
    **unknown: object,
) -> Any:
    """Make a task of a function: calling it inside a running flow runs it now, records it, and returns its value.

    The task is a function of the same kind and signature; `__wrapped__` is the undecorated one. A generator's task
    lasts from the first `next` to its exhaustion or close.

    Args:
        target: A sync or async function or generator, method, partial or callable object.
        task_name: The name in records; None takes the function's.
        raise_on_error: Whether an exception goes on to the caller, as the very object. False: it is logged, and the
            call returns None.
        retries: How many extra attempts follow failed ones.
        retry_delay: Seconds before the first extra attempt.
        retry_backoff: The factor by which the delay grows from one extra attempt to the next.
        retry_jitter: How much of itself, at random, is added to each delay: 0.1 adds up to a tenth.
        retry_on: Which exceptions are retried.
        timeout: Seconds that an attempt may take; None is no limit. An async task is cancelled at its deadline; a sync
            task runs in a thread of its own, which is left behind.
        executor: Where its calls run: "asyncio", "thread", "process" or an `Executor`. None runs direct calls where they
            are called, and submitted ones as `submit` says. A direct call that runs elsewhere waits for the end: a sync
            one blocks.
        validate: Whether arguments are checked and coerced by Pydantic.
        tags: Words to find its calls by; a text is one tag.
        **unknown: None: another option is refused.

    Raises:
        DefinitionError: `target` cannot be a task, or an option has a name, a type or a value that cannot work.
        InjectionError: Its wiring cannot work.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        described = define(function, "task")
        check_names("task", described.name, unknown, TaskOptions.__annotations__.keys() | {"raise_on_error"})
        definition = TaskDefinition(
            described,
            LIVE_TYPES,
            task_name=task_name,
            raise_on_error=raise_on_error,
            retries=retries,
            retry_delay=retry_delay,
            retry_backoff=retry_backoff,
            retry_jitter=retry_jitter,
            retry_on=retry_on,
            timeout=timeout,
            executor=executor,
            validate=validate,
            tags=tags,
        )
        return remember_definition(_looks_like(function, caller_of(definition), definition.name), definition)

    return decorate if target is None else decorate(target)


def _looks_like(function: Callable[..., Any], wrapper: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Give the wrapper the name, docs and signature of its function."""
    if inspect.isroutine(function):
        update_wrapper(wrapper, function)
    else:  # a partial or callable object: its attributes are its state
        assigned = tuple(
            attribute for attribute in WRAPPER_ASSIGNMENTS if attribute not in {"__name__", "__qualname__"}
        )
        update_wrapper(wrapper, function, assigned=assigned, updated=())
        wrapper.__name__ = wrapper.__qualname__ = name
        wrapper.__module__ = getattr(unwrap_partial(function), "__module__", wrapper.__module__)
    with suppress(ValueError):  # a builtin without a signature
        wrapper.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return wrapper
