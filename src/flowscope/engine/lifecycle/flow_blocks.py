"""`with flow:` and `async with flow:`: the block is the run, which starts with the first task, message or print in it."""

import weakref
from collections.abc import Mapping
from contextlib import ExitStack
from contextvars import Token
from typing import Any

from ..._clock import anchor, tick
from ...concurrency.event_loops import running_loop
from ...concurrency.process_locks import LOCKS
from ...errors import AlreadyRunningError
from ...model.status import RunStatus
from ..capture.streams import begin_capture_of_block, end_capture
from ..run.cancellation import LoopPlace, join_outer_run
from ..run.run import Run
from ..scope.context import NOTHING, BlockHandle, Handle, LiveFlow, Scope, current, enter, leave
from .flow_lifecycle import (
    conclude,
    end,
    end_children_and_providers,
    new_run,
    notify_started,
    parent_at,
    record_inputs,
    settle,
)
from .flow_state import FlowState
from .steps import Steps, perform, perform_async

__all__ = ["Block", "enter_block", "exit_block", "exit_block_async"]


class Block:
    """A `with flow:` block that is entered."""

    __slots__ = (
        "_flow",
        "_hooked",
        "_loop",
        "_place",
        "_proxies",
        "_state",
        "_surrounding_loop",
        "_surroundings",
        "root",
        "run",
        "started",
        "token",
    )

    def __init__(self, flow: LiveFlow, state: FlowState, loop: object) -> None:
        self._flow = flow
        self._state = state
        self._loop = loop
        """The event loop of an `async with` block."""
        self._surrounding_loop = running_loop()
        self._place: LoopPlace | None = None if self._surrounding_loop is None else LoopPlace()
        self.started: int = tick()
        """The tick of its entry."""
        self._hooked: Mapping[str, Any] = NOTHING
        self._proxies: Any = ()
        self._surroundings = ExitStack()
        """The context managers of sinks around the rest of the block."""
        self.run: Run | None = None
        """Its run, after the start; None for good in a block on a flow that has ended."""
        self.root: Scope = Scope()
        self.token: Token[Scope | None]

    def enter(self) -> None:
        """Enter the scope of the block in this context.

        Raises:
            AlreadyRunningError: The flow is running already.
        """
        flow, state = self._flow, self._state
        find_flow = weakref.ref(flow)
        with LOCKS.starting:
            if state.executing or state.pending_block is not None or state.live_run is not None:
                raise AlreadyRunningError(f"flow {flow.flow_name or 'Flow'!r}", RunStatus.RUNNING)
            if state.run is not None:
                self.root.handle = Handle(flow.flow_id, flow.flow_name, "", 0, find_flow)
            else:
                self.root.handle = state.pending_block = BlockHandle(flow.flow_name, anchor(), find_flow, self._open)
                self._proxies = begin_capture_of_block()
        state.expected = False
        self.token = enter(self.root)

    def ask_for_dependencies(self) -> None:
        """Call the flow's `task_dependencies`, once, and provide the values."""
        if isinstance(self.root.handle, BlockHandle):
            self._hooked = self._flow.task_dependencies()
            if self._hooked and self.run is not None:
                self._provide(self.run)

    def _open(self) -> None:
        """Start the run. Its sinks get the start before a context reaches the run: no other fact comes first."""
        flow, state, handle = self._flow, self._state, self.root.handle
        flow._name("Flow")  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - a part of the same object
        outer = None if self.token.old_value is Token.MISSING else self.token.old_value
        parent = parent_at(outer)
        outer_run: Run | None = None if outer is None else outer.handle.run
        with LOCKS.starting:
            self.run = run = new_run(flow, state, parent, handle if isinstance(handle, BlockHandle) else None)
            state.pending_block = None
        join_outer_run(run, outer_run, None if outer_run is None else outer_run.cancellation)
        end_capture(self._proxies)
        run.root = self.root
        run.loop, run.surrounding_loop, run.place = self._loop, self._surrounding_loop, self._place
        if run.cancellation is not None:
            run.cancellation.deliver_in_loop()
        run.started = self.started
        self._provide(run)
        try:
            notify_started(run)
        finally:
            handle.run = run
        if run.activation is not None and current.get() is self.root:
            self._surroundings.enter_context(run.activation(None))

    def _provide(self, run: Run) -> None:
        run.handle.provide({**run.handle.provided, **self._hooked})
        record_inputs(self._flow, self._state, run)

    def ensure_run(self, error: BaseException | None) -> BaseException | None:
        """Start the run, if it has not started; return the error with which it ends."""
        try:
            self.root.handle.ensure_run()
        except BaseException as interrupt:  # of a listener
            return interrupt if error is None else error
        return error

    @property
    def live_run(self) -> Run | None:
        """Its run, unless that has ended."""
        return None if self.run is None or self.run.ended else self.run

    def leave(self, outcome: BaseException | None) -> BaseException | None:
        """Leave the scope of the block, and end the run with the error of the block or of its children; return its error."""
        self._surroundings.close()
        leave(self.token, self.root)
        run = self.live_run
        if run is None:
            return outcome
        conclude(run, None, outcome)
        end(self._state, run)
        return None if run.failure is None else run.failure.error


def enter_block(flow: LiveFlow, state: FlowState, loop: object) -> None:
    """Enter a block that is the run of a flow; `loop` is the event loop of an `async with` block.

    A block on a flow that has ended is no run: the record of the flow stays as it is, and no flow runs in the block.
    """
    block = Block(flow, state, loop)
    block.enter()
    state.blocks.append(block)
    try:
        block.ask_for_dependencies()
    except BaseException as error:
        state.blocks.remove(block)
        block.leave(block.ensure_run(error))
        if block.run is not None:
            perform(settle(block.run))
        raise


def exit_block(state: FlowState, error: BaseException | None) -> None:
    """End the block's run, unless an execution inside the block has been the run."""
    _raise_other(perform(_exit(_left_block(state), error)), error)


async def exit_block_async(state: FlowState, error: BaseException | None) -> None:
    """End the block's run, unless an execution inside the block has been the run."""
    _raise_other(await perform_async(_exit(_left_block(state), error)), error)


def _exit(block: Block, error: BaseException | None) -> Steps[BaseException | None]:
    """End a block, with or without an error; return the error with which its run ends."""
    ending = block.ensure_run(error)
    if block.live_run is not None:
        ending = yield from end_children_and_providers(block.live_run, ending)
    ending = block.leave(ending)
    if block.run is not None:
        yield from settle(block.run)
    return ending


def _raise_other(ending: BaseException | None, error: BaseException | None) -> None:
    """Raise the error with which a run ends; the error of the block propagates by itself."""
    if ending is not error and ending is not None:
        raise ending


def _left_block(state: FlowState) -> Block:
    """Remove and return the block of this context: several contexts may be in blocks on one flow that has ended."""
    scope = current.get()
    block = next((block for block in reversed(state.blocks) if block.root is scope), state.blocks[-1])
    state.blocks.remove(block)
    return block  # type: ignore[no-any-return] # the state keeps nothing else there
