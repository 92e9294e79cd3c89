"""Routines: nodes with slots, events and a config."""

from collections.abc import Callable, Mapping, Sequence
from inspect import getattr_static
from typing import Any, ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict, PrivateAttr

from ...errors import GraphError
from ..errors import NameTakenError, UnknownNameError
from ..job.activation import Activation, Stage, activation_here, returned_handler
from ..job.options import ErrorHandler, ErrorStrategy
from ..job.state import JobState
from ..slots.slots_and_events import Event, MergeStrategy, Slot, SlotPlan, checked_name, declared_slot, slot_plan

__all__ = ["Routine"]


class Routine(BaseModel):
    """A node of a graph. Its fields are its config; they are not changed while a job runs.

    Slots and events are declared in the class, with `@slot` and `event(…)`, or added to the object. What handlers share
    within a job belongs to the job: `self.job`.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", ignored_types=(Event,), ser_json_inf_nan="strings")

    declared_slots: ClassVar[Mapping[str, SlotPlan]] = {}
    """Of the class, by name."""
    declared_events: ClassVar[Mapping[str, Event]] = {}
    """Of the class, by name."""

    _slots: dict[str, SlotPlan] = PrivateAttr(default_factory=dict)
    _events: dict[str, Event] = PrivateAttr(default_factory=dict)
    _error_handler: ErrorHandler | None = PrivateAttr(default=None)
    _optional: bool = PrivateAttr(default=False)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls.declared_slots, cls.declared_events = _declared(cls)

    @property
    def slots(self) -> Mapping[str, Slot]:
        """By name."""
        plans = {**self.declared_slots, **self._slots}
        return {name: plan.of(self) for name, plan in plans.items()}

    @property
    def events(self) -> Mapping[str, Event]:
        """By name."""
        return {**self.declared_events, **self._events}

    def define_slot(
        self, name: str, handler: Callable[..., Any] | None = None, merge_strategy: MergeStrategy = "override"
    ) -> Slot:
        """Add a slot.

        Args:
            name: Unique in the routine.
            handler: A sync or async function, called with those keys of a message that it has parameters for; with
                all, if it takes `**kwargs`; with the whole message, if its only parameter is `data`.
            merge_strategy: "override" delivers each message alone, "append" a list of all values for each key, and a
                function of the merge so far (empty at first) and the message what it returns.

        Raises:
            GraphError: There is a slot of that name, the name is none, the handler cannot be called, or there is no
                such strategy.
        """
        plan = slot_plan(self, name, handler, merge_strategy)
        self._refuse_taken(name, "slot", self.declared_slots, self._slots)
        self._slots[name] = plan
        return plan.of(self)

    def define_event(self, name: str, output_params: Sequence[str] = ()) -> Event:
        """Add an event; `output_params` are the keys of its messages, for readers and `validate_graph`.

        Raises:
            GraphError: There is an event of that name, or a name is none.
        """
        if isinstance(output_params, str):
            raise GraphError(f"output_params of event {name!r} is {output_params!r}, wanted a list of names.")
        made = Event(checked_name(name, "the name of an event"), tuple(output_params))
        self._refuse_taken(name, "event", self.declared_events, self._events)
        self._events[name] = made
        return made

    def _refuse_taken(self, name: str, what: str, *known: Mapping[str, object]) -> None:
        if any(name in names for names in known):
            raise NameTakenError(f"{what} {name!r} already exists in {type(self).__name__}. Choose another name.", name)

    def emit(self, event_name: str, /, **data: Any) -> None:
        """Send a message to every slot that is connected with the event; inside a handler.

        Raises:
            GraphError: There is no such event, or no handler of this routine is running here.
        """
        activation = activation_here()
        if activation is None or activation.target.routine is not self:
            raise self._not_here(activation, event_name)
        if (
            event_name not in activation.target.routes
            and event_name not in self.declared_events
            and event_name not in self._events
        ):
            known = ", ".join(map(repr, self.events)) or "none"
            raise UnknownNameError(
                f"routine {activation.target.routine_id!r} has no event {event_name!r}; its events: {known}.",
                event_name,
            )
        runner = activation.carrier.runner
        if runner is not None:
            runner.emit(activation, event_name, data)
        elif activation.stage is Stage.DONE:
            raise returned_handler(activation, event_name)

    def set_error_handler(self, handler: ErrorHandler) -> Self:
        """Say what is done when one of its handlers raises; the graph's handler is not asked then.

        Raises:
            GraphError: It is no `ErrorHandler`.
        """
        if not isinstance(handler, ErrorHandler):  # pyright: ignore[reportUnnecessaryIsInstance] # for those who do not check types
            raise GraphError(f"the error handler of {type(self).__name__} is {handler!r}, wanted an ErrorHandler.")
        self._error_handler = handler
        return self

    def set_as_optional(self) -> Self:
        """Let the job go on when it fails: as its error handler says, and otherwise with CONTINUE."""
        self._optional = True
        if self._error_handler is None:
            self._error_handler = ErrorHandler(strategy=ErrorStrategy.CONTINUE)
        return self

    def set_as_critical(self, max_retries: int = 3, retry_delay: float = 1.0, retry_backoff: float = 2.0) -> Self:
        """Try again when it fails, and let the job fail if that does not help, whatever the graph's handler says."""
        self._optional = False
        self._error_handler = ErrorHandler(
            strategy=ErrorStrategy.RETRY,
            max_retries=max_retries,
            retry_delay=retry_delay,
            retry_backoff=retry_backoff,
            is_critical=True,
        )
        return self

    @property
    def error_handler(self) -> ErrorHandler | None:
        """What is done when one of its handlers raises, if it says so itself."""
        return self._error_handler

    @property
    def is_optional(self) -> bool:
        """Whether the job goes on when all attempts have failed."""
        return self._optional

    @property
    def job(self) -> JobState:
        """The running job; inside a handler.

        Raises:
            GraphError: No handler of this routine is running here.
        """
        activation = activation_here()
        if activation is None or activation.target.routine is not self:
            raise self._not_here(activation, "job")
        return activation.job

    def _not_here(self, activation: Activation | None, wanted: str) -> GraphError:
        here = (
            "none is running here. Begin a job with graph.execute(); run a thread of your own in a copy_context()."
            if activation is None
            else f"the one that is running here is of {type(activation.target.routine).__name__}. Connect the two."
        )
        return GraphError(f"{wanted!r} of {type(self).__name__} is for its own handlers, and {here}")

    def __copy__(self) -> Self:
        copied = super().__copy__()
        copied._slots, copied._events = dict(self._slots), dict(self._events)  # noqa: SLF001 - its own
        return copied

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


_RESERVED: Final = frozenset(name for name in vars(Routine) if not name.startswith("_"))


def _declared(cls: type[Routine]) -> tuple[dict[str, SlotPlan], dict[str, Event]]:
    """The slots and events of a class and its bases, by name.

    Raises:
        GraphError: Two have the same name, or a name is used for something else.
    """
    slots: dict[str, SlotPlan] = {}
    events: dict[str, Event] = {}
    for base in reversed(cls.__mro__):
        own: dict[str, object] = {}
        for attribute, value in vars(base).items():
            if (plan := declared_slot(attribute, value)) is not None:
                if own.setdefault(plan.name, value) is not value:
                    raise GraphError(f"slot {plan.name!r} is declared twice in {base.__name__}. Choose another name.")
                slots.pop(attribute, None)  # of two slots of one name, that of the subclass is to come later
                slots[attribute] = plan
            elif isinstance(value, Event):
                events[attribute] = value
    for attribute in (*slots, *events, *cls.model_fields):
        _check_attribute(cls, attribute, slots, events)
    return {plan.name: plan for plan in slots.values()}, {one.name: one for one in events.values()}


def _check_attribute(
    cls: type[Routine], attribute: str, slots: Mapping[str, SlotPlan], events: Mapping[str, Event]
) -> None:
    """Refuse an attribute that would hide another one, so that one of the two would silently not work."""
    field = cls.model_fields.get(attribute)
    value = getattr_static(cls, attribute, None) if field is None else field.default
    if attribute in _RESERVED:
        raise GraphError(f"{attribute!r} of {cls.__name__} hides that of Routine. Choose another name.")
    if field is None:
        fits = isinstance(value, Event) if attribute in events else callable(value) or isinstance(value, classmethod)
    else:
        fits = attribute not in slots and attribute not in events and declared_slot(attribute, value) is None
    if not fits:
        raise GraphError(
            f"{attribute!r} of {cls.__name__} is {value!r}, and a slot or an event as well. Choose another name."
        )
