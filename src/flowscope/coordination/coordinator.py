"""`FlowCoordinator`: the public methods of coordination, over its state and its executions."""

# ruff: noqa: ASYNC109 - the contract has these timeouts
import os
import threading
from collections.abc import Set
from types import TracebackType
from typing import Any, ClassVar, Final, Self

from ..concurrency.fork import call_in_forked_children
from ..engine.definitions.options import whole_number
from ..engine.live import Flow
from ..errors import CoordinationError
from ..executors.backends.thread_executor import default_threads
from ..model.records import FlowRun
from ..serialization.json.json_leaves import safe_repr
from .execution import Execution
from .runners.flow_internals import definition_of
from .runners.selection import RunnerSelection
from .schedule.coordinator_state import CoordinatorState
from .schedule.dependency_graph import Dependency
from .schedule.mermaid import to_mermaid
from .schedule.options import DependencyType, FlowType
from .schedule.outcome import ForcedOutcome
from .schedule.registration import register
from .schedule.summary import CoordinatorSummary, summarise
from .wait_cycles import refuse_waiting_for_itself

__all__ = ["FlowCoordinator"]

_UPSTREAM: Final = "upstream"


class FlowCoordinator:
    """Runs flows that depend on each other: each once, as soon as what it depends on has settled.

    A flow settles when it has completed, failed, timed out or been cancelled. Its outcome is then final. All methods
    may be called from several threads and event loops, at once or one after the other.

    A flow that takes a parameter `upstream` is given the outputs of its dependencies, by flow id.
    """

    _instances: ClassVar[dict[type["FlowCoordinator"], "FlowCoordinator"]] = {}
    _instances_lock: ClassVar[threading.RLock] = threading.RLock()

    def __init__(
        self,
        *,
        max_concurrency: int | None = None,
        max_threads: int | None = None,
        max_processes: int | None = None,
    ) -> None:
        """A coordinator without flows.

        Args:
            max_concurrency: How many flows may run at once; None is no limit.
            max_threads: How many of them in threads; None is four more than there are processors, at most 32.
            max_processes: How many of them in worker processes; None is the number of processors.

        Raises:
            CoordinationError: A number is below 1, or no whole number.
        """
        self._limit = _checked_bound("max_concurrency", max_concurrency)
        self._limits = {
            FlowType.THREAD: _checked_bound("max_threads", max_threads) or default_threads(),
            FlowType.PROCESS: _checked_bound("max_processes", max_processes) or os.cpu_count() or 1,
        }
        self._start_afresh()

    @staticmethod
    def _forget_in_child() -> None:
        """A forked process has none of the threads and event loops in which flows were running."""
        FlowCoordinator._instances_lock = threading.RLock()
        FlowCoordinator._instances = {}

    def _start_afresh(self) -> None:
        self._state = CoordinatorState(self._limit, self._limits)
        self._runners = RunnerSelection(self._limits[FlowType.PROCESS])

    @classmethod
    def get_instance(cls) -> Self:
        """The coordinator that all of this process share; a new one after its `cleanup`."""
        with FlowCoordinator._instances_lock:
            instance = FlowCoordinator._instances.get(cls)
            if not isinstance(instance, cls):
                instance = FlowCoordinator._instances[cls] = cls()
            return instance

    def register_flow(
        self,
        flow: Flow[Any],
        *,
        flow_type: FlowType = FlowType.INLINE,
        timeout: float | None = None,
        retries: int = 0,
    ) -> str:
        """Take a flow that is set up and not executed; return its id, under which its result will be kept.

        A sync flow that runs inline with a timeout runs in a thread, so that the deadline holds.

        Args:
            flow: The flow.
            flow_type: Where it runs.
            timeout: Seconds for each attempt, from its start; None is no limit, 0 is over before it begins.
            retries: How many extra attempts, each a run of its own, follow one that failed or timed out.

        Raises:
            FlowTakenError: Its id is registered already.
            CoordinationError: An option cannot work.
        """
        registration = register(flow, flow_type, timeout, retries)
        self._state.register(registration)
        return registration.flow_id

    def register_dependency(
        self,
        parent_id: str,
        child_id: str,
        kind: DependencyType = DependencyType.REQUIRED,
        *,
        param: str | None = None,
    ) -> None:
        """Let a flow run after another; once more with the same arguments changes nothing.

        Args:
            parent_id: What has to settle first.
            child_id: What depends on it, and has not started.
            kind: Whether the child fails too if the parent does not complete, or runs nevertheless.
            param: A parameter of the child's function that takes the parent's output, unless it was given an argument
                at set-up. It needs a default, which stays where an optional parent has not completed.

        Raises:
            UnknownFlowError: A flow is unknown.
            DependencyCycleError: It would close a cycle.
            CoordinationError: The child has started, or no such parameter can be filled. Nothing is changed.
        """
        state = self._state
        for flow_id in (parent_id, child_id):
            state.node(flow_id)
        if kind not in set(DependencyType):
            reason = f"cannot depend on another in the way {kind!r}. Choose one of {[*map(str, DependencyType)]}."
            raise CoordinationError(f"flow {child_id!r}", reason)
        if param is not None:
            _check_param(state.node(child_id).registration.flow, child_id, param)
        state.connect(Dependency(parent_id, child_id, DependencyType(kind), param))

    def get_flow(self, flow_id: str) -> Flow[Any] | None:
        """The flow of that id, as the very object; None if there is none."""
        node = self._state.find(flow_id)
        return None if node is None else node.registration.flow

    def get_dependencies(self, flow_id: str, kind: DependencyType | None = None) -> set[str]:
        """The ids of what a flow depends on directly; only those of one kind, if that is given.

        Raises:
            UnknownFlowError: The flow is unknown.
        """
        return self._state.dependencies(flow_id, kind)

    def has_cycle(self, start_id: str) -> bool:
        """Whether a path from a flow to those that depend on it leads to a cycle; False for an unknown one.

        A dependency that would close a cycle is refused, so this never finds one.
        """
        return self._state.has_cycle(start_id)

    async def execute_flow(self, flow_id: str) -> FlowRun:
        """Run a flow, with whatever it still depends on, and return its record; it does not raise what flows raise.

        What has run already, here or in another call, does not run again. Cancelling this cancels what runs for it
        alone. A flow that calls this keeps its own runner under the bounds meanwhile.

        Raises:
            UnknownFlowError: The flow is unknown.
            CoordinationError: A running flow would wait for itself.
        """
        state = self._state
        state.node(flow_id)
        await Execution(state, self._runners).run([flow_id])
        return state.records([flow_id])[flow_id]

    async def execute_all(self) -> dict[str, FlowRun]:
        """Run all flows that are registered now, and return their records by id; otherwise like `execute_flow`.

        Raises:
            CoordinationError: A running flow would wait for itself.
        """
        state = self._state
        flow_ids = state.flow_ids()
        await Execution(state, self._runners).run(flow_ids)
        return state.records(flow_ids)

    async def wait_for_flows(self, flow_ids: Set[str], timeout: float | None = None) -> dict[str, FlowRun]:
        """Wait until flows have settled, and return their records by id. This does not run them.

        Args:
            flow_ids: Which flows; none is no wait.
            timeout: Seconds; None waits as long as it takes, 0 only looks.

        Raises:
            UnknownFlowError: A flow is unknown.
            CoordinationError: A flow would wait for itself.
            TimeoutError: One has not settled in time.
        """
        state, wanted = self._state, set(flow_ids)
        refuse_waiting_for_itself(state.token, {flow_id for flow_id in wanted if state.node(flow_id).outcome is None})
        await state.wait(wanted, timeout)
        return state.records(wanted)

    async def fail_flow(self, flow_id: str, reason: str) -> None:
        """Say that a flow has failed, and with it what requires it; one that runs is stopped.

        A flow that has settled stays as it is. Returns when it has settled.

        Raises:
            UnknownFlowError: The flow is unknown.
        """
        await self._force_outcome(flow_id, ForcedOutcome.failed(reason))

    async def cancel_flow(self, flow_id: str, reason: str = "") -> None:
        """Cancel a flow, and with it what requires it; one that runs is stopped.

        An async flow is cancelled as an asyncio task is. A thread is left behind, a worker process killed. A flow that
        has settled stays as it is. Returns when it has settled.

        Raises:
            UnknownFlowError: The flow is unknown.
        """
        await self._force_outcome(flow_id, ForcedOutcome.cancelled(reason))

    async def _force_outcome(self, flow_id: str, forced: ForcedOutcome) -> None:
        state = self._state
        state.force_outcome(flow_id, forced)
        await state.wait({flow_id})

    async def handle_flow_failure(self, flow_id: str) -> None:
        """Fail the flows that require this one, and those that require them; optional dependents go on.

        This happens of itself when a flow fails. It does nothing where the flow has completed.

        Raises:
            UnknownFlowError: The flow is unknown.
        """
        self._state.fail_dependents(flow_id)

    def get_result(self, flow_id: str) -> FlowRun | None:
        """The record of a flow that has settled; None before, and for an unknown one."""
        node = self._state.find(flow_id)
        return None if node is None or node.outcome is None else node.outcome.record

    def get_results_by_name(self, name: str) -> list[FlowRun]:
        """The records of the settled flows of that name, in the order of their registration."""
        state = self._state
        return [record for record in state.records(state.flow_ids()).values() if record.flow_name == name]

    def summary(self) -> CoordinatorSummary:
        """How many flows are in which state."""
        return summarise(self._state.snapshot())

    def to_mermaid(self) -> str:
        """The flows, their states and their dependencies, as text that Mermaid draws."""
        return to_mermaid(self._state.snapshot())

    async def cleanup(self) -> None:
        """Cancel what has not settled, wait for its end, and forget all flows; the coordinator is as new then."""
        with FlowCoordinator._instances_lock:
            if FlowCoordinator._instances.get(type(self)) is self:
                del FlowCoordinator._instances[type(self)]
        state, runners = self._state, self._runners
        self._start_afresh()
        try:
            await state.close(ForcedOutcome.cancelled("the coordinator was cleaned up")).wait()
        finally:
            runners.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.cleanup()


def _checked_bound(name: str, bound: object) -> int | None:
    """How many flows run at once; None for the default.

    Raises:
        CoordinationError: It is no whole number, or below 1.
    """
    number = whole_number(bound)
    if bound is not None and (number is None or number < 1):
        raise CoordinationError(
            name, f"cannot be {safe_repr(bound)}. Give a whole number from 1, or None for the default."
        )
    return number


def _check_param(flow: Flow[Any], flow_id: str, param: str) -> None:
    """Refuse a parameter that cannot take an output.

    Raises:
        CoordinationError: There is no such parameter, or it takes something else.
    """
    definition = definition_of(flow)
    takes = [parameter.name for parameter in definition.named]
    if param == _UPSTREAM:
        reason = "takes all outputs together as 'upstream'. Choose another parameter for one of them."
    elif param not in takes:
        reason = f"has no parameter {param!r}: {definition.name}() takes {takes}. Add one with a default."
    else:
        return
    raise CoordinationError(f"flow {flow_id!r}", reason)


call_in_forked_children(FlowCoordinator._forget_in_child)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # of this module
