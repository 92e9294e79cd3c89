"""Plain calls, of no flow, in the threads and processes of executors."""

from collections.abc import Callable
from types import CoroutineType
from typing import Any, Final, TypeVar

from .._clock import anchor, new_token
from ..concurrency.event_loops import run_in_new_loop
from ..engine.capture.streams import write_console
from ..engine.definitions.callables import define
from ..engine.definitions.task_definition import TaskDefinition
from ..engine.events.dispatcher import EventDispatcher
from ..engine.live import LIVE_TYPES
from ..engine.ports import RunStart
from ..engine.run.call_store import CountedCalls
from ..engine.run.log import LogMemory, RunLog
from ..engine.run.run import Run
from ..engine.scope.context import Handle, enter, leave, outside
from ..model.config import FlowConfig
from ..serialization.exception_snapshot import Failures
from ..serialization.secrets.redaction import run_redactor
from .submission.executor import Executor
from .submission.future import TaskFuture
from .submit import start_plain_job

__all__ = ["start_plain_call"]

T = TypeVar("T")

_COROUTINE: Final[Any] = CoroutineType


def start_plain_call(
    executor: Executor,
    name: str,
    function: Callable[..., T],
    /,
    *args: Any,
    timeout: float | None = None,
    **kwargs: Any,
) -> TaskFuture[T]:
    """Let a function, sync or async, be called elsewhere, in no flow; nothing of it is recorded or told.

    Cancelling, timeouts, dead workers and what cannot travel are as with a task of that name.
    """
    definition = TaskDefinition(define(_call_outside, "task"), LIVE_TYPES, task_name=name, timeout=timeout)
    run = _silent_run(name)
    token = enter(run.root)
    try:
        submission = start_plain_job(executor, definition, (function, args, kwargs), {})
    finally:
        leave(token, run.root)
    submission.when_settled(run.release)
    return TaskFuture(submission)


def _call_outside(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    with outside():
        value = function(*args, **kwargs)
        return run_in_new_loop(lambda: value) if type(value) is _COROUTINE else value


def _silent_run(name: str) -> Run:
    """A run that records and tells nothing."""
    config = FlowConfig(
        add_task_to_self=False,
        logging_enabled=False,
        capture_stdout=False,
        record_inputs=False,
        record_return_values=False,
    )
    handle = Handle(f"plain-call-{new_token()}", name, new_token(), anchor(), lambda: None)
    run = Run(
        None,
        start=RunStart(handle, config, tags=(), parent_flow_id=None, parent_task_id=None),
        calls=CountedCalls(),
        log=RunLog(handle, config, LogMemory.nowhere(), (), run_redactor(config.redact), write_console=write_console),
        dispatcher=EventDispatcher(handle, [], None),
        sinks=(),
        is_observed=False,
        failures=Failures(),
    )
    handle.run = run
    return run
