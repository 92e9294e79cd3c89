"""The events of one run: built only for listeners, numbered, and delivered in order.

The thread that posts an event delivers it, unless a delivery is in progress, which then includes this event: in another
thread, or, further up the stack, in the code that called the listener. So every listener gets the sequence 1, 2, 3, …,
and no thread ever waits to post: not a listener, not a finaliser that the garbage collector runs at any moment.
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
    """An event before its delivery, which gives it its number."""

    ticks: int
    kind: EventType
    data: dict[str, Any]
    call: Call | None
    source: str
    level: int


FinalEvents = Callable[[Mapping[int, Call]], Iterable[PendingEvent]]
"""Makes the last events of a run from the calls, by execution order, with a start event and no end event."""


class EventDispatcher:
    """Passes the events of one run to its listeners and into its record."""

    __slots__ = ("_delivery", "_handle", "listeners", "recorded")

    def __init__(self, handle: Handle, listeners: list[Listener], recorded: Buffer[FlowEvent] | None) -> None:
        self.listeners: list[Listener] = listeners
        """The listeners of this flow; the bus's own come after them."""
        self.recorded: Buffer[FlowEvent] | None = recorded
        """The events of the record; None if it has none."""
        self._handle = handle
        self._delivery: _Delivery | None = None

    @property
    def has_listeners(self) -> bool:
        """Whether a listener or the record receives events."""
        return bool(flow_events.event_listeners or self.listeners or self.recorded is not None)

    def post(self, event: PendingEvent) -> None:
        """Pass an event to the listeners, until the run has ended."""
        self._deliverer().post(event)

    def pending_event(
        self,
        kind: EventType,
        data: dict[str, Any],
        scope: Scope | None,
        *,
        source: str | None = None,
        level: int = logging.INFO,
        at: int = 0,
    ) -> PendingEvent:
        """An event of that tick; 0 for now."""
        call = call_at(scope, self._handle)
        source = source or ("flow" if call is None else "task")
        return PendingEvent(at or tick(), kind, data, call, source, level)

    def finish(self, final_events: FinalEvents) -> None:
        """Deliver the last events of the run, after all others; later events are dropped."""
        if self.has_listeners:
            self._deliverer().post(final_events)

    def _deliverer(self) -> "_Delivery":
        """The delivery; made for the first event."""
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
        """Whether every listener has handled every event."""
        return self._delivery is None or self._delivery.settled

    @property
    def awaits(self) -> bool:
        """Whether awaitables of async listeners are open."""
        return self._delivery is not None and bool(self._delivery.awaited)

    @property
    def delivering(self) -> bool:
        """Whether another thread is calling listeners."""
        return self._delivery is not None and self._delivery.is_delivering_in_other_thread

    def wait_delivered(self) -> None:
        """Wait until the delivering thread has delivered all events."""
        if self._delivery is not None:
            self._delivery.wait()

    async def wait_awaited(self) -> None:
        """Await the awaitables of async listeners, in order."""
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
        """Held by the delivering thread; only the end of the run waits for it."""
        self._owner = 0
        self._sequence = 0
        self._open: dict[int, Call] = {}
        self._ended = False
        self.awaited: deque[tuple[Listener, Awaitable[object]]] = deque()

    def post(self, item: PendingEvent | FinalEvents) -> None:
        """Deliver the item and those that are posted meanwhile; or leave it to the delivering thread."""
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
        """Whether another thread is delivering, or has events to deliver."""
        return self._owner != threading.get_ident() and bool(self._queue or self._busy.locked())

    @property
    def settled(self) -> bool:
        """Whether no event and no awaitable is open."""
        return not self._queue and not self._busy.locked() and not self.awaited

    def wait(self) -> None:
        """Wait for the delivering thread, and deliver the events that it left."""
        while self.is_delivering_in_other_thread:
            self._busy.acquire()
            self._deliver_as_owner()

    async def wait_awaited(self) -> None:
        """Await the awaitables of async listeners, in order; a cancelled wait closes the rest."""
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
