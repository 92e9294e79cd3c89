"""The hook for calls that run in an executor, as `@task(executor=…)` says; a higher layer implements it."""

from collections.abc import Callable
from typing import Any, Literal, Protocol

from .definitions.task_definition import TaskDefinition

__all__ = ["ExecutorChoice", "ExecutorHook", "executor_hook", "install_executor_hook"]


class AnyExecutor(Protocol):
    """The part of an executor that `@task` needs."""

    name: str

    def start(self, job: Any, /) -> None: ...


ExecutorChoice = Literal["asyncio", "thread", "process"] | AnyExecutor
"""The choice of an executor: a name, or the executor."""


class ExecutorHook(Protocol):
    """The port to the executors."""

    def caller_of(self, definition: TaskDefinition) -> Callable[..., Any]:
        """The function that stands for a task that has an executor.

        Raises:
            DefinitionError: No executor has this name, or it cannot run this kind of function.
        """
        ...


_installed: list[ExecutorHook] = []


def install_executor_hook(implementation: ExecutorHook) -> None:
    """Install the hook of the executors."""
    _installed[:] = [implementation]


def executor_hook() -> ExecutorHook:
    """The installed hook."""
    return _installed[0]
