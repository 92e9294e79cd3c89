"""One message on its way through one handler."""

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from enum import Enum
from itertools import count
from typing import Any, Final, Protocol

from ...engine.scope.call import Call
from ...engine.scope.context import Handle, Scope, current, enter
from ..slots.bound_slot import BoundSlot
from .state import JobState

__all__ = [
    "Activation",
    "Carrier",
    "Stage",
    "activation_here",
    "activation_of_scope",
    "enclosing_activations",
    "enter_handler",
]

_numbers: Final = count(1)


class Stage(Enum):
    """How far an activation has come."""

    WAITING = "waiting"
    RUNNING = "running"
    RETRYING = "retrying"
    """Another attempt follows after a delay."""
    DONE = "done"
    """Its handler is through, or the job keeps it, and it is not called from here any more."""


class Carrier(Protocol):
    """The job that an activation belongs to, while it runs."""

    @property
    def job(self) -> JobState:
        """Its state."""
        ...

    @property
    def handle(self) -> Handle:
        """The flow run that records the job."""
        ...

    @property
    def inside(self) -> "Activation | None":
        """The activation, of whatever graph, that has started it."""
        ...

    def emit(self, activation: "Activation", event_name: str, data: dict[str, Any]) -> None:
        """Send what a handler emits."""
        ...

    def perform(self, activation: "Activation", pop: "Callable[[], Activation | None]") -> "Activation | None":
        """Call the handler, and decide what follows; so with what is popped, up to one of another job, which is returned."""
        ...


class Extras:
    """What few activations have."""

    __slots__ = ("attempt", "emitted", "problem", "task")

    def __init__(self, attempt: int = 1, problem: BaseException | None = None) -> None:
        self.attempt = attempt
        self.problem = problem
        self.emitted: list[tuple[str, dict[str, Any]]] = []
        """Names of events and messages that are sent when the handler is through."""
        self.task: Any = None


class Activation(Scope):
    """A message that waits for its handler, or is being handled; and the place in the job's flow where that is called."""

    __slots__ = ("carrier", "data", "extras", "number", "payload", "stage", "target")

    carrier: Carrier
    target: BoundSlot
    """The slot that it is for."""
    data: dict[str, Any]
    """What the handler gets, by name."""
    payload: Any
    """The same as one object, where its event has a type."""
    stage: Stage
    number: int
    """Lower for an older one; the same for all attempts."""
    extras: Extras | None
    """None for a first attempt without anything of that."""

    def __init__(
        self, carrier: Carrier, handle: Handle, target: BoundSlot, data: dict[str, Any], payload: Any = None
    ) -> None:
        self.handle = handle
        self.carrier = carrier
        self.target = target
        self.data = data
        self.payload = payload
        self.number = next(_numbers)
        self.stage = _WAITING
        self.extras = None

    @property
    def job(self) -> JobState:
        """The job that it belongs to."""
        return self.carrier.job

    @property
    def attempt(self) -> int:
        """Which attempt it is, from 1."""
        return 1 if self.extras is None else self.extras.attempt

    @property
    def problem(self) -> BaseException | None:
        """What went wrong before the handler was reached."""
        return None if self.extras is None else self.extras.problem

    @property
    def is_async(self) -> bool:
        """Whether its handler is."""
        receiver = self.target.receiver
        return receiver is not None and receiver.is_async

    @property
    def task(self) -> Any:
        """What cancels the handler, if that is async and running."""
        return None if self.extras is None else self.extras.task

    @task.setter
    def task(self, task: Any) -> None:
        self.own_extras().task = task

    def own_extras(self) -> Extras:
        """What few have; from now on it has that."""
        if self.extras is None:
            self.extras = Extras()
        return self.extras

    def next_attempt(self) -> "Activation":
        """The same once more. What an attempt has left behind belongs to that attempt, and cannot speak for this one."""
        again = Activation(self.carrier, self.handle, self.target, self.data, self.payload)
        again.number = self.number
        again.extras = Extras(self.attempt + 1, self.problem)
        return again


_WAITING: Final = Stage.WAITING
_entered: Final[ContextVar[Activation | None]] = ContextVar("flowscope_activation", default=None)


def enter_handler(activation: Activation) -> None:
    """Let this context be that of a handler."""
    enter(activation)
    _entered.set(activation)


def activation_here() -> Activation | None:
    """The activation whose handler is running here: in its flow, also where only that was bound; or in a flow of its own."""
    scope = current.get()
    while isinstance(scope, Call):
        scope = scope.parent
    return scope if isinstance(scope, Activation) else _entered.get()


def activation_of_scope(scope: Scope | None) -> Activation | None:
    """The activation whose handler has led to a place in the job's own flow."""
    while isinstance(scope, Call):
        scope = scope.parent
    return scope if isinstance(scope, Activation) else None


def enclosing_activations() -> Iterator[Activation]:
    """The activations whose handlers wait for what runs here, if it waits itself: the innermost first."""
    activation = activation_here()
    while activation is not None:
        if activation.stage is not Stage.DONE:
            yield activation
        activation = activation.carrier.inside
