"""Calling tasks: one short driver for each kind of function around the decisions of `task_life`."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from functools import partial
from typing import Any, TypeVar

from .._clock import sleep, tick
from ..errors import TaskTimeoutError
from ..model.status import RunStatus
from .call import Call
from .context import current, enter, leave
from .definition import Kind
from .invocation import invoke, invoke_async, value_unless
from .loops import ThreadTimeout, deadline_in, run_in_thread
from .loops import sleep as sleep_async
from .providers import Opened
from .run import Run, opened_at
from .spec import TaskSpec
from .task_life import RAISE, TOLERATE, begin, complete, failed

__all__ = ["caller_of"]

T = TypeVar("T")

reset = current.reset


def caller_of(spec: TaskSpec) -> Callable[..., Any]:
    """The function that stands for a task: of the same kind as the task's own."""
    makers: dict[Kind, Callable[[TaskSpec], Callable[..., Any]]] = {
        Kind.SYNC: _sync_caller,
        Kind.ASYNC: _async_caller,
        Kind.GENERATOR: _generator_caller,
        Kind.ASYNC_GENERATOR: _async_generator_caller,
    }
    return makers[spec.kind](spec)


def _sync_caller(spec: TaskSpec) -> Callable[..., Any]:
    target, plain = spec.target, spec.plain

    def call_task(*args: Any, **kwargs: Any) -> Any:
        call = begin(spec, args, kwargs)
        pause = 0.0
        while True:
            token = enter(call)
            try:
                if pause:
                    sleep(pause)
                if plain and not call.handle.provided:
                    value = target(*args, **kwargs)
                else:
                    value = _attempt(call, args, kwargs)
            except BaseException as error:
                verdict = failed(call, error)
                if verdict is RAISE:
                    raise
                if verdict is TOLERATE:
                    return None
                pause = verdict
            else:
                complete(call, value)
                return value
            finally:
                reset(token)

    return call_task


def _async_caller(spec: TaskSpec) -> Callable[..., Coroutine[Any, Any, Any]]:
    target, plain = spec.target, spec.plain

    async def call_task(*args: Any, **kwargs: Any) -> Any:
        call = begin(spec, args, kwargs)
        pause = 0.0
        while True:
            token = enter(call)
            try:
                if pause:
                    await sleep_async(pause)
                if plain and not call.handle.provided:
                    value = await target(*args, **kwargs)
                else:
                    value = await _attempt_async(call, args, kwargs)
            except BaseException as error:
                verdict = failed(call, error)
                if verdict is RAISE:
                    raise
                if verdict is TOLERATE:
                    return None
                pause = verdict
            else:
                complete(call, value)
                return value
            finally:
                leave(token, call)

    return call_task


def _attempt(call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """One attempt of a sync function, with all that its definition asks for."""
    spec: TaskSpec = call.spec
    args, kwargs = spec.checked(args, kwargs)
    function = spec.target if spec.timeout is None else partial(_in_time, call, spec.timeout)
    return invoke(function, spec.plan, _opened(call), args, kwargs)


async def _attempt_async(call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """One attempt of an async function, with all that its definition asks for."""
    spec: TaskSpec = call.spec
    args, kwargs = spec.checked(args, kwargs)
    function = spec.target if spec.timeout is None else partial(_in_time_async, call, spec.timeout)
    return await invoke_async(function, spec.plan, _opened(call), args, kwargs)


def _opened(call: Call) -> Opened:
    return opened_at(call.handle, call, call.spec.plan)


def _in_time(call: Call, timeout: float, *args: Any, **kwargs: Any) -> Any:
    """Call in a thread, which is left behind at the deadline."""
    function = partial(call.spec.target, *args, **kwargs)
    call.deadline = tick() + int(timeout * 1e9)
    try:
        return run_in_thread(function, timeout, name=f"flowscope-{call.spec.name}-{call.order}")
    except ThreadTimeout as late:
        run: Run | None = call.handle.run
        if run is not None:
            run.abandoned_threads[call.order] = late.thread
        call.status = RunStatus.TIMED_OUT
        raise TaskTimeoutError(call.spec.name, timeout) from None


async def _in_time_async(call: Call, timeout: float, *args: Any, **kwargs: Any) -> Any:  # noqa: ASYNC109 - it is the task's
    """Await, and cancel at the deadline."""
    call.deadline = tick() + int(timeout * 1e9)
    limit = deadline_in(timeout)
    try:
        async with limit:
            return await call.spec.target(*args, **kwargs)
    except TimeoutError as error:
        if not limit.expired():
            raise
        call.status = RunStatus.TIMED_OUT
        raise TaskTimeoutError(call.spec.name, timeout) from error


def _generator_caller(spec: TaskSpec) -> Callable[..., Generator[Any, Any, Any]]:
    """Each step runs inside the call; between them the consumer is where it was."""

    def call_task(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        call = begin(spec, args, kwargs)
        opened = _opened(call)
        result = None
        try:
            try:
                generator = _inside(call, _start, call, opened, args, kwargs)
                step, value = generator.send, None
                while True:
                    item = _inside(call, step, value)
                    try:
                        value = yield item
                        step = generator.send
                    except GeneratorExit:
                        _inside(call, generator.close)
                        break
                    except BaseException as thrown:
                        step, value = generator.throw, thrown
            except StopIteration as stop:
                result = stop.value
            except BaseException as error:
                _inside(call, opened.close, error)
                raise
            value_unless(_inside(call, opened.close, None), result)
        except BaseException as error:
            if failed(call, error) is RAISE:
                raise
            return None
        complete(call, result)
        return result

    return call_task


def _async_generator_caller(spec: TaskSpec) -> Callable[..., AsyncGenerator[Any, Any]]:
    """Each step runs inside the call; between them the consumer is where it was."""

    async def call_task(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        call = begin(spec, args, kwargs)
        opened = _opened(call)
        try:
            try:
                generator = await _inside_async(call, _start_async, call, opened, args, kwargs)
                step, value = generator.asend, None
                while True:
                    item = await _inside_async(call, step, value)
                    try:
                        value = yield item
                        step = generator.asend
                    except GeneratorExit:
                        await _inside_async(call, generator.aclose)
                        break
                    except BaseException as thrown:
                        step, value = generator.athrow, thrown
            except StopAsyncIteration:
                pass
            except BaseException as error:
                await _inside_async(call, opened.close_async, error)
                raise
            value_unless(await _inside_async(call, opened.close_async, None), None)
        except BaseException as error:
            if failed(call, error) is RAISE:
                raise
            return
        complete(call, None)

    return call_task


def _inside(call: Call, step: Callable[..., T], *values: Any) -> T:
    token = enter(call)
    try:
        return step(*values)
    finally:
        reset(token)


async def _inside_async(call: Call, step: Callable[..., Awaitable[T]], *values: Any) -> T:
    token = enter(call)
    try:
        return await step(*values)
    finally:
        leave(token, call)


def _start(call: Call, opened: Opened, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Generator[Any, Any, Any]:
    spec: TaskSpec = call.spec
    args, kwargs = opened.inject(spec.plan, *spec.checked(args, kwargs))
    generator: Generator[Any, Any, Any] = spec.target(*args, **kwargs)
    return generator


async def _start_async(
    call: Call, opened: Opened, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> AsyncGenerator[Any, Any]:
    spec: TaskSpec = call.spec
    args, kwargs = await opened.inject_async(spec.plan, *spec.checked(args, kwargs))
    generator: AsyncGenerator[Any, Any] = spec.target(*args, **kwargs)
    return generator
