"""The fields of a flow, and its state, record and log."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Self, cast

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, field_validator
from pydantic_core import CoreSchema, core_schema
from typing_extensions import TypeVar

from ..errors import AlreadyRunningError, DefinitionError, NotExecutedError
from ..model.config import FlowConfig, default_config
from ..model.durations import Durations, TaskDurations
from ..model.records import FlowRun, LogEntry, Recordable
from ..model.status import RunStatus
from ..serialization.json.fast_construct import assembled_from
from ..serialization.secrets.redaction import run_redactor
from .capture.streams import write_console
from .lifecycle.flow_state import FlowState, ensure_live_run, new_flow_id
from .run.cancellation import cancel_run
from .run.record_builder import (
    durations_of,
    flow_run_of,
    log_entries_of,
    note_secrets,
    pending_flow_run,
    task_durations_of,
)
from .run.record_json import flow_run_json_of
from .run.secret_free_records import entries_without_known_secrets

__all__ = ["FlowInspection", "R", "state_of", "stored_state"]

R = TypeVar("R", default=Any)
"""The type that a flow's function returns. A subclass uses the very same one: with another, Pydantic would build this model."""


class _Stateful(BaseModel):
    """A model with live state beside its fields: it is neither copied, compared, pickled nor serialised with them."""

    __slots__ = ("__weakref__", "_state")

    model_config: ClassVar[ConfigDict] = ConfigDict(
        validate_assignment=True, arbitrary_types_allowed=True, extra="forbid", defer_build=True
    )

    @property
    def _live(self) -> FlowState:
        try:
            return stored_state(self)
        except AttributeError:
            state = FlowState(_inputs_of(type(self)))
            _store_state(self, state)
            return state


stored_state: Final[Callable[[_Stateful], FlowState]] = vars(_Stateful)["_state"].__get__
"""The state of a flow that has one already: faster than `state_of`."""
_store_state: Callable[[_Stateful, FlowState], None] = vars(_Stateful)["_state"].__set__

state_of: Final[Callable[[_Stateful], FlowState]] = vars(_Stateful)["_live"].fget
"""The state of a flow between executions: for this library, and hidden from users."""


class FlowInspection(_Stateful, Recordable, Generic[R]):
    """The fields, state and record of a flow."""

    flow_id: str = Field(default_factory=new_flow_id, min_length=1)
    """Unique; every further execution of the same flow gets a new one."""
    flow_name: str = ""
    """Filled in by `setup`: the function's name, or the name of the subclass."""
    flow_config: FlowConfig = Field(default_factory=default_config)
    tags: tuple[str, ...] = ()

    @field_validator("tags", mode="before")
    @classmethod
    def _one_tag(cls, tags: object) -> object:
        return (tags,) if isinstance(tags, str) else tags

    def __copy__(self) -> Self:
        """A flow with the same fields that has not been set up; its id is its own, unless one was given."""
        return self._with_own_id(super().__copy__())

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Like `copy.copy`, with copies of the fields' values."""
        return self._with_own_id(super().__deepcopy__(memo))

    def __dir__(self) -> Iterable[str]:
        """The attributes, but for the deprecated methods of Pydantic."""
        own = type(self)
        return [
            name
            for name in super().__dir__()
            if name not in _DEPRECATED or inspect.getattr_static(own, name, None) is not vars(BaseModel).get(name)
        ]

    def __repr_args__(self) -> Iterable[tuple[str, object]]:
        """The name, id and status; inputs may be long, or secret."""
        known = vars(self)
        return [("flow_name", known.get("flow_name")), ("flow_id", known.get("flow_id")), ("status", str(self.status))]

    def _with_own_id(self, copied: Self) -> Self:
        if "flow_id" not in self.model_fields_set:
            vars(copied)["flow_id"] = new_flow_id()
        return copied

    if not TYPE_CHECKING:  # a type checker would accept any attribute

        def __setattr__(self, name: str, value: object) -> None:
            """Set a field, unless the record of the present run has it.

            Raises:
                AlreadyRunningError: It is the id, name or tags of a flow that is running.
            """
            if name in _RECORDED_FIELDS and self._live.live_run is not None:
                raise AlreadyRunningError(f"flow {self.flow_name!r}", RunStatus.RUNNING, name)
            super().__setattr__(name, value)

    def model_post_init(self, context: Any, /) -> None:  # noqa: ARG002 - Pydantic hands it over
        """Give the flow the name of its class, if that is a subclass."""
        if not self.flow_name and not type(self).__name__.startswith("Flow["):
            self._name("")

    def _name(self, name: str) -> None:
        if not self.flow_name:
            own = type(self).__name__.partition("[")[0]
            vars(self)["flow_name"] = name if own == "Flow" else own

    @property
    def flow_data(self) -> dict[str, Any]:
        """The dictionary that the flow and its tasks share; injected as `flow_data`.

        A further execution starts with the data from before the first one; the values are the same objects.
        """
        return self._live.data

    @property
    def return_value(self) -> R:
        """The value of the flow's function, as the very object.

        Raises:
            NotExecutedError: The flow has not ended.
            Exception: The flow's error, if it failed.
        """
        run = self._live.run
        if run is None or not run.ended:
            raise NotExecutedError(self.flow_name, self.status)
        if run.failure is not None:
            raise run.failure.error
        value: R = run.value
        return value

    @property
    def flow_error(self) -> BaseException | None:
        """The exception that the flow's function raised, as the very object."""
        run = self._live.run
        return None if run is None or run.failure is None else run.failure.error

    @property
    def status(self) -> RunStatus:
        """`pending` before the first execution, then the state of the latest one; `running` in a `with` block."""
        state = self._live
        if state.run is not None:
            return state.run.present_status
        return RunStatus.PENDING if state.pending_block is None else RunStatus.RUNNING

    @property
    def succeeded(self) -> bool:
        """Whether it has ended with a value."""
        return self.status is RunStatus.COMPLETED

    @property
    def flow_run(self) -> FlowRun[R]:
        """The record as of now, also while the flow is running."""
        state = self._live
        if state.run is not None:
            return flow_run_of(state.run)
        params = state.params_of(self, state.present_provided)
        record = pending_flow_run(self.flow_id, self.flow_name or "Flow", self.flow_config, params, self.tags)
        return record if state.pending_block is None else record.model_copy(update={"status": RunStatus.RUNNING})

    def __flow_run__(self) -> FlowRun[R]:
        """The record, for a validation of the flow as one.

        Raises:
            ValueError: It has not been executed.
        """
        if self.status is RunStatus.PENDING:
            name = self.flow_name or "Flow"
            raise ValueError(
                f"flow {name!r} has not been executed: `await` it, or call `.execute()`, and return it then"
            )
        return self.flow_run

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Refuse to be the response model of a FastAPI route, which would answer with the inputs alone.

        Raises:
            DefinitionError: FastAPI makes a response model of it.
        """
        if _is_response_model():
            raise DefinitionError(
                f"response model {source!r}",
                "it has the inputs of a flow and nothing of its run. Annotate the handler with "
                "FlowRun[...], and return the executed flow.",
            )
        schema: Any = dict(handler(source))
        schema["serialization"] = core_schema.wrap_serializer_function_ser_schema(_masked_dump)
        return cast("CoreSchema", schema)

    def flow_run_json(self) -> bytes:
        """The JSON of the record as of now, in UTF-8, faster than `flow_run.model_dump_json()` where there are many tasks.

        `FlowRun.model_validate_json` reads it.
        """
        run = self._live.run
        return self.flow_run.model_dump_json().encode() if run is None else flow_run_json_of(run)

    def cancel(self, reason: str = "") -> bool:
        """Ask the running flow to end; from any thread, also from a signal handler.

        The code of the flow gets a `CancelledError`: an async flow where it awaits or calls a task, a sync flow at its next
        task, wait or message of its own (`log_info` and its kin), and each of them before its end. Submitted calls and nested
        flows are cancelled with it. Its caller gets a `FlowCancelledError`, its record is `cancelled`. A flow that catches
        the `CancelledError` goes on, and a second call changes nothing.

        Args:
            reason: A text for the error and the record.

        Returns:
            Whether it is not too late; False, and nothing, for a flow that has not started or has ended.
        """
        run = ensure_live_run(self._live)
        return run is not None and cancel_run(run, str(reason))

    def log_messages(self) -> list[str]:
        """The log as lines: `HH:MM:SS.mmm | INFO     | text`, in local time."""
        run = self._live.run
        if run is None:
            return []
        note_secrets(run)
        return [run.log.format(line, run.redactor.text) for line in run.log.lines.items()]

    def captured_logs(self) -> list[LogEntry]:
        """The log as records."""
        run = self._live.run
        if run is None:
            return []
        note_secrets(run)
        return entries_without_known_secrets(log_entries_of(run), run.redactor)

    def print_log_messages(self) -> Self:
        """Print the log to the real standard output."""
        write_console("".join(f"{message}\n" for message in self.log_messages()), "stdout")
        return self

    def durations(self) -> Durations:
        """The durations of the flow, and of its tasks by name; empty before the execution."""
        run = self._live.run
        return Durations(flow_name=self.flow_name, flow_status=self.status) if run is None else durations_of(run)

    def durations_with_tasks_status(self) -> TaskDurations:
        """The durations of the flow, and of each of its tasks; empty before the execution."""
        run = self._live.run
        if run is None:
            return TaskDurations(flow_name=self.flow_name, flow_status=self.status)
        return task_durations_of(run)

    def flow_output(self) -> dict[str, Any]:
        """The return value as `output` (None if there is none) and the `durations`."""
        run = self._live.run
        return {"output": None if run is None else run.value, "durations": self.durations()}


def _masked_dump(flow: FlowInspection[Any], handler: Callable[[Any], Any]) -> Any:
    """What Pydantic writes of a flow, with its secrets masked as in its record."""
    written = handler(flow)
    if not isinstance(written, dict):
        return written
    redactor = run_redactor(flow.flow_config.redact)
    fields: dict[str, Any] = written  # pyright: ignore[reportUnknownVariableType] # by name or alias
    masked = {name: redactor.mask_field(flow, name, redactor.mask_named(name, item)) for name, item in fields.items()}
    return redactor.mask_known(masked)


def _is_response_model() -> bool:
    """Whether FastAPI, which does not tell Pydantic, is making the response model of a route."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_name == "create_model_field" and frame.f_globals.get("__name__", "").startswith("fastapi."):
            return frame.f_locals.get("mode") == "serialization"
        frame = frame.f_back
    return False


F = TypeVar("F", bound=FlowInspection[Any])


def unchecked_copy(flow: F) -> F:
    """A flow with the same fields, which are not checked again; its id and its config are its own, unless they were given."""
    given = flow.__pydantic_fields_set__
    fields = dict(flow.__dict__)
    if "flow_id" not in given:
        fields["flow_id"] = new_flow_id()
    if "flow_config" not in given:
        fields["flow_config"] = default_config()
    copied = assembled_from(type(flow), set(given), fields)
    _store_state(copied, FlowState(flow._live.field_names))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - of this module
    return copied


_DEPRECATED = frozenset(
    name
    for name, attribute in vars(BaseModel).items()
    if hasattr(getattr(attribute, "__func__", attribute), "__deprecated__")
)
_RECORDED_FIELDS = frozenset({"flow_id", "flow_name", "tags"})
_OWN_FIELDS = frozenset(FlowInspection.model_fields)


def _inputs_of(kind: type[BaseModel]) -> tuple[str, ...]:
    """The fields that a subclass declares."""
    fields = kind.__pydantic_fields__
    return tuple(name for name in fields if name not in _OWN_FIELDS) if len(fields) > len(_OWN_FIELDS) else ()
