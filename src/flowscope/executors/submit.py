"""Submitting tasks, and calling those that have an executor of their own."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from types import MethodType
from typing import Any, ParamSpec, TypeVar, overload

from ..engine.definitions.callables import Kind
from ..engine.definitions.task_definition import TaskSpec, spec_of
from ..engine.lifecycle.executor_hook import install_elsewhere
from ..engine.lifecycle.task_drivers import async_caller, sync_caller
from ..errors import DefinitionError
from ..serialization.json_values import safe_repr
from .backends.asyncio_executor import AsyncioExecutor
from .remote.worker_flag import in_worker
from .selection import check_executor, executor_for
from .submission.executor import Executor
from .submission.future import TaskFuture
from .submission.submission import Job

__all__ = ["start_job", "submit", "task_of"]

P = ParamSpec("P")
T = TypeVar("T")


@overload
def submit(task_fn: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs) -> TaskFuture[T]: ...
@overload
def submit(task_fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> TaskFuture[T]: ...
def submit(task_fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> TaskFuture[Any]:
    """Let a task run elsewhere, and return at once with its future.

    The task belongs to the running flow, which does not end before it: a flow that fails or is cancelled cancels it,
    and a failure that nobody has asked for by the flow's end fails the flow.

    Args:
        task_fn: A function or bound method decorated with `@task`, sync or async.
        *args: Its positional arguments.
        **kwargs: Its keyword arguments.

    Raises:
        NoActiveFlowError: No flow is running here.
        DefinitionError: `task_fn` is no task, or a generator.
    """
    spec, bound = task_of(task_fn)
    return TaskFuture(start_job(executor_for(spec), spec, (*bound, *args), kwargs))


def task_of(task_fn: Callable[..., Any]) -> tuple[TaskSpec, tuple[object, ...]]:
    """The definition of a task, and the object that it is bound to, if it is.

    Raises:
        DefinitionError: It is no task, or a generator.
    """
    bound: tuple[object, ...] = ()
    function = task_fn
    if isinstance(task_fn, MethodType):
        function, bound = task_fn.__func__, (task_fn.__self__,)
    spec = spec_of(function)
    if spec is None:
        raise DefinitionError("submit", f"{safe_repr(task_fn)} is no task. {_advice(task_fn)}")
    if spec.kind.yields:
        reason = "a generator runs where it is iterated over, and cannot be submitted. Submit tasks that it calls."
        raise DefinitionError(f"task {spec.name!r}", reason)
    return spec, bound


def _advice(found: object) -> str:
    """What to do instead with something that is no task."""
    if callable(found):
        return "Decorate the function with @task; of a flow, submit a task that executes it."
    return "Give what @task has made, and after it its arguments."


def start_job(executor: Executor, spec: TaskSpec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Job:
    """Hand a call to an executor; what that raises, the call fails with."""
    job = Job(spec, args, kwargs, executor)
    try:
        executor.start(job)
    except BaseException as error:
        job.refuse(error)
        if not isinstance(error, Exception):
            raise
    return job


class _Placed:
    """Direct calls of tasks that have an executor."""

    def caller_of(self, spec: TaskSpec) -> Callable[..., Any]:
        """The function that stands for a task that has an executor.

        Raises:
            DefinitionError: There is no such executor.
        """
        executor = check_executor(spec.executor, f"task {spec.name!r}")
        inline: Callable[..., Any] = async_caller(spec) if spec.kind is Kind.ASYNC else sync_caller(spec)
        if isinstance(executor, AsyncioExecutor):
            return inline

        def call_task(*args: Any, **kwargs: Any) -> Any:
            if executor.remote and in_worker():
                return inline(*args, **kwargs)
            future: TaskFuture[Any] = TaskFuture(start_job(executor, spec, args, kwargs))
            try:
                return future.result()
            finally:
                future.cancel()  # the wait may have been interrupted

        async def call_task_async(*args: Any, **kwargs: Any) -> Any:
            if executor.remote and in_worker():
                return await inline(*args, **kwargs)
            future: TaskFuture[Any] = TaskFuture(start_job(executor, spec, args, kwargs))
            return await future

        return call_task_async if spec.kind is Kind.ASYNC else call_task


install_elsewhere(_Placed())
