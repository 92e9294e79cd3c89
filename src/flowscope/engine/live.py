"""`Flow` and `Task`, the live objects of users. They delegate to the run and the call behind them."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Generator, Mapping, Sequence
from types import TracebackType
from typing import Any, Generic, Self

from typing_extensions import TypeIs

from .._clock import seconds, tick
from ..concurrency.event_loops import run_in_new_loop, running_loop
from ..errors import AlreadyRunningError, DefinitionError, NotSetUpError
from ..model.events import EventType
from ..model.records import Artifact, Result
from ..model.status import RunStatus
from .definitions.callables import Kind, define
from .definitions.result_types import refuse_contradiction
from .definitions.task_definition import TaskDefinition, task_definition_of
from .events.bus import Listener, Subscription
from .flow_base import FlowInspection, R, state_of
from .injection.resolver import task_data
from .lifecycle.flow_blocks import enter_block, exit_block, exit_block_async
from .lifecycle.flow_definition import BoundTarget, FlowDefinition
from .lifecycle.flow_drivers import execute, execute_async
from .lifecycle.flow_state import ensure_live_run
from .lifecycle.task_drivers import caller_of
from .lifecycle.task_lifecycle import report_progress, revise
from .logging_methods import LoggingMethods
from .run.run import Run
from .scope.call import Call, CallExtras, Inputs, inputs_of
from .scope.context import NOTHING, Handle, no_active_flow

__all__ = ["LIVE_TYPES", "Flow", "Task", "is_flow"]


class Flow(LoggingMethods, FlowInspection[R], Generic[R]):
    """One run of a flow: set up, executed, then inspected.

    Functions decorated with `@flow` return one. A subclass declares typed inputs as fields and the work as `run()`,
    and is executed without `setup()`. Two flows are equal if they are the same object.
    """

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a field that hides an attribute of `Flow`, and a `run` whose return annotation contradicts `R`.

        Raises:
            DefinitionError: The class has such a field or such a `run`.
        """
        super().__pydantic_init_subclass__(**kwargs)
        for name in cls.__pydantic_fields__.keys() - FlowInspection.__pydantic_fields__.keys():
            if any(name in vars(part) for part in (Flow, LoggingMethods, FlowInspection)):
                raise DefinitionError(f"flow class {cls.__name__!r}", f"a flow has {name!r} already. Rename the field.")
        for name in ("run", "main"):
            if inspect.isroutine(work := vars(cls).get(name)):
                refuse_contradiction(cls, Flow, name, work)

    def _live_run(self) -> Run | None:
        return ensure_live_run(self._live)

    def setup(self, target: Callable[..., Any] | None = None, /, *args: Any, **kwargs: Any) -> Self:
        """Set the function of the flow, and its arguments.

        Args:
            target: A sync or async function, method, partial or callable object. None: the subclass's `run()`, else
                `main()`.
            *args: Its positional arguments.
            **kwargs: Its keyword arguments.

        Raises:
            ParameterError: A value does not fit its parameter.
            TypeError: An argument is missing or unexpected.
            DefinitionError: `target` cannot be a flow.
        """
        planned = FlowDefinition(define(self._own_target() if target is None else target, "flow"), LIVE_TYPES)
        return self.setup_planned(planned, args, kwargs)

    def setup_planned(self, target: FlowDefinition, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Self:
        """Set the function of the flow, whose plan exists already, as with `@flow`."""
        state, fields = self._live, self.__dict__
        if not fields["flow_name"]:
            self._name(target.name)
        hooked = type(self).task_dependencies is not Flow.task_dependencies
        state.bound = target.bind(args, kwargs, None if hooked else state.present_provided.keys(), fields["flow_name"])
        fields["flow_config"].custom_setup(self)
        return self

    def _own_target(self) -> Callable[..., Any]:
        run: Callable[..., Any] = getattr(self, "run", self.main)
        return run

    def main(self) -> Any:
        """The function of a flow without another one; a subclass may override it, or define `run()`."""
        return None

    def provide(self, /, **dependencies: Any) -> Self:
        """Make values injectable, by parameter name, in this flow and its tasks; while it runs, or in its block, in this run only."""
        state = self._live
        run = state.live_run
        present = state.pending_block if run is None else run.handle
        if present is None:
            state.provided = {**state.provided, **dependencies}
        else:
            present.provide({**present.provided, **dependencies})
        return self

    def task_dependencies(self) -> Mapping[str, Any]:
        """A hook for subclasses: more injectable values, by parameter name; called once at the start of each run."""
        return NOTHING

    def add_listener(self, listener: Listener, *event_types: EventType) -> Subscription:
        """Call `listener` for this flow's events only: all, or those of the given types."""
        state = self._live
        run = state.live_run
        if run is not None:
            run.is_observed = True
        return Subscription(state.listeners, listener, event_types)

    def execute(self) -> Self:
        """Run to the end, and return this flow.

        A sync flow runs in this thread. An async flow runs in a new event loop: in this thread, or, where a loop is
        running here, in a new one while this one waits (there, `await` the flow instead).

        Raises:
            Exception: The error of the flow's function, unless `raise_flow_error` is off.
            NotSetUpError: The flow has no function.
            AlreadyRunningError: The flow is running already.
        """
        return self.execute_flow()

    def execute_flow(self, flow_run_params: Mapping[str, Any] | None = None) -> Self:
        """Run to the end like `execute`, with parameters of this run that go into its record as `run_params`."""
        state = self._live
        execute(self, state, state.bound or self._own_bound(), flow_run_params)
        return self

    async def execute_async(self, flow_run_params: Mapping[str, Any] | None = None) -> Self:
        """Run to the end in the running event loop, and return this flow; a sync flow runs in this thread."""
        state = self._live
        await execute_async(self, state, state.bound or self._own_bound(), flow_run_params)
        return self

    def __await__(self) -> Generator[Any, Any, Self]:
        """`await flow` is `await flow.execute_async()`."""
        return self.execute_async().__await__()

    def _own_bound(self) -> BoundTarget:
        """The function of a subclass, which sets itself up."""
        own = type(self)
        if not hasattr(self, "run") and own.main is Flow.main and own.setup is Flow.setup:
            raise NotSetUpError(self.flow_name or "Flow")
        self.setup()
        bound = self._live.bound
        if bound is None:  # an overridden setup() that did nothing
            raise NotSetUpError(self.flow_name)
        return bound

    def __enter__(self) -> Self:
        """Enter a block that is the run: tasks called in it belong to this flow.

        The run opens with the first task, message, print or execution in it, so that all that is set before counts. A
        flow that has ended is left as it is: no flow is running in such a block.

        Raises:
            AlreadyRunningError: The flow is running already.
        """
        enter_block(self, self._live, None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        exit_block(self._live, error)

    async def __aenter__(self) -> Self:
        """Enter a block that is the run: tasks called in it belong to this flow.

        The run opens with the first task, message, print or execution in it, so that all that is set before counts. A
        flow that has ended is left as it is: no flow is running in such a block.

        Raises:
            AlreadyRunningError: The flow is running already.
        """
        enter_block(self, self._live, running_loop())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await exit_block_async(self._live, error)

    def add_flow_artifact(
        self,
        description: str | None = None,
        key: str | None = None,
        data: Any = None,
        artifact_type: str | None = None,
    ) -> Artifact:
        """Record something worth keeping, under the task that is running.

        Raises:
            NoActiveFlowError: The flow is not running.
        """
        return self._add_artifact(key, description, artifact_type, data)

    def add_flow_result(self, key: str, description: str = "", value: Any = None) -> Result:
        """Record a named outcome, under the task that is running.

        Raises:
            NoActiveFlowError: The flow is not running.
        """
        return self._add_result(key, description, value)

    @property
    def executed_tasks(self) -> Sequence[Task]:
        """The calls of its tasks in the order of their start; empty with `add_task_to_self=False`."""
        run = self._live.run
        calls: list[Any] = [] if run is None else list(run.calls.all())
        return calls

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


def is_flow(value: object) -> TypeIs[Flow[Any]]:
    """Whether an object is a flow of any class."""
    return isinstance(value, Flow)


class Task(LoggingMethods, Call):
    """One live call of a task function; inside it, `this_task`.

    It may also be made by hand and run inside a flow, once: `Task(function, 1, b=2).execute_sync()`. All keyword
    arguments go to the function; `task_name` and `raise_on_error` are set as attributes.
    """

    __slots__ = ()

    def __init__(self, target: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        known = task_definition_of(target)
        definition = TaskDefinition(define(target, "task"), LIVE_TYPES) if known is None else copy.copy(known)
        self.definition: Any = definition
        definition.new_call = lambda: self
        self.handle: Handle = Handle("", "", "", 0, lambda: None)
        self.inputs: Inputs = inputs_of(args, kwargs)
        self.order = self.started = self.ended = 0
        self.status = RunStatus.PENDING
        self.value: Any = None
        self.extras: CallExtras | None = None

    def execute_sync(self) -> Any:
        """Run in the running flow, and return the function's value.

        Raises:
            NoActiveFlowError: No flow is running here.
            AlreadyRunningError: It has been executed.
        """
        value = self._caller()(*self.args, **self.kwargs)
        return run_in_new_loop(lambda: value) if self.definition.kind is Kind.ASYNC else value

    async def execute_async(self) -> Any:
        """Run in the running flow, and return the function's value; the function may be sync or async."""
        value = self._caller()(*self.args, **self.kwargs)
        return await value if self.definition.kind is Kind.ASYNC else value

    def _caller(self) -> Callable[..., Any]:
        if self.status is not RunStatus.PENDING:
            raise AlreadyRunningError(f"task {self.task_name!r}", self.status)
        return caller_of(self.definition)

    def _live_run(self) -> Run | None:
        run: Run | None = self.handle.run
        return run

    @property
    def task_id(self) -> str:
        """Unique; empty before the start."""
        return self.handle.task_id(self.order) or ""

    @property
    def task_name(self) -> str:
        """The function's name, or the one that was given. Setting it, until the call has ended, renames this call alone."""
        name: str = self.definition.name
        return name

    @task_name.setter
    def task_name(self, name: str) -> None:
        revise(self, "task_name", name)

    @property
    def raise_on_error(self) -> bool:
        """Whether its exception goes on to the caller. Setting it, until the call has ended, changes this call alone."""
        tolerant: bool = self.definition.raise_on_error
        return tolerant

    @raise_on_error.setter
    def raise_on_error(self, value: bool) -> None:
        revise(self, "raise_on_error", value)

    @property
    def flow(self) -> Flow[Any]:
        """The flow it belongs to.

        Raises:
            NoActiveFlowError: It belongs to no flow, or its flow has been garbage-collected.
        """
        flow = self.handle.find_flow()
        if not is_flow(flow):
            raise no_active_flow(f"task {self.task_name!r}", None)
        return flow

    @property
    def task_data(self) -> dict[str, Any]:
        """The dictionary of this call; injected as `task_data`."""
        data = task_data(self)
        if self.status is RunStatus.PENDING:
            self.definition.extras = self.extras
        return data

    @property
    def task_return_value(self) -> Any:
        """The value of its function; None before the end, and where return values are not recorded."""
        return self.value

    @property
    def task_error(self) -> BaseException | None:
        """The error of its function, as the very object; None after its flow has been garbage-collected."""
        run = self._live_run()
        if run is None:
            flow = self.handle.find_flow()
            run = state_of(flow).run if is_flow(flow) else None
        failure = run.failures.get(self.order) if run is not None and run.handle is self.handle else None
        return None if failure is None else failure.error

    @property
    def remaining(self) -> float | None:
        """Seconds to the deadline of this attempt, at least 0.0; None without a `timeout`."""
        return None if self.deadline is None else max(0.0, seconds(tick(), self.deadline))

    def add_artifact(
        self,
        description: str | None = None,
        key: str | None = None,
        data: Any = None,
        artifact_type: str | None = None,
    ) -> Artifact:
        """Record something worth keeping, under the task that is running.

        Raises:
            NoActiveFlowError: The flow has ended.
        """
        return self._add_artifact(key, description, artifact_type, data)

    def add_result(self, key: str, description: str = "", value: Any = None) -> Result:
        """Record a named outcome, under the task that is running.

        Raises:
            NoActiveFlowError: The flow has ended.
        """
        return self._add_result(key, description, value)

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Report the progress of this task, in units of your own.

        The record has the last report. Listeners get a `task_progress` event for each, at most ten a second, and for the
        last one in any case.

        Args:
            done: How much is done.
            total: How much there is to do; None if that is unknown.
            message: What the task does now.

        Raises:
            NoActiveFlowError: The task is not running.
            TypeError: `done` or `total` is no number.
            ValueError: One of them is not finite.
        """
        report_progress(self, done, total, message)

    def __repr__(self) -> str:
        return f"<Task {self.task_name!r} {self.status}>"


LIVE_TYPES: Mapping[str, type] = {"this_flow": Flow, "this_task": Task}
"""The built-in names that a parameter's annotation may stand for."""

Flow.model_config["defer_build"] = False  # what users declare in subclasses is checked when it is declared
