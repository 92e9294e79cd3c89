"""The lifecycle of a call: the decisions and facts at its start, at each failure and at its end.

The drivers only call functions and wait; every decision is here, once for sync, async and generators.
"""

import copy
import logging
from enum import Enum
from math import isfinite
from typing import Any, Final, Literal

from ..._clock import seconds, tick, ticks_after
from ...concurrency.event_loops import is_cancelled_error
from ...errors import AlreadyRunningError, DefinitionError, TaskTimeoutError
from ...model.records import Progress
from ...model.status import RunStatus
from ...serialization.exception_snapshot import Failure, add_note, summary_of
from ...serialization.json.json_leaves import clean_text, safe_repr
from ..definitions.options import is_number
from ..definitions.task_definition import TaskDefinition
from ..events.bus import flow_events
from ..ports import FailedAttempt
from ..run.cancellation import interrupt
from ..run.run import Run
from ..scope.call import Call, attempt_start, inputs_of
from ..scope.context import Scope, current, enter, no_active_flow

__all__ = [
    "RAISE",
    "TOLERATE",
    "AttemptDecision",
    "attempt_failed",
    "begin",
    "complete",
    "current_call",
    "end_remotely",
    "failed",
    "keep_progress",
    "report_progress",
    "revise",
    "start",
    "timed_out",
]

_MARK: Final = "_task_id"
"""The attribute of a `TaskTimeoutError` that names the task of the deadline."""
_PENDING: Final = RunStatus.PENDING
_RUNNING: Final = RunStatus.RUNNING
_COMPLETED: Final = RunStatus.COMPLETED


class _AttemptDecision(Enum):
    RAISE = "raise"
    TOLERATE = "tolerate"


RAISE: Final = _AttemptDecision.RAISE
"""The exception goes on to the caller."""
TOLERATE: Final = _AttemptDecision.TOLERATE
"""The call returns None."""
AttemptDecision = float | Literal[_AttemptDecision.RAISE, _AttemptDecision.TOLERATE]
"""The decision after a failed attempt; a number is the seconds to wait before the next one."""


def begin(
    definition: TaskDefinition,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    parent: Scope | None = None,
    *,
    waits: bool = False,
) -> Call:
    """Start a call in the running flow.

    Args:
        definition: That of the task.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        parent: The place that it is called from; None is that of the context.
        waits: Whether it is only recorded as pending, until its `start`.

    Raises:
        NoActiveFlowError: No flow is running in this context.
    """
    if parent is None:
        parent = current.get()
    if parent is None or ((run := parent.handle.run) is None and (run := parent.handle.ensure_run()) is None):
        raise no_active_flow(f"task {definition.name!r}", parent)
    call: Call = definition.new_call()
    call.handle = parent.handle
    call.definition = definition
    call.parent = parent
    if not run.keeps_inputs:
        call.inputs = ()
    elif kwargs:
        call.inputs = inputs_of(args[1:] if definition.binds_self else args, kwargs)
    else:
        call.inputs = args[1:] if definition.binds_self else args
    call.status = _PENDING if waits else _RUNNING
    call.value = None
    call.extras = definition.extras
    call.ended = 0
    call.order = next(run.orders)
    call.started = tick()
    run.calls.append(call)
    if definition.run_name is not None:
        run.ensure_reports().run_names[call.order] = definition.run_name_of(args, kwargs, run.redactor)
    if not waits and (run.is_observed or flow_events.event_listeners):
        enter(parent)  # listeners are called where the task is called from
        _notify_started(run, call)
    return call


def current_call(definition: object, args: object, kwargs: object) -> Call:  # noqa: ARG001 - the call has them already
    """The call of this context, which has started already."""
    call: Any = current.get()
    return call  # type: ignore[no-any-return] # the submitted call


def start(call: Call, at: int | None = None) -> None:
    """Start a pending call; `at` is the tick of its start in another process."""
    call.started = at or tick()
    call.status = _RUNNING
    run: Run | None = call.handle.run
    if run is not None and (run.is_observed or flow_events.event_listeners):
        _notify_started(run, call)


def _notify_started(run: Run, call: Call) -> None:
    try:
        for sink in run.sinks:
            sink.task_started(call)
    except BaseException as error:  # an interrupt while listeners were called
        failed(call, error)
        raise


def complete(call: Call, value: object) -> None:
    """End a call with a value. The record of a flow that has ended meanwhile does not change."""
    ended = tick()
    run: Run | None = call.handle.run
    if run is None:
        return
    call.status = _COMPLETED
    if run.keeps_values:
        call.value = value
    call.ended = ended
    if run.partial_lines:
        run.log.flush(call, at=ended)
    if run.is_observed or flow_events.event_listeners:
        _notify_ended(run, call, None)


def end_remotely(call: Call, status: RunStatus, value: object, failure: Failure | None, at: int) -> None:
    """Record the end of a call that another process has decided and logged."""
    run: Run | None = call.handle.run
    if run is None:
        return
    call.status = status
    if run.keeps_values:
        call.value = value
    if failure is not None and run.keeps_failures:
        run.failures.keep(call.order, failure)
    call.ended = at
    if run.is_observed or flow_events.event_listeners:
        _notify_ended(run, call, failure)


def failed(call: Call, error: BaseException) -> AttemptDecision:
    """Record an exception, and decide whether the call is retried, raises or returns None."""
    ended = tick()
    definition: TaskDefinition = call.definition
    run: Run | None = call.handle.run
    if definition.retry.retries_after(call.attempt, error):
        return _retry(run, call, error, ended)
    raises = definition.raise_on_error or not isinstance(error, Exception)
    if run is None:
        return RAISE if raises else TOLERATE
    if run.cancellation is not None and is_cancelled_error(error):
        run.cancellation.note_interruption()
    call.status = _status_after(call, error)
    if raises and run.flow is not None:
        handle = run.handle
        place = f"flow {handle.flow_name!r} ({handle.flow_id})"
        add_note(error, f"in task {definition.name!r} ({handle.task_id(call.order)}) of {place}")
    failure = Failure(error, run.failures)
    if run.keeps_failures:
        run.failures.keep(call.order, failure)
    call.ended = ended
    if run.partial_lines:
        run.log.flush(call, at=ended)
    run.log.add_failure(f"task {definition.name!r}", call.status, failure, call, at=ended)
    if run.is_observed or flow_events.event_listeners:
        _notify_ended(run, call, failure)
    return RAISE if raises else TOLERATE


def revise(call: Call, option: Literal["task_name", "raise_on_error"], value: object) -> None:
    """Change an option of one call; the definition of the other calls of its task stays.

    Raises:
        AlreadyRunningError: The call has ended: its record does not change.
        DefinitionError: The name is empty, or no text.
    """
    definition: TaskDefinition = copy.copy(call.definition)
    if call.ended:
        raise AlreadyRunningError(f"task {definition.name!r}", call.status, option)
    if option == "raise_on_error":
        definition.raise_on_error = bool(value)
    elif isinstance(value, str) and value:
        definition.name = clean_text(value)
    else:
        raise DefinitionError(f"task {definition.name!r}", f"task_name is {value!r}, wanted a text that is not empty.")
    call.definition = definition
    run: Run | None = call.handle.run
    if run is not None:
        for sink in run.sinks:
            sink.task_revised(call)


def report_progress(call: Call, done: object, total: object, message: object) -> None:
    """Record the progress of a running call.

    Raises:
        NoActiveFlowError: The call is not running.
        TypeError: `done` or `total` is no number.
        ValueError: One of them is not finite, which JSON cannot tell.
    """
    run: Run | None = call.handle.run
    if run is None or call.ended:
        raise no_active_flow(f"progress of task {call.definition.name!r}", call)
    if not is_number(done) or (total is not None and not is_number(total)):
        raise TypeError(f"progress() got {safe_repr(done)} of {safe_repr(total)}, wanted numbers")
    whole = None if total is None else _float(total)
    keep_progress(call, Progress(done=_float(done), total=whole, message=run.redactor.mask(clean_text(str(message)))))
    interrupt(run)


def keep_progress(call: Call, progress: Progress) -> None:
    """Record the progress of a call, here or in another process."""
    run: Run | None = call.handle.run
    if run is None or call.ended:
        return
    if run.calls.keeps_calls:
        run.ensure_reports().progress[call.order] = progress
    for sink in run.sinks:
        sink.progressed(call, progress)


def _float(number: Any) -> float:
    found = float(number)
    if not isfinite(found):
        raise ValueError(f"progress() got {found}, wanted finite numbers")
    return found


def timed_out(call: Call, timeout: float) -> TaskTimeoutError:
    """The error of an attempt that has passed its deadline; for other calls it is an error like any other."""
    error = TaskTimeoutError(call.definition.name, timeout)
    vars(error)[_MARK] = call.handle.task_id(call.order)
    return error


def _status_after(call: Call, error: BaseException) -> RunStatus:
    if type(error) is TaskTimeoutError and vars(error).get(_MARK) == call.handle.task_id(call.order):
        return RunStatus.TIMED_OUT
    return RunStatus.FAILED if isinstance(error, Exception) else RunStatus.CANCELLED


def _retry(run: Run | None, call: Call, error: BaseException, ended: int) -> float:
    definition: TaskDefinition = call.definition
    pause = definition.retry.delay_after(call.attempt)
    if run is not None:
        message = f"attempt {call.attempt} of {definition.retry.retries + 1} failed, next in {pause:g} s: {summary_of(error, run.redactor)}"
        run.log.add_entry(logging.WARNING, f"task {definition.name!r}: {message}", call, at=ended)
        attempt_failed(
            call, FailedAttempt(call.attempt, pause, Failure(error, run.failures), attempt_start(call), ended)
        )
    else:
        call.attempt += 1
    call.status = _RUNNING
    return pause


def attempt_failed(call: Call, failed_attempt: FailedAttempt) -> None:
    """Record that an attempt, here or in another process, has failed, and that another attempt follows."""
    call.attempt = failed_attempt.attempt + 1
    if call.extras is not None:
        call.extras.attempt_started = ticks_after(failed_attempt.delay, failed_attempt.ended)
    run: Run | None = call.handle.run
    if run is None:
        return
    if run.calls.keeps_calls:
        run.ensure_reports().failed_attempts.setdefault(call.order, []).append(failed_attempt)
    if run.is_observed or flow_events.event_listeners:
        for sink in run.sinks:
            sink.attempt_failed(call, failed_attempt)


def _notify_ended(run: Run, call: Call, failure: Failure | None) -> None:
    duration = seconds(call.started, call.ended)
    if run.config.print_finished_message:
        message = f"task {call.definition.name!r} finished: {call.status} in {duration:.6f} s"
        run.log.add_entry(logging.INFO, message, call, at=call.ended)
    for sink in run.sinks:
        sink.task_ended(call, failure)
