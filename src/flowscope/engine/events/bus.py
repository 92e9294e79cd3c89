"""Listeners, their subscriptions, and the process-wide bus.

A listener is a callable that receives every `FlowEvent`. It runs outside the flow that it observes: its prints go to
the real standard output, and a flow that it executes has no parent.
"""

import logging
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import Final, Self, final

from ...errors import DefinitionError
from ...model.events import EventType, FlowEvent
from ...serialization.introspection import INTERRUPTIONS
from ...serialization.json.json_leaves import safe_repr
from .listeners import Listener, Selective, remove
from .stream import EventStream

__all__ = ["EventBus", "Listener", "Subscription", "flow_events", "log_listener_failure", "notify"]

_log = logging.getLogger("flowscope")


@final
class Subscription(Selective):
    """One listener's subscription; closed by `close()` or at the end of its `with` block."""

    __slots__ = ("__weakref__", "_event_types", "_flow_name", "_listeners", "listener")

    def __init__(
        self,
        listeners: list[Listener],
        listener: Listener,
        event_types: tuple[EventType, ...],
        flow_name: str | None = None,
    ) -> None:
        if not callable(listener):
            raise DefinitionError("listener", f"{safe_repr(listener)} cannot be called. Pass a function of one event.")
        self._listeners = listeners
        self.listener: Listener = listener
        """The callable that receives the events."""
        self._event_types = frozenset(map(EventType, event_types))
        self._flow_name = flow_name
        listeners.append(self)

    def wants(self, event: FlowEvent) -> bool:
        """Whether the subscription selects an event."""
        if self._event_types and event.event_type not in self._event_types:
            return False
        return self._flow_name is None or event.event_data.flow_name == self._flow_name

    def __call__(self, event: FlowEvent) -> object:
        """Pass on an event that the subscription selects."""
        return self.listener(event) if self.wants(event) else None

    def close(self) -> None:
        """End the subscription. Idempotent."""
        remove(self, self._listeners)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


@final
class EventBus:
    """The events of all flows of this process."""

    def __init__(self) -> None:
        self.event_listeners: list[Listener] = []
        """Every callable here receives every event; append and remove as you like."""

    def subscribe(self, listener: Listener, *event_types: EventType, flow_name: str | None = None) -> Subscription:
        """Call `listener` for every event, or only for those of the given types and of flows of the given name.

        A listener may be async: it is then awaited, in order, by the flow's end. One that raises is logged (logger
        "flowscope", WARNING) once per type of error, and hurts neither the run nor other listeners.

        Raises:
            DefinitionError: `listener` is not callable.
            ValueError: A type of event is unknown.
        """
        return Subscription(self.event_listeners, listener, event_types, flow_name)

    def stream(self, flow_id: str | None = None, *, max_pending: int = 10_000) -> EventStream:
        """The events from now on, for `async for`: of all flows, or of one, ending with its FLOW_STOP.

        Args:
            flow_id: The run to follow; None follows all, without an end. The stream of a run that has ended already
                waits for ever.
            max_pending: How many events may wait for the consumer. Beyond it the oldest are dropped, and counted in
                the stream's `dropped`: a run never waits for its listeners.
        """
        return EventStream(self.event_listeners, flow_id, max_pending)


flow_events: Final = EventBus()
"""The bus of this process."""

_logged_failures: Final[deque[tuple[Callable[[], object], type[BaseException]]]] = deque(maxlen=1_000)


def notify(
    event: FlowEvent, listeners: Iterable[Listener], *, is_recorded: bool
) -> list[tuple[Listener, Awaitable[object]]]:
    """Call the listeners, each with a payload of its own; return the awaitables of async listeners.

    Args:
        event: The event.
        listeners: The listeners of this flow and of the bus.
        is_recorded: Whether the record holds the event, so that listeners get copies.
    """
    awaited: list[tuple[Listener, Awaitable[object]]] = []
    interested = [listener for listener in listeners if _is_interested(listener, event)]
    must_copy = is_recorded
    for index, listener in enumerate(interested, 1):
        own_event = event.separate() if must_copy or index < len(interested) else event
        try:
            answer = listener(own_event)
        except INTERRUPTIONS:
            raise
        except BaseException as error:
            log_listener_failure(listener, error)
        else:
            if answer is not None and hasattr(type(answer), "__await__"):
                awaited.append((listener, answer))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] # it has __await__
    return awaited


def _is_interested(listener: object, event: FlowEvent) -> bool:
    return not isinstance(listener, Selective) or listener.wants(event)


def log_listener_failure(listener: Listener, error: BaseException) -> None:
    """Log the error of a listener, once per listener and type of error."""
    if isinstance(listener, Subscription):
        listener = listener.listener
    kind = type(error)
    if any(known() is listener and known_kind is kind for known, known_kind in tuple(_logged_failures)):
        return
    _logged_failures.append((_weakly(listener), kind))
    try:
        name = getattr(listener, "__qualname__", type(listener).__qualname__)
        _log.warning("listener %s failed; the run goes on", name, exc_info=error)
    except Exception:  # noqa: S110 - a handler of the user's that fails too
        pass


def _weakly(listener: Listener) -> Callable[[], object]:
    try:
        return weakref.ref(listener)
    except TypeError:
        return lambda: listener
