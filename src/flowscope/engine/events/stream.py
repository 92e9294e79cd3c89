"""Events for live consumers: `async for event in flow_events.stream()`."""

import threading
import weakref
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self, final

from ...concurrency.latch import new_waiter, waker
from ...model.events import EventType, FlowEvent
from .listeners import Listener, Selective, remove

__all__ = ["EventStream"]


@final
class EventStream:
    """A bounded queue between runs, in any thread, and one consumer.

    It is subscribed when iteration starts, and unsubscribed by `aclose()`, at the end of its `async with` block, after
    the FLOW_STOP of the flow that it follows, or when it is garbage-collected.
    """

    def __init__(self, listeners: list[Listener], flow_id: str | None, max_pending: int) -> None:
        if max_pending < 1:
            raise ValueError(f"max_pending is {max_pending!r}, wanted at least 1")
        self.dropped: int = 0
        """The number of events that were dropped because the consumer was too slow."""
        self._listeners = listeners
        self._flow_id = flow_id
        self._max_pending = max_pending
        self._pending: deque[FlowEvent] = deque()
        self._lock = threading.Lock()
        self._wake: Callable[[], None] | None = None
        self._listener: _StreamListener | None = None
        self._closed = False

    def __aiter__(self) -> Self:
        self._subscribe()
        return self

    async def __anext__(self) -> FlowEvent:
        """The next event; waits for one."""
        self._subscribe()
        while True:
            with self._lock:
                if self._pending:
                    event = self._pending.popleft()
                    break
                if self._closed:
                    raise StopAsyncIteration
                arrival = new_waiter()
                self._wake = waker(arrival)
            await arrival
        if event.event_type is EventType.FLOW_STOP and self._flow_id is not None:
            await self.aclose()
        return event

    async def aclose(self) -> None:
        """End the subscription; events that were not consumed are dropped. Idempotent."""
        with self._lock:
            self._closed = True
            self._pending.clear()
            wake, self._wake = self._wake, None
        if self._listener is not None:
            self._listener.close()
        if wake is not None:
            wake()

    async def __aenter__(self) -> Self:
        self._subscribe()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def wants(self, event: FlowEvent) -> bool:
        """Whether the event is one of the flow that is followed."""
        return self._flow_id is None or event.event_data.flow_run_id == self._flow_id

    def put(self, event: FlowEvent) -> None:
        """Add a selected event; runs call this, in any thread."""
        with self._lock:
            if self._closed:
                return
            self._pending.append(event)
            if len(self._pending) > self._max_pending:
                self._pending.popleft()
                self.dropped += 1
            wake, self._wake = self._wake, None
        if wake is not None:
            wake()

    def _subscribe(self) -> None:
        if self._listener is None:
            self._listener = _StreamListener(self, self._listeners)


class _StreamListener(Selective):
    """The listener of a stream; it holds the stream weakly."""

    __slots__ = ("_listeners", "_stream")

    def __init__(self, stream: EventStream, listeners: list[Listener]) -> None:
        self._listeners = listeners
        self._stream = weakref.ref(stream, lambda _: self.close())
        listeners.append(self)

    def wants(self, event: FlowEvent) -> bool:
        stream = self._stream()
        return stream is not None and stream.wants(event)

    def __call__(self, event: FlowEvent) -> None:
        stream = self._stream()
        if stream is not None:
            stream.put(event)

    def close(self) -> None:
        remove(self, self._listeners)
