"""Executing flows: the sync and the async driver around the decisions of `flow_lifecycle`."""

from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, final

from ...concurrency.event_loops import run_in_new_loop, running_loop
from ...model.status import RunStatus
from ..definitions.callables import Kind
from ..definitions.deferred import own_kind
from ..injection.provider_stack import value_unless
from ..run.run import Run, surroundings
from ..run.sinks import Activation
from ..scope.context import LiveFlow
from .flow_definition import BoundTarget
from .flow_lifecycle import (
    Outcome,
    begin,
    conclude,
    end,
    end_children_and_providers,
    execution,
    open_run,
    outcome_of,
    settle,
)
from .flow_state import FlowState
from .flow_warnings import warn_blocked_loop
from .steps import perform, perform_async, waiting_step

__all__ = ["close_flow", "execute", "execute_async", "open_flow"]


def execute(flow: LiveFlow, state: FlowState, bound: BoundTarget, run_params: Mapping[str, Any] | None) -> None:
    """Run a flow to its end: an async one in a new event loop."""
    if bound.target.is_async:
        warn_blocked_loop(flow.flow_name)
        run_in_new_loop(lambda: execute_async(flow, state, bound, run_params))
        return
    ending = perform(execution(flow, state, run_params, partial(_FunctionCall, bound)))
    try:
        if ending is not None:
            raise ending
    finally:
        del ending  # it would hold this frame, and this frame it


@final
class _FunctionCall:
    """The step of a run that calls the flow's function."""

    __slots__ = ("_bound", "_run")

    def __init__(self, bound: BoundTarget, run: Run) -> None:
        self._bound = bound
        self._run = run

    def block(self) -> Any:
        """Call a sync function, and run the coroutine of its own that it may return."""
        run = self._run
        if run.activation is None:
            return self._call()
        with run.activation(None):
            return self._call()

    def _call(self) -> Any:
        run = self._run
        value = self._bound.call(run.handle)
        if value is None or not _is_coroutine(self._bound, own_kind(value)):
            return value
        try:
            warn_blocked_loop(run.handle.flow_name)
            outcome = run_in_new_loop(partial(_await_and_close, run, value))
        except BaseException:
            value.close()  # there is no event loop for it
            raise
        return value_unless(outcome.error, outcome.value)

    def wait(self) -> Coroutine[Any, Any, Any]:
        """Call the function, or start it; a `StopIteration` of a sync one does not pass through a coroutine."""
        bound, run = self._bound, self._run
        run.surrounding_loop = running_loop()
        if bound.target.is_async:
            run.enter_loop(run.surrounding_loop)
            if run.activation is None:
                coroutine: Coroutine[Any, Any, Any] = bound.start(run.handle)
                return coroutine
            return _activated(run.activation, partial(bound.start, run.handle))
        with surroundings(run.handle, None):
            value = bound.start(run.handle)
        if value is None or not _is_coroutine(bound, own_kind(value)):
            return _value(value)
        run.enter_loop(run.surrounding_loop)
        started: Coroutine[Any, Any, Any] = value
        return started if run.activation is None else _activated(run.activation, lambda: started)


def _is_coroutine(bound: BoundTarget, kind: Kind) -> bool:
    """Whether the value of a sync function is a coroutine of its own, which is the rest of the flow.

    Raises:
        DefinitionError: The value is a generator of its own.
    """
    if kind is not Kind.SYNC:
        bound.target.check_kind(kind)
    return kind is Kind.ASYNC


async def _await_and_close(run: Run, coroutine: Coroutine[Any, Any, Any]) -> Outcome:
    """Await the coroutine of a sync function, and close its providers in this event loop."""
    run.enter_loop(running_loop())
    return await perform_async(outcome_of(run, waiting_step(partial(_awaited, coroutine))))


async def _awaited(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return await coroutine


async def execute_async(
    flow: LiveFlow, state: FlowState, bound: BoundTarget, run_params: Mapping[str, Any] | None
) -> None:
    """Run a flow to its end in the running event loop."""
    ending = await perform_async(execution(flow, state, run_params, partial(_FunctionCall, bound)))
    try:
        if ending is not None:
            raise ending
    finally:
        del ending  # it would hold this frame, and this frame it


async def _value(value: Any) -> Any:
    return value


async def _activated(activation: Activation, start: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    with activation(None):
        return await start()


def open_flow(flow: LiveFlow, state: FlowState) -> Run:
    """Start a run that is no call and no block; `close_flow` ends it, from any thread."""
    run = begin(flow, state, None)
    try:
        open_run(flow, state, run)
    except BaseException as error:
        close_flow(state, run, perform(end_children_and_providers(run, error)))
        raise
    return run


def close_flow(state: FlowState, run: Run, error: BaseException | None, status: RunStatus | None = None) -> None:
    """End such a run, after its children and providers; `status` replaces the status that follows from the error."""
    try:
        conclude(run, None, error)
        if status is not None:
            run.status = status
    finally:
        end(state, run)
        perform(settle(run))
