"""One live run of a flow: its parts, its start and its end."""

import copy
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from itertools import count
from typing import Any, Final

from ..._clock import seconds, tick
from ...concurrency.buffers import Buffer, RingBuffer, UnboundedBuffer
from ...concurrency.process_locks import LOCKS
from ...model.config import FlowConfig
from ...model.events import FlowEvent
from ...model.records import Dropped, LogSource, Progress
from ...model.status import RunStatus
from ...serialization.exception_snapshot import Failure, Failures, LatestFailure
from ...serialization.secrets.redaction import Redactor, run_redactor
from ..definitions.injection_plan import Plan
from ..events.bus import Listener
from ..events.dispatcher import EventDispatcher
from ..injection.flow_resources import SharedProviders
from ..injection.provider_stack import ProviderStack
from ..injection.resolver import CallResolver
from ..ports import FailedAttempt, RunSink, RunStart, TaskCounts, sink_factories
from ..scope.call import Call
from ..scope.context import NOTHING, Handle, LiveFlow, Scope
from .call_store import CallStore, CountedCalls, KeptCalls
from .cancellation import Cancellation, LoopPlace, Wakers
from .child_tasks import ChildTasks
from .event_sink import EventSink
from .log import LogMemory, PartialLines, RunLog
from .sinks import Activation, activation_of, new_sinks

RUNNING: Final = RunStatus.RUNNING  # an enum looks a member up slowly

__all__ = ["Run", "provider_stack_at", "recorded_run", "surroundings"]


class TaskReports:
    """What few tasks of a run tell, by execution order."""

    __slots__ = ("failed_attempts", "progress", "run_names", "yield_counts")

    def __init__(self) -> None:
        self.failed_attempts: dict[int, list[FailedAttempt]] = {}
        """The failed attempts that others have followed."""
        self.yield_counts: dict[int, int] = {}
        """The numbers of items of generators."""
        self.run_names: dict[int, str | None] = {}
        """The names of calls."""
        self.progress: dict[int, Progress] = {}
        """The last progress."""


_NO_REPORTS: Final = TaskReports()


class Run:
    """The state of one run. Any thread adds facts without errors; after `close` the record does not change."""

    __slots__ = (
        "abandoned_threads",
        "activation",
        "calls",
        "cancellation",
        "children",
        "config",
        "description",
        "dispatcher",
        "ended",
        "failure",
        "failures",
        "flow",
        "handle",
        "is_decided",
        "is_observed",
        "keeps_failures",
        "keeps_inputs",
        "keeps_values",
        "log",
        "loop",
        "nested",
        "noted_calls",
        "orders",
        "params",
        "parent_flow_id",
        "parent_task_id",
        "partial_lines",
        "place",
        "placements",
        "proxies",
        "redactor",
        "reports",
        "root",
        "run_name",
        "run_params",
        "shared",
        "siblings",
        "sinks",
        "start_is_notified",
        "started",
        "status",
        "surrounding_loop",
        "tags",
        "value",
        "wakers",
    )

    tags: tuple[str, ...]
    parent_flow_id: str | None
    parent_task_id: str | None

    def __init__(  # noqa: PLR0915 - one line for each part
        self,
        flow: LiveFlow | None,
        *,
        start: RunStart,
        calls: CallStore,
        log: RunLog,
        dispatcher: EventDispatcher,
        sinks: tuple[RunSink, ...],
        is_observed: bool,
        failures: Failures,
    ) -> None:
        handle, config, self.tags, self.parent_flow_id, self.parent_task_id = start
        self.flow = flow
        """The flow, while it is running; None also for a plain call of no flow."""
        self.config: FlowConfig = config
        self.handle: Handle = handle
        """The reference of contexts to this run."""
        self.root: Scope = Scope()
        """The scope of the flow's own function."""
        self.root.handle = handle
        self.proxies: Any = ()
        """The proxies that capture its prints, while it is running."""
        self.params: Mapping[str, Any] = NOTHING
        self.run_params: Mapping[str, Any] = NOTHING
        self.status: RunStatus = RUNNING
        self.value: Any = None
        self.failure: Failure | None = None
        self.abandoned_threads: dict[int, threading.Thread] = {}
        """Threads that were abandoned at a deadline, by execution order."""
        self.placements: dict[int, str] = {}
        """The executors of tasks that were submitted, by execution order."""
        self.children: ChildTasks | None = None
        """The submitted calls; None before the first."""
        self.loop: object = None
        """The event loop in which its function runs, if that is async."""
        self.surrounding_loop: object = None
        """The event loop around a sync `with` block, or in which a function that is not async is awaited."""
        self.place: LoopPlace | None = None
        """The asyncio task in which its code is awaited."""
        self.cancellation: Cancellation | None = None
        """Its cancellation, once that was asked for."""
        self.is_decided: bool = False
        """Whether its outcome is decided: it is too late for a cancellation."""
        self.nested: set[Any] | None = None
        """The nested runs that have not ended; None before the first."""
        self.siblings: set[Any] | None = None
        """The nested runs of the run around it, which it is one of."""
        self.wakers: Wakers | None = None
        """The callbacks that end the waits of its threads; None before the first."""
        self.calls: CallStore = calls
        self.orders: Iterator[int] = count(1)
        """The execution orders of the tasks to come."""
        self.keeps_values: bool = config.add_task_to_self and config.record_return_values
        self.keeps_inputs: bool = config.add_task_to_self and config.record_inputs
        self.redactor: Redactor = log.redactor
        self.noted_calls: int = 0
        """So many calls, the first ones, have been searched for secrets."""
        self.failures: Failures = failures
        """The failures of tasks, by execution order."""
        failures.redactor = self.redactor
        self.run_name: str | None = None
        self.description: str | None = None
        """The description of its flow."""
        self.reports: TaskReports | None = None
        """What few tasks tell; None before the first."""
        self.keeps_failures: bool = calls.keeps_calls or type(failures) is LatestFailure
        self.log: RunLog = log
        self.dispatcher: EventDispatcher = dispatcher
        self.sinks: tuple[RunSink, ...] = sinks
        is_extended = len(sinks) > 1  # one is the library's own
        self.activation: Activation | None = activation_of(sinks) if is_extended else None
        """Makes the context manager around the bodies of calls; None where no sink surrounds them."""
        handle.is_bare = self.activation is None
        self.is_observed: bool = is_observed
        """Whether sinks or listeners, besides those of the bus, receive the starts and ends of tasks."""
        self.shared: SharedProviders | None = None
        """The values of `scope="flow"` providers; None before the first."""
        self.partial_lines: PartialLines = self.log.partial
        """The incomplete lines of its tasks."""
        self.start_is_notified: bool = False
        """Whether the sinks have got its start."""
        self.started: int = tick()
        self.ended: int = 0

    @property
    def is_alone(self) -> bool:
        """Whether it has neither submitted calls nor flow-scoped providers."""
        return self.children is None and self.shared is None

    @property
    def present_status(self) -> RunStatus:
        """`running` until its end, whatever the outcome of its function."""
        return self.status if self.ended else RunStatus.RUNNING

    @property
    def duration(self) -> float:
        """Seconds until its end, or until now."""
        return seconds(self.started, self.ended or tick())

    @property
    def recorded_value(self) -> object:
        """The return value, if the config lets it be recorded."""
        return self.value if self.config.record_return_values else None

    def dropped(self) -> Dropped:
        """The numbers of what the record does not keep."""
        events = self.dispatcher.recorded
        return Dropped(
            tasks=0 if self.calls.keeps_calls else self.calls.timings().count,
            logs=self.log.lines.dropped,
            events=0 if events is None else events.dropped,
        )

    def task_run_name(self, call: Call) -> str | None:
        """The name of a call, beside that of its task."""
        return self.present_reports.run_names.get(call.order)

    def yield_count(self, call: Call) -> int | None:
        """The number of items of a generator that has ended; None for other tasks."""
        return self.present_reports.yield_counts.get(call.order) if call.ended else None

    def abandoned_thread(self, order: int) -> str | None:
        """The name of the thread that a task was abandoned in, while it still runs."""
        thread = self.abandoned_threads.get(order)
        return thread.name if thread is not None and thread.is_alive() else None

    def task_counts(self) -> TaskCounts:
        """The numbers of ended tasks."""
        timings = self.calls.timings()
        return TaskCounts(timings.count, timings.failed)

    def shared_providers(self) -> SharedProviders:
        """The store of the values of `scope="flow"` providers; made at the first access."""
        with LOCKS.making:
            if self.shared is None:
                self.shared = SharedProviders(CallResolver(self.handle, None))
            return self.shared

    @property
    def present_reports(self) -> TaskReports:
        """What tasks have told so far; to be read alone."""
        return self.reports or _NO_REPORTS

    def ensure_reports(self) -> TaskReports:
        """What tasks tell; made at the first access."""
        with LOCKS.making:
            if self.reports is None:
                self.reports = TaskReports()
            return self.reports

    def ensure_children(self) -> ChildTasks:
        """The submitted calls; made at the first access."""
        with LOCKS.making:
            if self.children is None:
                self.children = ChildTasks()
            return self.children

    def close(self) -> list[Call]:
        """End the run; return copies of the open calls, which are recorded as abandoned."""
        self.ended = tick()
        self.handle.release()
        self.calls, abandoned = self.calls.close(self._frozen)
        return abandoned

    def abandon(self, call: Call) -> Call:
        """Record a call that started in the moment in which the run ended."""
        frozen = self._frozen(call)
        self.calls.append_late(frozen)
        return frozen

    def release(self) -> None:
        """Drop the parts that only a run in progress needs."""
        self.ended = self.ended or tick()
        if self.handle.run is not None:
            self.handle.release()
        self.log.close()
        self.flow = None
        self.shared = None
        self.place = self.wakers = None
        if self.siblings is not None:
            self.siblings.discard(self)
            self.siblings = None
        if self.cancellation is not None:
            self.orders, self.cancellation = self.cancellation.release(), None

    def enter_loop(self, loop: object) -> None:
        """Note that its code is awaited in the asyncio task that is running in this event loop."""
        self.loop = self.surrounding_loop = loop
        self.place = LoopPlace()
        if self.cancellation is not None:
            self.cancellation.deliver_in_loop()

    def _frozen(self, call: Call) -> Call:
        frozen = copy.copy(call)
        frozen.ended = self.ended
        frozen.status = RunStatus.ABANDONED
        return frozen


def recorded_run(
    flow: LiveFlow | None, start: RunStart, listeners: list[Listener], write_console: Callable[[str, LogSource], None]
) -> Run:
    """A run that stores its facts and passes them to listeners and to the sinks of integrations."""
    config = start.config
    recorded: Buffer[FlowEvent] | None = None
    if config.capture_events:
        recorded = UnboundedBuffer() if config.max_events is None else RingBuffer(config.max_events)
    dispatcher = EventDispatcher(start.handle, listeners, recorded)
    redactor = run_redactor(config.redact)
    added = new_sinks(start) if sink_factories else ()
    sinks = (EventSink(dispatcher, redactor), *added)
    return Run(
        flow,
        start=start,
        calls=KeptCalls() if config.add_task_to_self else CountedCalls(),
        log=RunLog(start.handle, config, LogMemory.of(config), sinks, redactor, write_console=write_console),
        dispatcher=dispatcher,
        sinks=sinks,
        failures=Failures(),
        is_observed=bool(added or listeners or config.capture_events or config.print_finished_message),
    )


def provider_stack_at(handle: Handle, call: Call | None, plan: Plan) -> ProviderStack:
    """The provider stack of one call, or (None) of the flow's own function."""
    run: Run | None = handle.run
    shared = run.shared_providers() if plan.providers and run is not None else None
    return ProviderStack(CallResolver(handle, call), shared)


def surroundings(handle: Handle, call: Call | None) -> AbstractContextManager[object]:
    """The context manager of the sinks around the body of a call, or (None) of the flow itself."""
    run: Run | None = handle.run
    return _NO_SURROUNDINGS if run is None or run.activation is None else run.activation(call)


_NO_SURROUNDINGS: Final = nullcontext()
