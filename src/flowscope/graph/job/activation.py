"""One message on its way through one handler."""

from collections.abc import Iterator
from contextvars import ContextVar
from itertools import count
from typing import Any, Final, Protocol

from ...engine.scope.call import Call
from ...engine.scope.context import Handle, Scope, current, enter
from .state import JobState

__all__ = ["Activation", "Carrier", "activation_here", "enclosing_activations", "enter_handler"]

_numbers: Final = count(1)


class Carrier(Protocol):
    """The job that an activation belongs to, while it runs."""

    @property
    def job(self) -> JobState:
        """Its state."""
        ...

    @property
    def inside(self) -> "Activation | None":
        """The activation, of whatever graph, that has started it."""
        ...

    def emit(self, activation: "Activation", event_name: str, data: dict[str, Any]) -> None:
        """Send what a handler emits."""
        ...

    def perform(self, activation: "Activation") -> None:
        """Call the handler, and decide what follows; never raises."""
        ...


class Activation:
    """A message that waits for its handler, or is being handled."""

    __slots__ = (
        "attempt",
        "carrier",
        "data",
        "done",
        "number",
        "priority",
        "problem",
        "routine",
        "routine_id",
        "slot",
        "task",
    )

    def __init__(
        self,
        carrier: Carrier,
        routine: Any,
        routine_id: str,
        slot: str,
        data: dict[str, Any],
        *,
        priority: int,
        attempt: int = 1,
        problem: BaseException | None = None,
        number: int = 0,
    ) -> None:
        self.carrier = carrier
        self.routine = routine
        self.routine_id = routine_id
        self.slot = slot
        self.data = data
        """What the handler gets."""
        self.priority = priority
        self.attempt = attempt
        self.problem = problem
        """What went wrong before the handler was reached."""
        self.number = number or next(_numbers)
        self.done = False
        """Whether its handler is through."""
        self.task: Any = None
        """What cancels the handler, if that is async and running."""

    @property
    def job(self) -> JobState:
        """The job that it belongs to."""
        return self.carrier.job

    def emit(self, event_name: str, data: dict[str, Any]) -> None:
        """Send a message from its handler."""
        self.carrier.emit(self, event_name, data)

    def next_attempt(self) -> "Activation":
        """The same once more. What an attempt has left behind belongs to that attempt, and cannot speak for this one."""
        return Activation(
            self.carrier,
            self.routine,
            self.routine_id,
            self.slot,
            self.data,
            priority=self.priority,
            attempt=self.attempt + 1,
            problem=self.problem,
            number=self.number,
        )


class HandlerScope(Scope):
    """The place in the job's flow where a handler is called."""

    __slots__ = ("activation",)

    activation: Activation


_entered: Final[ContextVar[Activation | None]] = ContextVar("flowscope_activation", default=None)


def enter_handler(activation: Activation, handle: Handle) -> None:
    """Let this context be that of a handler."""
    scope = HandlerScope()
    scope.handle = handle
    scope.activation = activation
    enter(scope)
    _entered.set(activation)


def activation_here() -> Activation | None:
    """The activation whose handler is running here: in its flow, also where only that was bound; or in a flow of its own."""
    scope = current.get()
    while isinstance(scope, Call):
        scope = scope.parent
    return scope.activation if isinstance(scope, HandlerScope) else _entered.get()


def enclosing_activations() -> Iterator[Activation]:
    """The activations whose handlers wait for what runs here, if it waits itself: the innermost first."""
    activation = activation_here()
    while activation is not None:
        if not activation.done:
            yield activation
        activation = activation.carrier.inside
