"""`@flow` and `@task`."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import WRAPPER_ASSIGNMENTS, update_wrapper
from types import MethodType
from typing import Any, Final, Literal, NamedTuple, ParamSpec, Protocol, TypedDict, TypeVar, overload
from weakref import WeakKeyDictionary

from typing_extensions import Unpack

from ..errors import DefinitionError
from ..model.config import FlowConfig
from ..serialization.json.json_leaves import safe_repr
from ..serialization.transport.function_copies import arguments_of_copy, remember_copy
from .definitions.callables import define, unwrap_partial
from .definitions.options import check_names, check_types, tags_of
from .definitions.task_definition import TaskDefinition, remember_definition
from .executor_hook import ExecutorChoice
from .flow_base import stored_state, unchecked_copy
from .lifecycle.flow_definition import FlowDefinition
from .lifecycle.task_drivers import caller_of
from .live import LIVE_TYPES, Flow

__all__ = ["flow", "task", "with_options"]

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
    run_name: str | Callable[..., str] | None = None,
    description: str | None = None,
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
    run_name: str | Callable[..., str] | None = None,
    description: str | None = None,
    **unknown: object,
) -> Any:
    """Make a flow of a function: calling it gives a `Flow` that is set up and not yet executed.

    Args:
        target: A sync or async function, method, partial or callable object.
        flow_name: The name in records; None takes the function's.
        flow_id: The id of the first execution of each flow made; None makes a new one for each.
        flow_config: What its flows capture, keep and print; None takes the default of the process when a flow is made.
        validate: Whether arguments are checked and coerced by Pydantic.
        tags: Words to find its runs by; a text is one tag.
        run_name: The name of each run in records: a template over the parameters, such as "ingest {day}", or a function that
            gets the parameters as keywords. Masked parameters are masked in it.
        description: What it does, in records; None takes the first line of the docstring.
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
        "run_name": run_name,
        "description": description,
    }

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        definition = define(function, "flow")
        check_names("flow", definition.name, unknown, options)
        check_types(f"flow {definition.name!r}", options)
        planned = FlowDefinition(definition, LIVE_TYPES, validate=validate, run_name=run_name, description=description)
        fields: dict[str, Any] = {
            "flow_name": flow_name or planned.name,
            "tags": tags_of(tags),
            **({} if flow_config is None else {"flow_config": flow_config}),
            **({} if flow_id is None else {"flow_id": flow_id}),
            **({} if flow_config is None else {"flow_config": flow_config}),
        }

        checked: Flow[Any] = Flow(**fields)  # raises for invalid fields here, so that no call has to check them

        def make_flow(*args: Any, **kwargs: Any) -> Flow[Any]:
            made = unchecked_copy(checked).setup_planned(planned, args, kwargs)
            stored_state(made).expected = True
            return made

        return _remembered(_looks_like(function, make_flow, planned.name), flow, function, options)

    return decorate if target is None else decorate(target)


class TaskOptions(TypedDict, total=False):
    """The options of `@task`, beside `raise_on_error`."""

    task_name: str | None
    retries: int
    retry_delay: float | Sequence[float] | Callable[[int], float]
    retry_backoff: float
    retry_jitter: float
    retry_on: type[Exception] | tuple[type[Exception], ...] | Callable[[Any], bool]
    run_name: str | Callable[..., str] | None
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
    retry_delay: float | Sequence[float] | Callable[[int], float] = 0.0,
    retry_backoff: float = 1.0,
    retry_jitter: float = 0.0,
    retry_on: type[Exception] | tuple[type[Exception], ...] | Callable[[Any], bool] = (Exception,),
    run_name: str | Callable[..., str] | None = None,
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
        retry_delay: Seconds before the first extra attempt; or a sequence of the seconds before each, the last of which is
            that of all further ones; or a function of the number of the extra attempt, from 1.
        retry_backoff: The factor by which a `retry_delay` that is one number grows from one extra attempt to the next.
        retry_jitter: How much of itself, at random, is added to each delay: 0.1 adds up to a tenth.
        retry_on: Which exceptions are retried: classes, or a function of the exception. If a function given here or as
            `retry_delay` raises, a warning is logged, and the call is not retried, or at once.
        run_name: The name of each call in records: a template over the parameters, such as "load {day}", or a function that
            gets the parameters as keywords. Masked parameters are masked in it.
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
    options: dict[str, Any] = {
        "task_name": task_name,
        "raise_on_error": raise_on_error,
        "retries": retries,
        "retry_delay": retry_delay,
        "retry_backoff": retry_backoff,
        "retry_jitter": retry_jitter,
        "retry_on": retry_on,
        "run_name": run_name,
        "timeout": timeout,
        "executor": executor,
        "validate": validate,
        "tags": tags,
    }

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        described = define(function, "task")
        check_names("task", described.name, unknown, TaskOptions.__annotations__.keys() | {"raise_on_error"})
        definition = TaskDefinition(described, LIVE_TYPES, **options)
        wrapper = _looks_like(function, caller_of(definition), definition.name)
        return _remembered(remember_definition(wrapper, definition), task, function, options)

    return decorate if target is None else decorate(target)


class _Decorated(NamedTuple):
    """How a flow or task function was made."""

    decorator: Callable[..., Any]
    target: Callable[..., Any]
    options: Mapping[str, Any]


_decorated: Final[WeakKeyDictionary[Callable[..., Any], _Decorated]] = WeakKeyDictionary()


def _remembered(
    wrapper: Callable[..., Any], decorator: Callable[..., Any], target: Callable[..., Any], options: Mapping[str, Any]
) -> Callable[..., Any]:
    _decorated[wrapper] = _Decorated(decorator, target, options)
    return wrapper


class FlowOptions(TypedDict, total=False):
    """The options of `@flow`."""

    flow_name: str | None
    flow_id: str | None
    flow_config: FlowConfig | None
    validate: bool
    tags: str | tuple[str, ...]
    run_name: str | Callable[..., str] | None
    description: str | None


FlowFunction = TypeVar("FlowFunction", bound=Callable[..., Flow[Any]])


@overload
def with_options(function: FlowFunction, /, **options: Unpack[FlowOptions]) -> FlowFunction: ...
@overload
def with_options(
    function: Callable[P, G], /, *, raise_on_error: Literal[False], **options: Unpack[TaskOptions]
) -> Callable[P, G]: ...
@overload
def with_options(
    function: Callable[P, Coroutine[Any, Any, R]],
    /,
    *,
    raise_on_error: Literal[False],
    **options: Unpack[TaskOptions],
) -> Callable[P, Coroutine[Any, Any, R | None]]: ...
@overload
def with_options(
    function: Callable[P, R], /, *, raise_on_error: Literal[False], **options: Unpack[TaskOptions]
) -> Callable[P, R | None]: ...
@overload
def with_options(function: F, /, *, raise_on_error: bool = True, **options: Unpack[TaskOptions]) -> F: ...
def with_options(function: Any, /, **options: Any) -> Any:
    """A copy of a flow or task function with other options; the function itself stays as it is.

    The copy has the same type, name, docs and signature. It may be called, submitted, mapped, and sent to worker processes.

    Args:
        function: A function that `@flow` or `@task` has made, also bound to an object.
        **options: The options that differ: those of `@flow` for a flow function, those of `@task` for a task function.

    Raises:
        DefinitionError: `function` is no flow or task function, or an option does not fit it.
    """
    if isinstance(function, MethodType):
        return MethodType(with_options(function.__func__, **options), function.__self__)
    known = _decorated.get(function) if inspect.isfunction(function) else None
    if known is None:
        raise DefinitionError(safe_repr(function), "with_options() takes a function that @flow or @task has made.")
    copied = known.decorator(known.target, **{**known.options, **options})
    original, earlier = arguments_of_copy(function) or (function, {})
    remember_copy(copied, _copy, original, {**earlier, **options})
    return copied


def _copy(original: Callable[..., Any], options: Mapping[str, Any]) -> Any:
    """Make a copy again, in another process."""
    return with_options(original, **options)


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
