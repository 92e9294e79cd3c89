"""One message on its way through one handler."""

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from enum import Enum
from itertools import count
from typing import Any, Final, Protocol
from weakref import ref

from ...engine.scope.call import Call
from ...engine.scope.context import Handle, Scope, current
from ...errors import GraphError
from ..slots.bound_slot import BoundSlot
from .state import JobState

__all__ = [
    "Activation",
    "ActivationRunner",
    "Carrier",
    "Stage",
    "activation_here",
    "activation_of_scope",
    "enclosing_activations",
    "enter_handler",
    "returned_handler",
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


class ActivationRunner(Protocol):
    """A job run, as its activations see it."""

    job: JobState

    def emit(self, activation: "Activation", event_name: str, data: dict[str, Any]) -> None:
        """Send a message of a running handler."""
        ...

    def perform(self, activation: "Activation", pop: "Callable[[], Activation | None]") -> "Activation | None":
        """Call the handler, and those of the activations popped, up to one of another job, which is returned."""
        ...


class Carrier:
    """What the activations of one job run share.

    Records keep activations. So this lets go of the job run when that is over: a job that nobody holds is freed at once,
    without the garbage collector.
    """

    __slots__ = ("_find_job", "handle", "inside", "runner")

    def __init__(self, runner: ActivationRunner, handle: Handle, inside: "Activation | None") -> None:
        self.runner: ActivationRunner | None = runner
        """The job run; None once it is over."""
        self.handle: Final = handle
        """The flow run that records the job run."""
        self.inside = inside
        """The activation, of whatever graph, that has started the job run; None once that is over."""
        self._find_job = ref(runner.job)

    @property
    def job(self) -> JobState:
        """The job.

        Raises:
            GraphError: It has ended, and nobody holds it.
        """
        job = self._find_job()
        if job is None:
            raise GraphError("the job of this handler has ended, and nobody holds it any more.")
        return job

    def release(self) -> None:
        """Let go of the job run, which is over."""
        self.runner = self.inside = None


class Extras:
    """What few activations have."""

    __slots__ = ("attempt", "emitted", "problem", "task")

    def __init__(self, attempt: int = 1, problem: BaseException | None = None) -> None:
        self.attempt: int = attempt
        self.problem: BaseException | None = problem
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

    def __init__(self, carrier: Carrier, target: BoundSlot, data: dict[str, Any], payload: Any = None) -> None:
        self.handle: Handle = carrier.handle
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
        again = Activation(self.carrier, self.target, self.data, self.payload)
        again.number = self.number
        again.extras = Extras(self.attempt + 1, self.problem)
        return again


_WAITING: Final = Stage.WAITING
_entered: Final[ContextVar[Activation | None]] = ContextVar("flowscope_activation", default=None)


enter_handler: Final = _entered.set
"""Let this context be that of a handler, also in flows of its own."""


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


def returned_handler(activation: Activation, event_name: str) -> GraphError:
    """The error for an event of a handler that has returned."""
    place = f"{activation.target.routine_id}.{activation.target.name}"
    return GraphError(f"handler {place!r} has returned; await or join there what emits {event_name!r}.")
