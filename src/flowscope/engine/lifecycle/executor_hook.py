"""The one thing that the engine leaves to a higher layer: calls that run elsewhere, as `@task(executor=…)` says."""

from collections.abc import Callable
from typing import Any, Literal, Protocol

from ..definitions.task_definition import TaskSpec

__all__ = ["Elsewhere", "ExecutorChoice", "elsewhere", "install_elsewhere"]


class AnyExecutor(Protocol):
    """An executor, as far as `@task` needs to know."""

    name: str

    def start(self, job: Any, /) -> None: ...


ExecutorChoice = Literal["asyncio", "thread", "process"] | AnyExecutor
"""What says where calls run."""


class Elsewhere(Protocol):
    """Knows the executors."""

    def caller_of(self, spec: TaskSpec) -> Callable[..., Any]:
        """The function that stands for a task that has an executor.

        Raises:
            DefinitionError: There is no such executor, or it cannot run this kind of function.
        """
        ...


_installed: list[Elsewhere] = []


def install_elsewhere(implementation: Elsewhere) -> None:
    """Let the layer above say where calls run."""
    _installed[:] = [implementation]


def elsewhere() -> Elsewhere:
    """What the layer above has installed."""
    return _installed[0]
