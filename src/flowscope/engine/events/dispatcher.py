"""One run's events: built only if somebody listens, numbered, and delivered in order.

Whoever posts an event delivers it, unless somebody is delivering already, who then delivers this one too: another
thread, or, further up the stack, the listener that caused it. So every listener sees the sequence 1, 2, 3, …, and
nobody ever waits to post: not a listener, not a finaliser that the garbage collector runs at any moment.
"""

import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, NamedTuple

from ..._clock import tick, wall_time
from ...concurrency.buffers import Buffer
from ...concurrency.event_loops import is_being_cancelled, is_cancelled_error
from ...concurrency.process_locks import LOCKS
from ...model.events import EventData, EventType, FlowEvent
from ..scope.call import Call, call_at
from ..scope.context import Handle, Scope, outside
from .bus import Listener, flow_events, log_listener_failure, notify

__all__ = ["EventDispatcher", "FinalEvents", "PendingEvent"]


class PendingEvent(NamedTuple):
    """An event on its way: it gets its number when it is delivered."""

    ticks: int
    kind: EventType
    data: dict[str, Any]
    call: Call | None
    source: str
    level: int


FinalEvents = Callable[[Mapping[int, Call]], Iterable[PendingEvent]]
"""What is told at the end of a run, given the calls, by execution order, whose start was told and whose end was not."""


class EventDispatcher:
    """The way from one run to its listeners and into its record."""

    __slots__ = ("_delivery", "_handle", "listeners", "recorded")

    def __init__(self, handle: Handle, listeners: list[Listener], recorded: Buffer[FlowEvent] | None) -> None:
        self.listeners = listeners
        """Those of this flow; those of the bus come after them."""
        self.recorded = recorded
        """The events that go into the record."""
        self._handle = handle
        self._delivery: _Delivery | None = None

    @property
    def has_listeners(self) -> bool:
        """Whether anybody wants events."""
        return bool(flow_events.event_listeners or self.listeners or self.recorded is not None)

    def emit(
        self,
        kind: EventType,
        data: dict[str, Any],
        scope: Scope | None,
        *,
        source: str | None = None,
        level: int = logging.INFO,
    ) -> None:
        """Tell whoever listens, until the run has ended."""
        self._deliverer().post(self.pending_event(kind, data, scope, source=source, level=level))

    def pending_event(
        self,
        kind: EventType,
        data: dict[str, Any],
        scope: Scope | None,
        *,
        source: str | None = None,
        level: int = logging.INFO,
    ) -> PendingEvent:
        """An event that happens now."""
        call = call_at(scope, self._handle)
        source = source or ("flow" if call is None else "task")
        return PendingEvent(tick(), kind, data, call, source, level)

    def finish(self, final_events: FinalEvents) -> None:
        """Tell the end of the run, after everything else, and nothing after it."""
        if self.has_listeners:
            self._deliverer().post(final_events)

    def _deliverer(self) -> "_Delivery":
        """Made for the first event: a run that nobody listens to has none."""
        if self._delivery is None:
            delivery = _Delivery(self._build, self.listeners, is_recorded=self.recorded is not None)
            with LOCKS.making:
                if self._delivery is None:
                    self._delivery = delivery
        return self._delivery

    def _build(self, pending_event: PendingEvent, sequence: int) -> FlowEvent:
        handle, call = self._handle, pending_event.call
        event = FlowEvent.model_construct(
            event_id=f"event-{handle.token}-{sequence}",
            sequence=sequence,
            event_type=pending_event.kind,
            timestamp=wall_time(pending_event.ticks, handle.anchor),
            event_data=EventData.model_construct(
                data=pending_event.data,
                event_source=pending_event.source,
                flow_name=handle.flow_name,
                flow_run_id=handle.flow_id,
                log_level=pending_event.level,
                task_name=None if call is None else call.definition.name,
                task_run_id=None if call is None else handle.task_id(call.order),
            ),
        )
        if self.recorded is not None:
            self.recorded.append(event)
        return event

    @property
    def settled(self) -> bool:
        """Whether every listener is through with every event."""
        return self._delivery is None or self._delivery.settled

    @property
    def awaits(self) -> bool:
        """Whether async listeners have to be awaited."""
        return self._delivery is not None and bool(self._delivery.awaited)

    @property
    def delivering(self) -> bool:
        """Whether another thread is calling listeners."""
        return self._delivery is not None and self._delivery.is_delivering_in_other_thread

    def wait_delivered(self) -> None:
        """Wait until the thread that is delivering has delivered all."""
        if self._delivery is not None:
            self._delivery.wait()

    async def wait_awaited(self) -> None:
        """Await what async listeners returned, in order."""
        if self._delivery is not None:
            await self._delivery.wait_awaited()


class _Delivery:
    """Numbers the events of a run and hands them to listeners, one at a time."""

    __slots__ = (
        "_build",
        "_busy",
        "_ended",
        "_is_recorded",
        "_listeners",
        "_open",
        "_owner",
        "_queue",
        "_sequence",
        "awaited",
    )

    def __init__(
        self, build: Callable[[PendingEvent, int], FlowEvent], listeners: list[Listener], *, is_recorded: bool
    ) -> None:
        self._build = build
        self._is_recorded = is_recorded
        self._listeners = listeners
        self._queue: deque[PendingEvent | FinalEvents] = deque()
        self._busy = threading.Lock()
        """Held by whoever delivers; nobody waits for it but the end of the run."""
        self._owner = 0
        self._sequence = 0
        self._open: dict[int, Call] = {}
        self._ended = False
        self.awaited: deque[tuple[Listener, Awaitable[object]]] = deque()

    def post(self, item: PendingEvent | FinalEvents) -> None:
        """Deliver it, and whatever is posted meanwhile; or leave it to whoever is delivering."""
        self._queue.append(item)
        while self._queue and self._busy.acquire(blocking=False):
            self._deliver_as_owner()

    def _deliver_as_owner(self) -> None:
        try:
            self._owner = threading.get_ident()
            self._deliver_all()
        finally:
            self._owner = 0
            self._busy.release()

    def _deliver_all(self) -> None:
        while self._queue:
            item = self._queue.popleft()
            if self._ended:
                continue
            if isinstance(item, PendingEvent):
                self._deliver(item)
                continue
            for pending_event in item(self._open):
                self._deliver(pending_event)
            self._ended = True

    def _deliver(self, pending_event: PendingEvent) -> None:
        if pending_event.call is not None and pending_event.kind is EventType.TASK_START:
            self._open[pending_event.call.order] = pending_event.call
        elif pending_event.call is not None and pending_event.kind is EventType.TASK_STOP:
            self._open.pop(pending_event.call.order, None)
        self._sequence += 1
        event = self._build(pending_event, self._sequence)
        with outside():
            self.awaited.extend(
                notify(event, (*self._listeners, *flow_events.event_listeners), is_recorded=self._is_recorded)
            )

    @property
    def is_delivering_in_other_thread(self) -> bool:
        """Whether another thread is delivering, or has yet to."""
        return self._owner != threading.get_ident() and bool(self._queue or self._busy.locked())

    @property
    def settled(self) -> bool:
        """Whether nothing is under way."""
        return not self._queue and not self._busy.locked() and not self.awaited

    def wait(self) -> None:
        """Wait until the thread that is delivering is through, and deliver what it left."""
        while self.is_delivering_in_other_thread:
            self._busy.acquire()
            self._deliver_as_owner()

    async def wait_awaited(self) -> None:
        """Await what async listeners returned, in order; if the wait is cancelled, the rest is closed."""
        try:
            await self._await_all()
        finally:
            while self.awaited:
                _, answer = self.awaited.popleft()
                if isinstance(answer, Coroutine):
                    answer.close()

    async def _await_all(self) -> None:
        while self.awaited:
            listener, answer = self.awaited.popleft()
            try:
                with outside():
                    await answer
            except BaseException as error:
                if not isinstance(error, Exception) and (not is_cancelled_error(error) or is_being_cancelled()):
                    raise
                log_listener_failure(listener, error)
