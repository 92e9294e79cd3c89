"""One attempt of a task for a run in another process: facts go to that run, and nothing is kept here."""

import copy
import weakref
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, NamedTuple

from ..._clock import anchor, tick, ticks_after
from ...concurrency.event_loops import run_in_new_loop, running_loop
from ...engine.capture.streams import begin_capture, end_capture, write_console
from ...engine.definitions.callables import Kind
from ...engine.definitions.deferred import own_kind
from ...engine.definitions.task_definition import TaskDefinition
from ...engine.events.dispatcher import EventDispatcher
from ...engine.flow_base import state_of
from ...engine.lifecycle.flow_lifecycle import Outcome, outcome_of
from ...engine.lifecycle.invocation import value_unless
from ...engine.lifecycle.steps import blocking_step, perform, perform_async, waiting_step
from ...engine.lifecycle.task_drivers import attempt_here, attempt_here_async
from ...engine.live import Flow
from ...engine.ports import RunSink, RunStart
from ...engine.run.call_store import CountedCalls
from ...engine.run.log import LogMemory, RunLog
from ...engine.run.run import Run
from ...engine.run.sinks import received_sink
from ...engine.scope.call import Call, inputs_of
from ...engine.scope.context import Handle, enter, leave
from ...model.status import RunStatus
from ...serialization.error_info import ErrorInfo
from ...serialization.exception_snapshot import Failure, LatestFailure
from ...serialization.secrets.redaction import run_redactor
from .attempt import AttemptRequest
from .relay import RelaySink
from .remote_data import RemoteData, RemoteProvided

__all__ = ["run_hosted"]


class HostedOutcome(NamedTuple):
    """How an attempt went, with what there is to know of its error."""

    value: Any
    error: BaseException | None
    info: ErrorInfo | None
    own: ErrorInfo | None
    """The part of it that no task called by it has."""


def _failed(error: BaseException, run: Run) -> HostedOutcome:
    whole = Failure(error, redactor=run.redactor).info()
    return HostedOutcome(None, error, whole, Failure(error, run.failures).info())


def run_hosted(request: AttemptRequest, definition: TaskDefinition, relay: RelaySink) -> HostedOutcome:
    """Run an attempt to its end; the relay gets the facts."""
    flow = _flow_of(request)
    run = _run_of(request, flow, relay)
    call = _call_of(request, definition, run)
    token = enter(call)
    try:
        if definition.kind is Kind.ASYNC:
            attempt = partial(attempt_here_async, call, request.args, request.kwargs)
            value, error = run_in_new_loop(partial(_outcome_async, run, attempt))
        else:
            value, error = perform(outcome_of(run, blocking_step(partial(_attempt, run, call, request, relay))))
        return HostedOutcome(value, None, None, None) if error is None else _failed(error, run)
    except BaseException as error:  # of the event loop
        return _failed(error, run)
    finally:
        leave(token, call)
        _finish(run, call)


def _attempt(run: Run, call: Call, request: AttemptRequest, relay: RelaySink) -> Any:
    value = attempt_here(call, request.args, request.kwargs)
    if value is None or own_kind(value) is not Kind.ASYNC:
        return value
    call.definition.kind = Kind.ASYNC
    relay.turned_async()
    outcome = run_in_new_loop(partial(_outcome_async, run, partial(_awaited, value)))
    return value_unless(outcome.error, outcome.value)


async def _outcome_async(run: Run, attempt: Callable[[], Coroutine[Any, Any, Any]]) -> Outcome:
    run.loop = running_loop()
    return await perform_async(outcome_of(run, waiting_step(attempt)))


async def _awaited(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return await coroutine


def _flow_of(request: AttemptRequest) -> Flow[Any]:
    """The flow as the task sees it: an argument, if the task is a method of its flow."""
    for value in request.args:
        if isinstance(value, Flow) and value.flow_id == request.flow_id:
            return value  # pyright: ignore[reportUnknownVariableType] # of what does not matter here
    flow: Flow[Any] = Flow(
        flow_id=request.flow_id, flow_name=request.flow_name, flow_config=request.config, tags=request.tags
    )
    return flow


_QUIET: Final = {
    "log_to_console": False,
    "print_finished_message": False,
    "log_to_memory": False,
    "capture_events": False,
}
"""The process of the flow prints, and keeps."""


def _run_of(request: AttemptRequest, flow: Flow[Any], relay: RunSink) -> Run:
    handle = Handle(request.flow_id, request.flow_name, request.token, anchor(), weakref.ref(flow))
    handle.provide(RemoteProvided(request.provided))
    handle.remote_task_ids[1] = request.task_id
    config = request.config.model_copy(update=_QUIET)
    sinks = (relay, *(received_sink(kind, carried) for kind, carried in request.carried))
    run = Run(
        flow,
        start=RunStart(handle, config, request.tags, parent_flow_id=None, parent_task_id=None),
        calls=CountedCalls(),
        log=RunLog(
            handle, config, LogMemory.nowhere(), sinks, run_redactor(config.redact), write_console=write_console
        ),
        dispatcher=EventDispatcher(handle, [], None),
        sinks=sinks,
        is_observed=True,
        failures=LatestFailure(),
    )
    handle.run = run
    run.proxies = begin_capture(run)
    state = state_of(flow)
    state.run = run
    state.data = RemoteData(request.data)
    return run


def _call_of(request: AttemptRequest, definition: TaskDefinition, run: Run) -> Call:
    definition = copy.copy(definition)
    definition.timeout = None  # the other process watches the time
    definition.name, definition.raise_on_error = request.task_name, request.raise_on_error
    call: Call = definition.new_call()
    call.handle = run.handle
    call.definition = definition
    call.parent = run.root
    call.inputs = inputs_of(request.args, request.kwargs)
    call.order = next(run.orders)
    call.started = tick()
    call.ended = 0
    call.status = RunStatus.RUNNING
    call.value = None
    call.extras = None
    call.attempt = request.attempt
    call.deadline = None if request.timeout is None else ticks_after(request.timeout)
    return call


def _finish(run: Run, call: Call) -> None:
    run.log.flush(call)
    run.log.flush(None)
    abandoned = run.close()
    for sink in run.sinks:
        sink.run_ended(run, abandoned)
    run.release()
    end_capture(run.proxies)
