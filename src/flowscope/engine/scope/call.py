"""One live call of a task: the slotted state that its record is built from."""

from collections.abc import Mapping
from typing import Any

from ...model.status import RunStatus
from .context import NOTHING, Handle, Scope

__all__ = ["Call", "CallExtras", "Inputs", "attempt_start", "call_at", "inputs_of", "order_at"]


class _Mixed:
    """The arguments of a call that has positional and keyword ones."""

    __slots__ = ("args", "kwargs")

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args: tuple[Any, ...] = args
        self.kwargs: dict[str, Any] = kwargs


Inputs = tuple[Any, ...] | dict[str, Any] | _Mixed
"""The arguments of a call, in as little memory as they need."""


def inputs_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Inputs:
    """The arguments in the form in which a call stores them."""
    if not kwargs:
        return args
    return _Mixed(args, kwargs) if args else kwargs


class CallExtras:
    """The state that few calls have: a further attempt, `task_data` or a deadline."""

    __slots__ = ("attempt", "attempt_started", "data", "deadline")

    def __init__(self) -> None:
        self.attempt: int = 1
        self.attempt_started: int = 0
        """The tick for which a further attempt was planned; 0 for the first one."""
        self.data: dict[str, Any] | None = None
        self.deadline: int | None = None


class Call(Scope):
    """The state of one call; `Task` adds the public methods."""

    __slots__ = ("definition", "ended", "extras", "inputs", "order", "parent", "started", "status", "value")

    definition: Any
    """The definition of its task."""
    order: int
    """1 for the first task that started in the run."""
    parent: Scope
    """The scope that it was called from."""
    inputs: Inputs
    started: int
    """In ticks. A submitted call that waits has the tick of its submission."""
    ended: int
    """In ticks; 0 until the end."""
    status: RunStatus
    value: Any
    extras: CallExtras | None
    """None for a call at its first attempt without `task_data` and deadline."""

    @property
    def args(self) -> tuple[Any, ...]:
        """Its positional arguments."""
        inputs = self.inputs
        if type(inputs) is _Mixed:
            return inputs.args
        return inputs if type(inputs) is tuple else ()

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """Its keyword arguments."""
        inputs = self.inputs
        if type(inputs) is _Mixed:
            return inputs.kwargs
        return inputs if type(inputs) is dict else NOTHING

    @property
    def attempt(self) -> int:
        """1 at the first attempt."""
        return 1 if self.extras is None else self.extras.attempt

    @attempt.setter
    def attempt(self, attempt: int) -> None:
        self._own_extras().attempt = attempt

    @property
    def data(self) -> dict[str, Any] | None:
        """Its `task_data`; None before the first access."""
        return None if self.extras is None else self.extras.data

    @data.setter
    def data(self, data: dict[str, Any] | None) -> None:
        self._own_extras().data = data

    @property
    def deadline(self) -> int | None:
        """The tick at which this attempt has to end; None without a timeout."""
        return None if self.extras is None else self.extras.deadline

    @deadline.setter
    def deadline(self, deadline: int | None) -> None:
        self._own_extras().deadline = deadline

    def _own_extras(self) -> CallExtras:
        if self.extras is None:
            self.extras = CallExtras()
        return self.extras


def call_at(scope: Scope | None, handle: Handle) -> Call | None:
    """The call that is this scope; None for a scope of another run and for the flow's own."""
    return scope if isinstance(scope, Call) and scope.handle is handle else None


def attempt_start(call: Call) -> int:
    """The start of the present or last attempt, in ticks; of a further one, the tick for which it was planned."""
    return call.started if call.extras is None else call.extras.attempt_started or call.started


def order_at(scope: Scope | None, handle: Handle) -> int:
    """The execution order of the call that is this scope; 0 for a scope of another run and for the flow's own."""
    return scope.order if isinstance(scope, Call) and scope.handle is handle else 0
