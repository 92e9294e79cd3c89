"""Executing flows: the sync and the async driver, and `with` blocks, around the decisions of `flow_life`."""

from collections.abc import Mapping
from contextvars import Token
from types import CoroutineType
from typing import Any, TypeVar

from .context import Scope, enter, leave
from .flow_life import (
    FlowState,
    begin,
    close_shared,
    close_shared_async,
    complete,
    end,
    failed,
    open_run,
    raises,
    settle,
    settle_async,
)
from .flow_target import BoundTarget
from .loops import run_in_new_loop
from .run import Run

T = TypeVar("T")

_COROUTINE: Any = CoroutineType

__all__ = ["Block", "enter_block", "execute", "execute_async", "exit_block", "exit_block_async"]


def execute(flow: Any, state: FlowState, bound: BoundTarget, run_params: Mapping[str, Any] | None) -> None:
    """Run a flow to its end: an async one in a new event loop."""
    if bound.target.is_async:
        run_in_new_loop(lambda: execute_async(flow, state, bound, run_params))
    else:
        _execute_sync(flow, state, bound, run_params)


def _execute_sync(flow: Any, state: FlowState, bound: BoundTarget, run_params: Mapping[str, Any] | None) -> None:
    run = begin(flow, state, run_params, executing=True)
    token = enter(run.root)
    try:
        try:
            open_run(flow, state, run)
            value: Any = bound.call(run.handle)
            if type(value) is _COROUTINE:
                value = _run_coroutine(value)
        except BaseException as error:
            close_shared(run, error)
            failed(run, error)
            if raises(run, error):
                raise
        else:
            _succeed(run, value, close_shared(run, None))
    finally:
        leave(token, run.root)
        end(state, run)
        settle(run)


async def execute_async(flow: T, state: FlowState, bound: BoundTarget, run_params: Mapping[str, Any] | None) -> T:
    """Run a flow to its end in the running event loop, and return it."""
    run = begin(flow, state, run_params, executing=True)
    token = enter(run.root)
    try:
        try:
            open_run(flow, state, run)
            value: Any = bound.start(run.handle)
            if type(value) is _COROUTINE:
                value = await value
        except BaseException as error:
            await close_shared_async(run, error)
            failed(run, error)
            if raises(run, error):
                raise
        else:
            _succeed(run, value, await close_shared_async(run, None))
    finally:
        leave(token, run.root)
        end(state, run)
        await settle_async(run)
    return flow


def _run_coroutine(coroutine: Any) -> Any:
    """A plain function in front of an async one has returned its coroutine."""

    async def run() -> Any:
        return await coroutine

    return run_in_new_loop(run)


def _succeed(run: Run, value: object, late: BaseException | None) -> None:
    """The function has returned; `late` is what a provider raised while it was closed."""
    if late is None:
        complete(run, value)
        return
    failed(run, late)
    if raises(run, late):
        raise late


class Block:
    """A `with flow:` block that is open."""

    __slots__ = ("run", "token")

    def __init__(self, run: Run, token: Token[Scope | None]) -> None:
        self.run = run
        self.token = token


def enter_block(flow: Any, state: FlowState) -> None:
    """Start a run that ends with the block."""
    run = begin(flow, state, None, executing=False)
    block = Block(run, enter(run.root))
    state.blocks.append(block)
    try:
        open_run(flow, state, run)
    except BaseException as error:
        state.blocks.remove(block)
        _leave_block(state, block, error)
        settle(run)
        raise


def exit_block(state: FlowState, error: BaseException | None) -> None:
    """End the block's run, unless an execution inside the block has been the run."""
    block: Block = state.blocks.pop()
    outcome = None if block.run.ended else close_shared(block.run, error)
    _leave_block(state, block, outcome)
    settle(block.run)
    if outcome is not error and outcome is not None:
        raise outcome


async def exit_block_async(state: FlowState, error: BaseException | None) -> None:
    """End the block's run, unless an execution inside the block has been the run."""
    block: Block = state.blocks.pop()
    outcome = None if block.run.ended else await close_shared_async(block.run, error)
    _leave_block(state, block, outcome)
    await settle_async(block.run)
    if outcome is not error and outcome is not None:
        raise outcome


def _leave_block(state: FlowState, block: Block, outcome: BaseException | None) -> None:
    """`outcome` is the block's error, or else what a provider raised while it was closed."""
    leave(block.token, block.run.root)
    if block.run.ended:
        return
    if outcome is None:
        complete(block.run, None)
    else:
        failed(block.run, outcome)
    end(state, block.run)
