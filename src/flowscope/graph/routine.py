"""Routines: nodes with slots, events and a config."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, PrivateAttr

from ..errors import GraphError
from .activation import Activation, running_activation
from .kinds import ErrorHandler, ErrorStrategy
from .ports import Event, MergeStrategy, Slot, slot_options
from .state import JobState

__all__ = ["Routine"]


class Routine(BaseModel):
    """A node of a graph. Its fields are its config; they are not changed while a job runs.

    Slots and events are declared in the class, with `@slot` and `event(…)`, or added to the object. What handlers share
    within a job belongs to the job: `self.job`.
    """

    model_config = ConfigDict(extra="forbid", ignored_types=(Event,))

    declared_slots: ClassVar[Mapping[str, tuple[str, MergeStrategy]]] = {}
    """Of the class: slot name to the name of the handling method and the merge strategy."""
    declared_events: ClassVar[Mapping[str, Event]] = {}
    """Of the class."""

    _slots: dict[str, Slot] = PrivateAttr(default_factory=dict)
    _events: dict[str, Event] = PrivateAttr(default_factory=dict)
    _error_handler: ErrorHandler | None = PrivateAttr(default=None)
    _optional: bool = PrivateAttr(default=False)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        slots: dict[str, tuple[str, MergeStrategy]] = {}
        events: dict[str, Event] = {}
        for base in reversed(cls.__mro__):
            for attribute, value in vars(base).items():
                options = slot_options(value)
                if options is not None:
                    slots[options.name] = (attribute, options.merge_strategy)
                elif isinstance(value, Event):
                    events[value.name] = value
        cls.declared_slots, cls.declared_events = slots, events

    def model_post_init(self, context: Any, /) -> None:
        """Take over the slots and events of the class."""
        super().model_post_init(context)
        for name, (method, strategy) in self.declared_slots.items():
            self._slots[name] = Slot(name, getattr(self, method), strategy)
        self._events.update(self.declared_events)

    @property
    def slots(self) -> Mapping[str, Slot]:
        """By name."""
        return self._slots

    @property
    def events(self) -> Mapping[str, Event]:
        """By name."""
        return self._events

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
            GraphError: There is a slot of that name, or no such strategy.
        """
        if name in self._slots:
            raise GraphError(f"slot {name!r} already exists in {type(self).__name__}. Choose another name.")
        if merge_strategy not in {"override", "append"} and not callable(merge_strategy):
            raise GraphError(f"merge_strategy is {merge_strategy!r}, wanted 'override', 'append' or a function.")
        made = self._slots[name] = Slot(name, handler, merge_strategy)
        return made

    def define_event(self, name: str, output_params: tuple[str, ...] | list[str] = ()) -> Event:
        """Add an event; `output_params` are the keys of its messages, for readers and `validate_graph`.

        Raises:
            GraphError: There is an event of that name.
        """
        if name in self._events:
            raise GraphError(f"event {name!r} already exists in {type(self).__name__}. Choose another name.")
        made = self._events[name] = Event(name, tuple(output_params))
        return made

    def emit(self, event_name: str, /, **data: Any) -> None:
        """Send a message to every slot that is connected with the event; inside a handler.

        Raises:
            GraphError: There is no such event, or no handler of this routine is running here.
        """
        activation = self._activation(event_name)
        if event_name not in self._events:
            known = ", ".join(map(repr, self._events)) or "none"
            raise GraphError(f"routine {activation.routine_id!r} has no event {event_name!r}; its events: {known}.")
        activation.emit(event_name, data)

    def set_error_handler(self, handler: ErrorHandler) -> Self:
        """Say what is done when one of its handlers raises; the graph's handler is not asked then."""
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
        return self._activation("job").job

    def _activation(self, wanted: str) -> Activation:
        activation = running_activation.get()
        if activation is None or activation.routine is not self:
            raise GraphError(f"{wanted!r} of {type(self).__name__} is for its handlers, while a job runs them.")
        return activation

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)
