"""One attempt of a task for a run in another process: what happens is told to that run, and nothing is kept here."""

import copy
import weakref
from collections.abc import Mapping
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from ..._clock import anchor, tick
from ...concurrency.buffers import Buffer
from ...concurrency.event_loops import run_in_new_loop, running_loop
from ...engine.capture.streams import begin_capture, end_capture, write_console
from ...engine.definitions.callables import Kind
from ...engine.definitions.task_definition import TaskDefinition
from ...engine.events.dispatcher import EventDispatcher, FinalEvents
from ...engine.flow_base import state_of
from ...engine.injection.invocation import value_unless
from ...engine.lifecycle.flow_lifecycle import wind_up, wind_up_async
from ...engine.lifecycle.task_drivers import attempt_here, attempt_here_async
from ...engine.live import Flow
from ...engine.run.call_store import CountedCalls
from ...engine.run.log import ArtifactFact, LogLine, ResultFact, RunLog
from ...engine.run.run import Run
from ...engine.scope.call import Call, call_at, inputs_of
from ...engine.scope.context import Handle, Scope, enter, leave
from ...model.config import FlowConfig
from ...model.events import EventType
from ...model.status import RunStatus
from ...serialization.error_info import ErrorInfo

__all__ = ["HostedAttempt", "Sink", "run_hosted"]

T = TypeVar("T")


class Sink(Protocol):
    """Tells the other process what happens. May be called from any thread."""

    def keep(self, item: LogLine | ArtifactFact | ResultFact) -> None:
        """Something was logged, printed or found."""
        ...

    def entered(self, call: Call) -> None:
        """A task called by the hosted one begins."""
        ...

    def retried(self, call: Call, data: dict[str, Any]) -> None:
        """An attempt of a task called by the hosted one has failed, and another one follows."""
        ...

    def left(self, call: Call, error: ErrorInfo | None) -> None:
        """A task called by the hosted one has ended."""
        ...


class HostedAttempt(NamedTuple):
    """What is to be run, and for which flow."""

    definition: TaskDefinition
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    attempt: int
    deadline: int | None
    task_id: str
    token: str
    flow_id: str
    flow_name: str
    config: FlowConfig
    tags: tuple[str, ...]
    data: dict[str, Any]
    provided: Mapping[str, Any]


def run_hosted(told: HostedAttempt, sink: Sink) -> Any:
    """Run it to its end, and return its value or raise its exception."""
    flow = _flow_of(told)
    run = _run_of(told, flow, sink)
    call = _call_of(told, run)
    token = enter(call)
    try:
        if told.definition.kind is Kind.ASYNC:
            return run_in_new_loop(lambda: _attempt_async(run, call, told))
        return _attempt(run, call, told)
    finally:
        leave(token, call)
        _finish(run, call, sink)


def _attempt(run: Run, call: Call, told: HostedAttempt) -> Any:
    try:
        value = attempt_here(call, told.args, told.kwargs)
    except BaseException as error:
        wind_up(run, error)
        raise
    return value_unless(wind_up(run, None), value)


async def _attempt_async(run: Run, call: Call, told: HostedAttempt) -> Any:
    run.loop = running_loop()
    try:
        value = await attempt_here_async(call, told.args, told.kwargs)
    except BaseException as error:
        await wind_up_async(run, error)
        raise
    return value_unless(await wind_up_async(run, None), value)


def _flow_of(told: HostedAttempt) -> Flow[Any]:
    """The flow as the task sees it: an argument, if the task is a method of its flow."""
    for value in told.args:
        if isinstance(value, Flow) and value.flow_id == told.flow_id:
            return value  # pyright: ignore[reportUnknownVariableType] # of what does not matter here
    made: Flow[Any] = Flow(flow_id=told.flow_id, flow_name=told.flow_name, flow_config=told.config, tags=told.tags)
    return made


def _run_of(told: HostedAttempt, flow: Flow[Any], sink: Sink) -> Run:
    handle = Handle(told.flow_id, told.flow_name, told.token, anchor(), weakref.ref(flow))
    handle.provided = told.provided
    handle.given_ids[1] = told.task_id
    quiet = {"log_to_console": False, "print_finished_message": False, "log_to_memory": True, "capture_events": False}
    config = told.config.model_copy(update=quiet)  # the flow's own process prints
    run = Run(flow, handle=handle, config=config, tags=told.tags, listeners=[], write_console=write_console)
    run.is_observed = True
    run.calls = CountedCalls()
    run.dispatcher = relay = _Relay(handle, sink)
    run.log = log = _RawRunLog(handle, config, relay, run.redactor, write_console)
    log.lines = _Told(sink)
    log.artifacts = _Told(sink)
    log.results = _Told(sink)
    run.waiting_prints = log.partial
    run.proxies = begin_capture(run)
    state = state_of(flow)
    state.run = run
    state.data = told.data
    return run


def _call_of(told: HostedAttempt, run: Run) -> Call:
    definition = copy.copy(told.definition)
    definition.timeout = None  # the other process watches the time
    call: Call = definition.new_call()
    call.handle = run.handle
    call.definition = definition
    call.parent = run.root
    call.inputs = inputs_of(told.args, told.kwargs)
    call.order = next(run.orders)
    call.started = tick()
    call.ended = 0
    call.status = RunStatus.RUNNING
    call.value = None
    call.extras = None
    call.attempt = told.attempt
    call.deadline = told.deadline
    return call


def _finish(run: Run, call: Call, sink: Sink) -> None:
    run.log.flush(call)
    run.log.flush(None)
    for abandoned in run.close():
        sink.left(abandoned, None)
    run.release()
    end_capture(run.proxies)


class _RawRunLog(RunLog):
    """Leaves messages as they are: they are made plain where they are recorded."""

    __slots__ = ()

    def _text(self, message: object) -> object:
        return message


class _Told(Generic[T]):
    """Keeps nothing, and tells everything."""

    dropped = 0

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def append(self, item: Any, /) -> None:
        self._sink.keep(item)

    def items(self) -> list[T]:
        return []

    def close(self) -> Buffer[T]:
        return self


class _Relay(EventDispatcher):
    """Tells of the lifecycle of tasks; everything else is told as it is recorded."""

    __slots__ = ("_sink",)

    def __init__(self, handle: Handle, sink: Sink) -> None:
        super().__init__(handle, [], None)
        self._sink = sink

    @property
    def has_listeners(self) -> bool:
        return True

    def emit(
        self,
        kind: EventType,
        data: dict[str, Any],
        scope: Scope | None,
        *,
        source: str | None = None,  # noqa: ARG002 - of the port
        level: int = 0,  # noqa: ARG002 - of the port
    ) -> None:
        call = call_at(scope, self._handle)
        if call is None:
            return
        if kind is EventType.TASK_START:
            self._sink.entered(call)
        elif kind is EventType.TASK_RETRY:
            self._sink.retried(call, data)
        elif kind is EventType.TASK_STOP:
            self._sink.left(call, data["error"])

    def finish(self, final_events: FinalEvents) -> None:
        """The other process has the last word."""
