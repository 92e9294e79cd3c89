"""The one thing that the engine leaves to a higher layer: calls that run elsewhere, as `@task(executor=…)` says."""

from collections.abc import Callable
from typing import Any, Literal, Protocol

from ..definitions.task_definition import TaskDefinition

__all__ = ["ExecutorChoice", "ExecutorHook", "executor_hook", "install_executor_hook"]


class AnyExecutor(Protocol):
    """An executor, as far as `@task` needs to know."""

    name: str

    def start(self, job: Any, /) -> None: ...


ExecutorChoice = Literal["asyncio", "thread", "process"] | AnyExecutor
"""What says where calls run."""


class ExecutorHook(Protocol):
    """Knows the executors."""

    def caller_of(self, definition: TaskDefinition) -> Callable[..., Any]:
        """The function that stands for a task that has an executor.

        Raises:
            DefinitionError: There is no such executor, or it cannot run this kind of function.
        """
        ...


_installed: list[ExecutorHook] = []


def install_executor_hook(implementation: ExecutorHook) -> None:
    """Let the layer above say where calls run."""
    _installed[:] = [implementation]


def executor_hook() -> ExecutorHook:
    """What the layer above has installed."""
    return _installed[0]
