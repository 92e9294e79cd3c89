"""Submitting tasks, and calling those that have an executor of their own."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from types import MethodType
from typing import Any, ParamSpec, TypeVar, overload

from ..engine.definitions.callables import Kind
from ..engine.definitions.task_definition import TaskDefinition, task_definition_of
from ..engine.executor_hook import install_executor_hook
from ..engine.lifecycle.task_drivers import async_caller, sync_caller
from ..errors import DefinitionError
from ..serialization.json.json_leaves import safe_repr
from .backends.asyncio_executor import AsyncioExecutor
from .remote.worker_flag import in_worker
from .selection import check_executor, executor_for
from .submission.executor import Executor
from .submission.future import TaskFuture
from .submission.submission import TaskSubmission

__all__ = ["start_plain_job", "start_submission", "submit", "task_of"]

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
    definition, bound = task_of(task_fn)
    return TaskFuture(start_submission(executor_for(definition), definition, (*bound, *args), kwargs))


def task_of(task_fn: Callable[..., Any]) -> tuple[TaskDefinition, tuple[object, ...]]:
    """The definition of a task, and the object that it is bound to, if it is.

    Raises:
        DefinitionError: It is no task, or a generator.
    """
    bound: tuple[object, ...] = ()
    function = task_fn
    if isinstance(task_fn, MethodType):
        function, bound = task_fn.__func__, (task_fn.__self__,)
    definition = task_definition_of(function)
    if definition is None:
        raise DefinitionError("submit", f"{safe_repr(task_fn)} is no task. {_advice(task_fn)}")
    definition.check_submittable(definition.kind)
    return definition, bound


def _advice(target: object) -> str:
    """The next step with something that is no task."""
    if callable(target):
        return "Decorate the function with @task; of a flow, submit a task that executes it."
    return "Give what @task has made, and after it its arguments."


def start_submission(
    executor: Executor, definition: TaskDefinition, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> TaskSubmission:
    """Hand a call to an executor; what that raises, the call fails with."""
    return _start(
        TaskSubmission(definition, args, kwargs, executor, partial(executor_for, definition, Kind.ASYNC)), executor
    )


def start_plain_job(
    executor: Executor, definition: TaskDefinition, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> TaskSubmission:
    """The same for a call that is over when its function has returned, whatever that is."""
    return _start(TaskSubmission(definition, args, kwargs, executor), executor)


def _start(submission: TaskSubmission, executor: Executor) -> TaskSubmission:
    try:
        executor.start(submission)
    except BaseException as error:
        submission.refuse(error)
        if not isinstance(error, Exception):
            raise
    return submission


async def _awaited(future: TaskFuture[Any]) -> Any:
    return await future


class _ExecutorHook:
    """Direct calls of tasks that have an executor."""

    def caller_of(self, definition: TaskDefinition) -> Callable[..., Any]:
        """The function that stands for a task that has an executor.

        Raises:
            DefinitionError: There is no such executor.
        """
        executor = check_executor(definition.executor, f"task {definition.name!r}")
        inline: Callable[..., Any] = (
            async_caller(definition) if definition.kind is Kind.ASYNC else sync_caller(definition)
        )
        if isinstance(executor, AsyncioExecutor):
            return inline

        def call_task(*args: Any, **kwargs: Any) -> Any:
            if executor.remote and in_worker():
                return inline(*args, **kwargs)
            future: TaskFuture[Any] = TaskFuture(start_submission(executor, definition, args, kwargs))
            is_async = False
            try:
                is_async = future.turns_async()
                return _awaited(future) if is_async else future.result()
            finally:
                if not is_async:
                    future.cancel()  # the wait may have been interrupted

        async def call_task_async(*args: Any, **kwargs: Any) -> Any:
            if executor.remote and in_worker():
                return await inline(*args, **kwargs)
            future: TaskFuture[Any] = TaskFuture(start_submission(executor, definition, args, kwargs))
            return await future

        return call_task_async if definition.kind is Kind.ASYNC else call_task


install_executor_hook(_ExecutorHook())
