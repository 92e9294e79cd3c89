"""Calling tasks: one short driver for each kind of function around the decisions of `task_lifecycle`."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextlib import AbstractContextManager
from contextvars import Token
from functools import partial
from typing import Any

from ..._clock import seconds, tick, ticks_after
from ...concurrency.event_loops import ThreadTimeout, deadline_in, run_in_thread
from ...concurrency.event_loops import sleep as sleep_async
from ..definitions.callables import Kind
from ..definitions.deferred import ASYNC_GENERATOR, COROUTINE, GENERATOR, own_kind
from ..definitions.task_definition import TaskDefinition
from ..executor_hook import executor_hook
from ..injection.provider_stack import ProviderStack
from ..run.cancellation import interrupt, pause, wakers_of
from ..run.run import Run, provider_stack_at, surroundings
from ..scope.call import Call
from ..scope.context import Scope, current, enter, leave
from .generator_drivers import GeneratorLifecycle, drive_async_generator, drive_generator
from .guarded_attempts import guarded, guarded_async
from .invocation import invoke, invoke_async
from .task_lifecycle import RAISE, TOLERATE, AttemptDecision, begin, complete, current_call, failed, timed_out

__all__ = [
    "Attempt",
    "async_caller",
    "attempt_here",
    "attempt_here_async",
    "caller_of",
    "continue_call",
    "mapping_caller",
    "submitted_caller",
    "sync_caller",
]

Attempt = Callable[[Call, tuple[Any, ...], dict[str, Any]], Any]
"""Makes one attempt of a call, and returns its value."""
ContinueCall = Callable[[Kind, Call, Any, tuple[Any, ...], dict[str, Any]], Any]
"""Continues a call that has returned the rest of itself, and returns the value that its caller gets."""

reset: Callable[[Token[Scope | None]], None] = current.reset


def caller_of(definition: TaskDefinition) -> Callable[..., Any]:
    """The function that stands for a task: of the same kind as the task's own."""
    if definition.executor is not None:
        return executor_hook().caller_of(definition)
    makers: dict[Kind, Callable[[TaskDefinition], Callable[..., Any]]] = {
        Kind.SYNC: sync_caller,
        Kind.ASYNC: async_caller,
        Kind.GENERATOR: _generator_caller,
        Kind.ASYNC_GENERATOR: _async_generator_caller,
    }
    return makers[definition.kind](definition)


def continue_call(kind: Kind, call: Call, rest: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The coroutine or generator that continues a sync task that has returned one of its own.

    Raises:
        DefinitionError: The rest is a generator, and the task has options that a generator cannot have.
    """
    definition: TaskDefinition = call.definition
    call.definition = definition.of_kind(kind)
    continuation: Any
    if kind is Kind.ASYNC:

        def present_call(*_: object) -> Call:
            return call

        continuation = async_caller(definition, begin=present_call, attempt=_attempts_from(rest))(*args, **kwargs)
    elif kind is Kind.GENERATOR:
        continuation = drive_generator(lambda _args, _kwargs: _ReturnedGenerator(call, rest))()
    else:
        continuation = drive_async_generator(lambda _args, _kwargs: _ReturnedGenerator(call, rest))()
    continuation.__name__ = continuation.__qualname__ = definition.name
    return continuation


def sync_caller(
    definition: TaskDefinition,
    *,
    begin: Callable[[TaskDefinition, tuple[Any, ...], dict[str, Any]], Call] = begin,
    complete: Callable[[Call, object], None] = complete,
    failed: Callable[[Call, BaseException], AttemptDecision] = failed,
    sleep: Callable[[float], object] = pause,
    attempt: Attempt | None = None,
    continue_call: ContinueCall = continue_call,
) -> Callable[..., Any]:
    """Calls a sync task; a submitted call replaces some of the steps."""
    target, plain = definition.target, definition.plain and attempt is None and not definition.policies
    attempt = attempt or attempt_here
    if definition.policies:
        attempt = guarded(attempt)
    coroutine, generator, async_generator = COROUTINE, GENERATOR, ASYNC_GENERATOR  # found faster here

    def call_task(*args: Any, **kwargs: Any) -> Any:
        call = begin(definition, args, kwargs)
        pause = 0.0
        while True:
            token = enter(call)
            try:
                if pause:
                    sleep(pause)
                if plain and call.handle.is_bare:
                    value = target(*args, **kwargs)
                else:
                    value = attempt(call, args, kwargs)
                shape: Any = type(value)  # pyright: ignore[reportUnknownVariableType] # it may be anything
                if shape is coroutine or shape is generator or shape is async_generator:
                    kind = own_kind(value)
                    if kind is not Kind.SYNC:
                        return continue_call(kind, call, value, args, kwargs)
            except BaseException as error:
                decision = failed(call, error)
                if decision is RAISE:
                    raise
                if decision is TOLERATE:
                    return None
                pause = decision
            else:
                complete(call, value)
                return value
            finally:
                reset(token)

    return call_task


def mapping_caller(
    definition: TaskDefinition, call_task: Callable[..., Any], *, continue_call: ContinueCall = continue_call
) -> Callable[[Scope, dict[str, Any]], Any]:
    """Calls a task with keywords from a place, in a context that was made for this call alone: its scope is not left.

    The call keeps the mapping as its inputs, so nobody may change it.

    Args:
        definition: That of the task.
        call_task: Its caller, which serves those that need more than one plain attempt.
        continue_call: Continues a call that has returned the rest of itself.
    """
    retries = definition.retry.retries or definition.policies
    if definition.kind is not Kind.SYNC or definition.executor is not None or retries or not definition.plain:

        def call_from(parent: Scope, kwargs: dict[str, Any]) -> Any:
            enter(parent)
            return call_task(**kwargs)

        return call_from
    target = definition.target

    def call_plainly_from(parent: Scope, kwargs: dict[str, Any]) -> Any:
        call = begin(definition, (), kwargs, parent)
        enter(call)
        try:
            value = target(**kwargs) if call.handle.is_bare else attempt_here(call, (), kwargs)
            kind = Kind.SYNC if value is None else own_kind(value)
            if kind is not Kind.SYNC:
                return continue_call(kind, call, value, (), kwargs)
        except BaseException as error:
            if failed(call, error) is RAISE:
                raise
            return None
        complete(call, value)
        return value

    return call_plainly_from


def async_caller(
    definition: TaskDefinition,
    *,
    begin: Callable[[TaskDefinition, tuple[Any, ...], dict[str, Any]], Call] = begin,
    attempt: Attempt | None = None,
) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Awaits an async task; `begin` returns the existing call for a submitted call and for the rest of a call."""
    target, plain = definition.target, definition.plain and attempt is None and not definition.policies
    attempt = attempt or attempt_here_async
    if definition.policies:
        attempt = guarded_async(attempt)

    async def call_task(*args: Any, **kwargs: Any) -> Any:
        call = begin(definition, args, kwargs)
        pause = 0.0
        while True:
            token = enter(call)
            try:
                if pause:
                    await sleep_async(pause)
                if plain and call.handle.is_bare:
                    value = await target(*args, **kwargs)
                else:
                    value = await attempt(call, args, kwargs)
            except BaseException as error:
                decision = failed(call, error)
                if decision is RAISE:
                    raise
                if decision is TOLERATE:
                    return None
                pause = decision
            else:
                complete(call, value)
                return value
            finally:
                leave(token, call)

    return call_task


def submitted_caller(definition: TaskDefinition) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Awaits the submitted call of an async task that is in the context; made once for each task."""
    if definition.submitted_caller is None:
        definition.submitted_caller = async_caller(definition, begin=current_call)
    return definition.submitted_caller


def attempt_here(call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """One attempt of a sync function, with the validation, timeout and injection of its definition."""
    definition: TaskDefinition = call.definition
    args, kwargs = definition.checked(args, kwargs)
    function = definition.target if definition.timeout is None else partial(_in_time, call, definition.timeout)
    with surroundings(call.handle, call):
        return invoke(function, definition.plan, _provider_stack(call), args, kwargs)


async def attempt_here_async(call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """One attempt of an async function, with the validation, timeout and injection of its definition."""
    definition: TaskDefinition = call.definition
    args, kwargs = definition.checked(args, kwargs)
    function = definition.target if definition.timeout is None else partial(_in_time_async, call, definition.timeout)
    with surroundings(call.handle, call):
        return await invoke_async(function, definition.plan, _provider_stack(call), args, kwargs)


def _attempts_from(rest: Awaitable[Any]) -> Attempt:
    """Async attempts of a sync function, whose first call has returned the coroutine `rest`."""
    first = [rest]

    async def attempt(call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if first:
            with surroundings(call.handle, call):
                return await first.pop()
        value = attempt_here(call, args, kwargs)
        kind = own_kind(value)
        call.definition.check_kind(kind)
        if kind is not Kind.ASYNC:
            return value
        with surroundings(call.handle, call):
            return await value

    return attempt


def _provider_stack(call: Call) -> ProviderStack:
    return provider_stack_at(call.handle, call, call.definition.plan)


def _in_time(call: Call, timeout: float, /, *args: Any, **kwargs: Any) -> Any:
    """Call in a thread, which is abandoned at the deadline."""
    function = partial(_surrounded, call, *args, **kwargs)
    started = tick()
    call.deadline = ticks_after(timeout, started)
    run: Run | None = call.handle.run
    name = f"flowscope-{call.definition.name}-{call.order}"
    try:
        value = run_in_thread(function, timeout, name=name, wakers=wakers_of(run))
    except ThreadTimeout as late:
        if run is not None and run.calls.keeps_calls:
            run.abandoned_threads[call.order] = late.thread
        interrupt(call.handle.run)
        raise timed_out(call, timeout) from None
    if own_kind(value) is Kind.ASYNC:
        return _await_in_time(call, timeout, value, timeout - seconds(started, tick()))
    return value


def _surrounded(call: Call, /, *args: Any, **kwargs: Any) -> Any:
    """Call in another thread, inside the context managers of the sinks."""
    with surroundings(call.handle, call):
        return call.definition.target(*args, **kwargs)


async def _in_time_async(call: Call, timeout: float, /, *args: Any, **kwargs: Any) -> Any:  # noqa: ASYNC109 - it is the task's
    """Await, and cancel at the deadline."""
    return await _await_in_time(call, timeout, call.definition.target(*args, **kwargs), timeout)


async def _await_in_time(call: Call, timeout: float, rest: Awaitable[Any], remaining_seconds: float) -> Any:  # noqa: ASYNC109 - it is the task's
    """Await, and cancel after the remaining seconds."""
    call.deadline = ticks_after(remaining_seconds)
    limit = deadline_in(remaining_seconds)
    try:
        async with limit:
            return await rest
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise timed_out(call, timeout) from error


def _generator_caller(definition: TaskDefinition) -> Callable[..., Generator[Any, Any, Any]]:
    return drive_generator(lambda args, kwargs: _TaskGenerator(begin(definition, args, kwargs), args, kwargs))


def _async_generator_caller(definition: TaskDefinition) -> Callable[..., AsyncGenerator[Any, Any]]:
    return drive_async_generator(lambda args, kwargs: _TaskGenerator(begin(definition, args, kwargs), args, kwargs))


class _TaskLifecycle(GeneratorLifecycle):
    """The lifecycle of a generator of either kind that is a task."""

    __slots__ = ("_call",)

    def __init__(self, call: Call) -> None:
        self.scope = self._call = call
        run: Run | None = call.handle.run
        if run is not None:
            run.ensure_reports().yield_counts[call.order] = 0

    def yielded(self) -> None:
        run: Run | None = self._call.handle.run
        if run is not None and run.reports is not None:
            run.reports.yield_counts[self._call.order] += 1

    def surroundings(self) -> AbstractContextManager[object] | None:
        return None if self._call.handle.is_bare else surroundings(self._call.handle, self._call)

    def complete(self, value: object) -> None:
        complete(self._call, value)

    def try_tolerate(self, error: BaseException) -> bool:
        return failed(self._call, error) is not RAISE


class _ReturnedGenerator(_TaskLifecycle):
    """The lifecycle of a task that has returned its generator."""

    __slots__ = ("_rest",)

    def __init__(self, call: Call, rest: Any) -> None:
        super().__init__(call)
        self._rest = rest

    def start(self) -> Generator[Any, Any, Any]:
        generator: Generator[Any, Any, Any] = self._rest
        return generator

    async def start_async(self) -> AsyncGenerator[Any, Any]:
        generator: AsyncGenerator[Any, Any] = self._rest
        return generator


class _TaskGenerator(_TaskLifecycle):
    """The lifecycle of a task that is a generator function."""

    __slots__ = ("_args", "_kwargs", "_provider_stack")

    def __init__(self, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__(call)
        self._args = args
        self._kwargs = kwargs
        self._provider_stack = _provider_stack(call)

    def start(self) -> Generator[Any, Any, Any]:
        definition: TaskDefinition = self._call.definition
        args, kwargs = self._provider_stack.inject(definition.plan, *definition.checked(self._args, self._kwargs))
        generator: Generator[Any, Any, Any] = definition.target(*args, **kwargs)
        return generator

    async def start_async(self) -> AsyncGenerator[Any, Any]:
        definition: TaskDefinition = self._call.definition
        args, kwargs = await self._provider_stack.inject_async(
            definition.plan, *definition.checked(self._args, self._kwargs)
        )
        generator: AsyncGenerator[Any, Any] = definition.target(*args, **kwargs)
        return generator

    def close(self, error: BaseException | None) -> BaseException | None:
        return self._provider_stack.close(error)

    async def close_async(self, error: BaseException | None) -> BaseException | None:
        return await self._provider_stack.close_async(error)
