"""The lifecycle of a run: the decisions and facts at its start, at its outcome and at its end."""

import logging
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from ..._clock import anchor, new_token
from ...concurrency.event_loops import run_in_new_loop, wait_in_thread
from ...concurrency.process_locks import LOCKS
from ...errors import AlreadyRunningError
from ...model.config import FlowConfig
from ...model.failed_runs import remember_failed_run
from ...model.status import RunStatus
from ...serialization.exception_snapshot import Failure
from ...serialization.json.json_leaves import clean_text, safe_repr
from ...serialization.json.json_values import to_json_value
from ...serialization.plain_text import plain_text
from ..capture.streams import begin_capture, end_capture, write_console
from ..definitions.options import tags_of
from ..events.dispatcher import EventDispatcher
from ..ports import RunStart
from ..run.cancellation import interrupt, join_outer_run
from ..run.child_tasks import ChildTasks
from ..run.run import Run, recorded_run
from ..scope.call import order_at
from ..scope.context import NOTHING, BlockHandle, Handle, LiveFlow, Scope, current, enter, leave
from .flow_state import ID_PREFIX, FlowState, ensure_live_run, new_flow_id
from .steps import Step, Steps, TwoWayStep

__all__ = [
    "begin",
    "conclude",
    "end",
    "end_children_and_providers",
    "execution",
    "new_run",
    "notify_started",
    "open_run",
    "outcome_of",
    "parent_at",
    "record_inputs",
    "settle",
]

reset: Final = current.reset
RUNNING: Final = RunStatus.RUNNING  # an enum looks a member up slowly, and each flow asks
COMPLETED: Final = RunStatus.COMPLETED


class Parent(NamedTuple):
    """The flow, and the task in it, that execute another flow."""

    flow_id: str | None
    task_id: str | None


NO_PARENT: Final = Parent(None, None)

Ending = BaseException | None
"""The error with which a run ends; None for a run that completes."""


class Outcome(NamedTuple):
    """A value, or an error."""

    value: Any
    error: Ending


def begin(flow: LiveFlow, state: FlowState, run_params: Mapping[str, Any] | None) -> Run:
    """Start a run, or take the run of the `with` block around the execution.

    Raises:
        AlreadyRunningError: The flow is running already.
    """
    params = dict(run_params) if run_params is not None else NOTHING
    if state.pending_block is not None:
        ensure_live_run(state)
    outer = current.get()
    parent, outer_run, cancellation = NO_PARENT, None, None
    if outer is not None:
        parent = parent_at(outer)
        outer_run = outer.handle.run
        interrupt(outer_run)
        cancellation = outer_run and outer_run.cancellation
    has_begun = False
    try:
        with LOCKS.starting:
            if state.executing:
                raise AlreadyRunningError(f"flow {flow.flow_name!r}", RunStatus.RUNNING)  # noqa: TRY301 - undone below
            has_begun = state.executing = True
            run = state.run
            if run is None or run.ended:
                run = new_run(flow, state, parent)
                run.handle.run = run
        if outer_run is not None:
            join_outer_run(run, outer_run, cancellation)
        run.run_params = params
        if run.config.record_inputs:
            run.params = state.params_of(flow, run.handle.provided)
        bound = state.bound
        if bound is not None:
            run.description = bound.target.description
            if bound.target.run_name is not None:
                run.run_name = bound.run_name(run.handle.provided.keys(), run.redactor)
    except BaseException:
        if has_begun:
            _undo(state)
        raise
    return run


def _undo(state: FlowState) -> None:
    """End an execution that was interrupted before its first step."""
    state.executing = False
    if state.live_run is not None:
        end(state, state.live_run)


def parent_at(scope: Scope | None) -> Parent:
    """The ids of the flow that runs in a scope, and of the task inside it."""
    if scope is None or scope.handle.ensure_run() is None:
        return NO_PARENT
    handle = scope.handle
    return Parent(handle.flow_id, handle.task_id(order_at(scope, handle)))


def record_inputs(flow: LiveFlow, state: FlowState, run: Run) -> None:
    """Record the arguments of the flow, or of a subclass the fields."""
    if run.config.record_inputs:
        run.params = state.params_of(flow, run.handle.provided)


def new_run(flow: LiveFlow, state: FlowState, parent: Parent, block: BlockHandle | None = None) -> Run:
    """A run that no context refers to yet."""
    if state.seed is None:
        state.seed = dict(state.data)
    else:
        if state.run is None or state.run.handle.flow_id == clean_text(flow.flow_id):
            flow.__dict__["flow_id"] = new_flow_id()
        state.data = dict(state.seed)
    fields = flow.__dict__  # a field of a model is read in it at once
    flow_id, flow_name = fields["flow_id"], fields["flow_name"]
    config: FlowConfig = fields["flow_config"]
    token = new_token() if "flow_id" in flow.model_fields_set else flow_id.removeprefix(ID_PREFIX)
    if block is None:
        handle = Handle(flow_id, flow_name, token, anchor(), weakref.ref(flow))
    else:
        handle = block
        block.identify(flow_id, flow_name, token)
    tags = fields["tags"]
    tags = tuple(map(clean_text, tags_of(tags))) if tags else ()
    run = recorded_run(flow, RunStart(handle, config, tags, *parent), state.listeners, write_console)
    provided = state.provided if block is None else {**state.provided, **block.provided}
    if provided:
        handle.provide(provided)
    state.run = run
    run.proxies = begin_capture(run)
    return run


def open_run(flow: LiveFlow, state: FlowState, run: Run) -> None:
    """Notify the sinks of the start, once, and provide the values of `task_dependencies`; an error here fails the run."""
    if run.start_is_notified:
        return
    notify_started(run)
    hooked = flow.task_dependencies()
    if hooked:
        run.handle.provide({**run.handle.provided, **hooked})
        record_inputs(flow, state, run)


def notify_started(run: Run) -> None:
    """Notify the sinks that the run has started."""
    run.start_is_notified = True
    for sink in run.sinks:
        sink.run_started(run)


def conclude(run: Run, value: object, error: BaseException | None) -> BaseException | None:
    """Decide the outcome of a run; return the error that the caller of the flow gets."""
    with LOCKS.making:  # a cancellation comes before, or too late
        run.is_decided = True
    if run.cancellation is not None:
        error = run.cancellation.outcome(error)
    if error is None:
        _complete(run, value)
        return None
    _fail(run, error)
    return error if run.config.raise_flow_error or not isinstance(error, Exception) else None


def _complete(run: Run, value: object) -> None:
    if run.partial_lines:
        run.log.flush(None)
    run.status = COMPLETED
    run.value = value
    config = run.config
    if not config.record_return_values:
        return
    if value is not None:
        run.log.add_result("flow-return-value", "the return value of the flow", value, None)
    if value is not None or config.print_none_return_value:
        run.log.add_entry(logging.DEBUG, _ReturnValueText(run, value), None)


class _ReturnValueText:
    """A log message that is formatted when it is read."""

    __slots__ = ("_redactor", "_value")

    def __init__(self, run: Run, value: object) -> None:
        self._redactor = run.redactor
        self._value = value

    def __str__(self) -> str:
        return plain_text(f"return value: {self._shown()}")

    def _shown(self) -> str:
        redactor, value = self._redactor, self._value
        masked = redactor.mask(value)
        if masked is value and not redactor.declares(value):
            return safe_repr(value)
        written = to_json_value(masked)
        shown = redactor.mask(written)
        return safe_repr(value if masked is value and shown is written else shown)


def _fail(run: Run, error: BaseException) -> None:
    run.log.flush(None)
    run.failure = failure = Failure(error, redactor=run.redactor)
    if run.flow is not None:
        remember_failed_run(error, run.flow)
    is_cancelled = run.cancellation is not None and error is run.cancellation.error
    run.status = RunStatus.FAILED if isinstance(error, Exception) and not is_cancelled else RunStatus.CANCELLED
    run.log.add_failure(f"flow {run.handle.flow_name!r}", run.status, failure, None)


def execution(
    flow: LiveFlow, state: FlowState, run_params: Mapping[str, Any] | None, body: Callable[[Run], Step]
) -> Steps[Ending]:
    """The steps of a run: begin and open it, call its function, end its children and providers, end its record, deliver its events.

    Args:
        flow: The flow.
        state: Its state.
        run_params: The parameters of this run.
        body: Makes the step that calls the function and results in its value.

    Returns:
        The error that the caller of the flow gets; None for none.

    Raises:
        AlreadyRunningError: The flow is running already.
    """
    ending: Ending = None
    outside, token = current.get(), None
    run = begin(flow, state, run_params)
    try:
        try:
            token = enter(run.root)
            open_run(flow, state, run)
            value = yield body(run)
        except BaseException as error:
            ending = conclude(run, None, (yield from end_children_and_providers(run, error)))
        else:
            late = None if run.is_alone else (yield from end_children_and_providers(run, None))
            ending = conclude(run, value, late)
    finally:  # the context before all else: an interrupt must not leave it in a flow that has ended
        try:
            if token is not None:
                reset(token)
            elif current.get() is run.root:
                current.set(outside)
        except ValueError:  # a coroutine that is closed in another context
            if token is not None:
                leave(token, run.root)
        finally:
            try:
                end(state, run)
            finally:
                if not run.ended:  # an interrupt came before its first line
                    end(state, run)
        if not run.dispatcher.settled:
            yield from settle(run)
    return ending


def end_children_and_providers(run: Run, error: Ending) -> Steps[Ending]:
    """End the submitted calls and close the flow-scoped providers; return the error with which the flow ends."""
    if run.children is not None:
        error = yield _end_of_children(run.children, error)
    if run.shared is None:
        return error
    error = yield TwoWayStep(partial(run.shared.close, error), partial(run.shared.close_async, error))
    if run.children is None:
        return error
    error = yield _end_of_children(run.children, error)  # those that providers submit while they close
    return error


def _end_of_children(children: ChildTasks, error: Ending) -> Step:
    return TwoWayStep(partial(children.end, error), partial(children.end_async, error))


def outcome_of(run: Run, body: Step) -> Steps[Outcome]:
    """The outcome of a body that is not the whole run, after its children and providers have ended."""
    try:
        value = yield body
    except BaseException as error:
        ending = yield from end_children_and_providers(run, error)
        return Outcome(None, error if ending is None else ending)
    return Outcome(value, (yield from end_children_and_providers(run, None)))


def end(state: FlowState, run: Run) -> None:
    """End the record: no thread or asyncio task that outlives the flow changes it."""
    if run.status is RUNNING:  # an interrupt kept it from being concluded
        run.status = RunStatus.CANCELLED
    try:
        if run.partial_lines:
            run.log.flush(None)
        if run.config.print_finished_message:
            message = f"flow {run.handle.flow_name!r} finished: {run.status} in {run.duration:.6f} s"
            run.log.add_entry(logging.INFO, message, None)
        abandoned = run.close()
        for sink in run.sinks:
            sink.run_ended(run, abandoned)
    finally:
        run.release()
        state.executing = False
        end_capture(run.proxies)
        run.proxies = ()
    if run.config.print_logs:
        write_console("".join(run.log.format(line) + "\n" for line in run.log.lines.items()), "stdout")


def settle(run: Run) -> Steps[None]:
    """Wait until every listener has handled every event."""
    dispatcher = run.dispatcher
    if not dispatcher.settled:
        yield TwoWayStep(partial(_settle_here, dispatcher), partial(_settle_async, dispatcher))


def _settle_here(dispatcher: EventDispatcher) -> None:
    dispatcher.wait_delivered()
    if dispatcher.awaits:
        run_in_new_loop(dispatcher.wait_awaited)


async def _settle_async(dispatcher: EventDispatcher) -> None:
    if dispatcher.delivering:
        await wait_in_thread(dispatcher.wait_delivered)
    await dispatcher.wait_awaited()
