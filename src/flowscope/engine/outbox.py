"""One run's events: built only if somebody listens, numbered, and delivered in order.

Whoever posts an event first delivers it, and all that are posted meanwhile, by other threads or by the listeners
themselves: so every listener sees the sequence 1, 2, 3, … and no lock is held while it runs.
"""

import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from .._clock import tick, wall_time
from ..model.events import EventData, EventType, FlowEvent
from .bus import Listener, complain, flow_events, notify
from .call import Call, call_at
from .context import RunIdentity, Scope, outside
from .locks import LOCKS
from .loops import is_being_cancelled, is_cancelled_error
from .redaction import Redactor
from .ring import Keeper

__all__ = ["Delivery", "Outbox"]


class Outbox:
    """The way from one run to its listeners and into its record."""

    __slots__ = ("_delivery", "_identity", "_redactor", "kept", "listeners")

    def __init__(
        self,
        identity: RunIdentity,
        listeners: list[Listener],
        kept: Keeper[FlowEvent] | None,
        redactor: Redactor,
    ) -> None:
        self.listeners = listeners
        """Those of this flow; those of the bus come after them."""
        self.kept = kept
        """The events that go into the record."""
        self._identity = identity
        self._redactor = redactor
        self._delivery: Delivery | None = None

    @property
    def heard(self) -> bool:
        """Whether anybody wants events."""
        return bool(flow_events.event_listeners or self.listeners or self.kept is not None)

    @property
    def delivery(self) -> "Delivery":
        """Made for the first event: a run that nobody listens to has none."""
        with LOCKS.making:
            if self._delivery is None:
                self._delivery = Delivery(self.listeners)
            return self._delivery

    @property
    def settled(self) -> bool:
        """Whether every listener is through with every event."""
        return self._delivery is None or self._delivery.settled

    def emit(
        self,
        kind: EventType,
        data: dict[str, Any],
        scope: Scope | None,
        *,
        source: str | None = None,
        level: int = logging.INFO,
        admit: Callable[[], None] | None = None,
        final: bool = False,
    ) -> bool:
        """Tell whoever listens, unless the run is ending.

        Args:
            kind: What happened.
            data: The payload.
            scope: Where it happened.
            source: What it comes from; None means the flow or the task.
            level: How grave it is, as the standard `logging` module counts.
            admit: Called once it is certain that the event will be told, and before any later one is.
            final: Whether it belongs to the end of the run.

        Returns:
            Whether it is told; if nobody listens, whether it would be.
        """
        if not self.heard:
            if admit is not None:
                admit()
            return True
        identity = self._identity
        call = call_at(scope, identity)
        event_data = EventData.model_construct(
            data=self._redactor.mask(data),
            event_source=source or ("flow" if call is None else "task"),
            flow_name=identity.flow_name,
            flow_run_id=identity.flow_id,
            log_level=level,
            task_name=None if call is None else call.spec.name,
            task_run_id=None if call is None else identity.task_id(call.order),
        )

        def build(sequence: int) -> FlowEvent:
            event = FlowEvent.model_construct(
                event_id=f"event-{identity.token}-{sequence}",
                sequence=sequence,
                event_type=kind,
                timestamp=wall_time(tick(), identity.anchor),
                event_data=event_data,
            )
            if self.kept is not None:
                self.kept.append(event)
            return event

        return self.delivery.post(kind, call, build, admit=admit, final=final)

    def close(self) -> dict[int, Call]:
        """Take none but the final events from now on; return the calls that were told to start and not to stop."""
        return dict(self.delivery.close()) if self.heard or self._delivery is not None else {}


class Delivery:
    """Numbers events and hands them to listeners, one at a time."""

    __slots__ = ("_awaited", "_changed", "_ending", "_listeners", "_open", "_queue", "_sequence", "delivering")

    def __init__(self, listeners: list[Listener]) -> None:
        self._listeners = listeners
        self._sequence = 0
        self._queue: deque[FlowEvent] = deque()
        self._awaited: deque[tuple[Listener, Awaitable[object]]] = deque()
        self._ending = False
        self._open: dict[int, Call] = {}
        self._changed = threading.Condition(threading.Lock())
        self.delivering = False
        """Whether some thread is calling listeners."""

    def post(
        self,
        kind: EventType,
        call: Call | None,
        build: Callable[[int], FlowEvent],
        *,
        admit: Callable[[], None] | None,
        final: bool,
    ) -> bool:
        """Build the next event and have it delivered; once the run is ending, only the final ones are taken."""
        with self._changed:
            if self._ending is not final:
                return False
            if admit is not None:
                admit()
            if call is not None and kind is EventType.TASK_START:
                self._open[call.order] = call
            elif call is not None and kind is EventType.TASK_STOP:
                self._open.pop(call.order, None)
            self._sequence += 1
            self._queue.append(build(self._sequence))
            if self.delivering:
                return True
            self.delivering = True
        self._deliver()
        return True

    def close(self) -> dict[int, Call]:
        """Take none but the final events from now on; return the calls that were told to start and not to stop."""
        with self._changed:
            self._ending = True
            return self._open

    def _deliver(self) -> None:
        while True:
            with self._changed:
                if not self._queue:
                    self._rest()
                    return
                event = self._queue.popleft()
            try:
                with outside():
                    self._awaited.extend(notify(event, (*self._listeners, *flow_events.event_listeners)))
            except BaseException:  # an interrupt: the next event delivers what is left
                with self._changed:
                    self._rest()
                raise

    def _rest(self) -> None:
        self.delivering = False
        self._changed.notify_all()

    @property
    def settled(self) -> bool:
        """Whether every listener is through with every event."""
        return not self.delivering and not self._awaited

    @property
    def awaits(self) -> bool:
        """Whether async listeners have to be awaited."""
        return bool(self._awaited)

    def wait_delivered(self) -> None:
        """Wait until the thread that is delivering has delivered all."""
        with self._changed:
            self._changed.wait_for(lambda: not self.delivering)

    async def wait_awaited(self) -> None:
        """Await what async listeners returned, in order."""
        while self._awaited:
            listener, answer = self._awaited.popleft()
            try:
                with outside():
                    await answer
            except BaseException as error:
                if not isinstance(error, Exception) and (not is_cancelled_error(error) or is_being_cancelled()):
                    raise
                complain(listener, error)
