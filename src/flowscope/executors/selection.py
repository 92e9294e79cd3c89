"""Where a submitted call runs: as its task says, else as the innermost `use_executor`, else as its kind suggests."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Literal

from ..engine.definitions.callables import Kind
from ..engine.definitions.task_definition import TaskDefinition
from ..errors import DefinitionError
from .backends.asyncio_executor import AsyncioExecutor
from .backends.process_executor import ProcessExecutor
from .backends.thread_executor import ThreadExecutor
from .remote.worker_flag import in_worker
from .submission.executor import Executor

__all__ = ["ExecutorName", "check_executor", "executor_for", "use_executor"]

ExecutorName = Literal["asyncio", "thread", "process"]

_SHARED: Final[dict[str, Executor]] = {
    "asyncio": AsyncioExecutor(),
    "thread": ThreadExecutor(),
    "process": ProcessExecutor(),
}
"""Those that names stand for. They start nothing before their first call."""

_chosen: Final[ContextVar[Executor | None]] = ContextVar("flowscope_executor", default=None)


def check_executor(executor: object, what: str) -> Executor:
    """The executor that is meant by a name, or the executor itself.

    Raises:
        DefinitionError: It is neither; `what` says who wants it.
    """
    if isinstance(executor, Executor):
        return executor
    if isinstance(executor, str) and executor in _SHARED:
        return _SHARED[executor]
    names = ", ".join(map(repr, _SHARED))
    raise DefinitionError(what, f"executor is {executor!r}, wanted one of {names}, or an Executor.")


def executor_for(definition: TaskDefinition, kind: Kind | None = None) -> Executor:
    """Where a call that is submitted here runs; in a worker process, in that process.

    Args:
        definition: The task.
        kind: What the call has turned out to be; None: what its function is.
    """
    chosen = (
        _chosen.get()
        if definition.executor is None
        else check_executor(definition.executor, f"task {definition.name!r}")
    )
    if chosen is None or (chosen.remote and in_worker()):
        return _SHARED["asyncio" if (kind or definition.kind) is Kind.ASYNC else "thread"]
    return chosen


@contextmanager
def use_executor(executor: Executor | ExecutorName) -> Generator[Executor]:
    """A block in which calls are submitted to that executor, unless their task says otherwise.

    It holds for the code of the block and for what that starts, as any context variable does. Nothing is closed at
    its end.

    Raises:
        DefinitionError: There is no executor of that name.
    """
    chosen = check_executor(executor, "use_executor")
    token = _chosen.set(chosen)
    try:
        yield chosen
    finally:
        _chosen.reset(token)
