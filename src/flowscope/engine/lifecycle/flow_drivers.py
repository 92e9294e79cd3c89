"""Executing flows: the sync and the async driver around the decisions of `flow_life`."""

from collections.abc import Coroutine, Mapping
from functools import partial
from types import CoroutineType
from typing import Any

from ...concurrency.event_loops import run_in_new_loop, running_loop
from ...model.status import RunStatus
from ..injection.invocation import value_unless
from ..run.run import Run, surroundings
from ..scope.context import current, enter, leave
from .flow_definition import BoundTarget
from .flow_lifecycle import (
    FlowState,
    begin,
    conclude,
    end,
    open_run,
    settle,
    settle_async,
    wind_up,
    wind_up_async,
)

_COROUTINE: Any = CoroutineType

__all__ = ["close_flow", "execute", "execute_async", "open_flow"]


def execute(flow: Any, state: FlowState, bound: BoundTarget, run_params: Mapping[str, Any] | None) -> None:
    """Run a flow to its end: an async one in a new event loop."""
    if bound.target.is_async:
        run_in_new_loop(lambda: execute_async(flow, state, bound, run_params))
    else:
        _execute_sync(flow, state, bound, run_params)


def _execute_sync(flow: Any, state: FlowState, bound: BoundTarget, run_params: Mapping[str, Any] | None) -> None:
    run = begin(flow, state, run_params)
    outside = current.get()
    outcome: BaseException | None = None
    try:
        enter(run.root)
        try:
            open_run(flow, state, run)
            with surroundings(run.handle, None):
                value: Any = bound.call(run.handle)
                if type(value) is _COROUTINE:  # a plain function in front of an async one has returned it
                    value = run_in_new_loop(partial(_to_its_end, run, value))
        except BaseException as error:
            outcome = conclude(run, None, wind_up(run, error))
        else:
            outcome = conclude(run, value, wind_up(run, None))
        if outcome is not None:
            raise outcome
    finally:
        current.set(outside)  # before all else, where no interrupt comes in between
        del outcome  # it would hold this frame, and this frame it
        end(state, run)
        settle(run)


async def _to_its_end(run: Run, coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Await what a sync function has returned, and close in this event loop what was opened in it."""
    run.surrounding_loop = running_loop()
    try:
        value = await coroutine
    except BaseException as error:
        outcome = await wind_up_async(run, error)
        if outcome is error or outcome is None:
            raise
        raise outcome from None
    return value_unless(await wind_up_async(run, None), value)


async def execute_async(flow: Any, state: FlowState, bound: BoundTarget, run_params: Mapping[str, Any] | None) -> None:
    """Run a flow to its end in the running event loop."""
    run = begin(flow, state, run_params)
    run.surrounding_loop = running_loop()
    if bound.target.is_async:
        run.loop = run.surrounding_loop
    token = enter(run.root)
    outcome: BaseException | None = None
    try:
        try:
            open_run(flow, state, run)
            with surroundings(run.handle, None):
                value: Any = bound.start(run.handle)
                if type(value) is _COROUTINE:
                    value = await value
        except BaseException as error:
            outcome = conclude(run, None, await wind_up_async(run, error))
        else:
            outcome = conclude(run, value, await wind_up_async(run, None))
        if outcome is not None:
            raise outcome
    finally:
        del outcome  # it would hold this frame, and this frame it
        leave(token, run.root)
        end(state, run)
        await settle_async(run)


def open_flow(flow: Any, state: FlowState) -> Run:
    """Start a run that is no call and no block: `close_flow` ends it, from whatever thread."""
    run = begin(flow, state, None)
    try:
        open_run(flow, state, run)
    except BaseException as error:
        close_flow(state, run, wind_up(run, error))
        raise
    return run


def close_flow(state: FlowState, run: Run, error: BaseException | None, status: RunStatus | None = None) -> None:
    """End such a run, which has been wound up; `status` is that of the record, if the error does not tell."""
    try:
        conclude(run, None, error)
        if status is not None:
            run.status = status
    finally:
        end(state, run)
        settle(run)
