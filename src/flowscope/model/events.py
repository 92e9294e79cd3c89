"""The events that listeners receive."""

import copy
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict, computed_field, model_validator

from ..serialization.error_info import ErrorInfo
from ..serialization.json.recorded_field import RECORDED

__all__ = ["EventData", "EventType", "FlowEvent"]


class EventType(StrEnum):
    """The kind of an event. Later versions add kinds and remove none."""

    FLOW_START = "flow_start"
    FLOW_STOP = "flow_stop"
    TASK_START = "task_start"
    TASK_STOP = "task_stop"
    TASK_RETRY = "task_retry"
    TASK_PROGRESS = "task_progress"
    FLOW_MESSAGE = "flow_message"
    NEW_ARTIFACT = "new_artifact"
    NEW_RESULT = "new_result"


_ERRORS: Final = frozenset({EventType.FLOW_STOP, EventType.TASK_STOP, EventType.TASK_RETRY, EventType.FLOW_MESSAGE})
"""The kinds of events whose payload may have an error."""


class EventData(BaseModel, frozen=True):
    """The source of an event, and its payload."""

    model_config: ClassVar[ConfigDict] = ConfigDict(defer_build=True)

    data: Annotated[dict[str, Any], RECORDED] = {}
    """The payload; its form depends on the event's type."""
    event_source: str = ""
    """`flow`, `task`, `log`, `stdout`, `stderr` or `logging`."""
    flow_name: str = ""
    flow_run_id: str = ""
    """The `flow_id` of the run."""
    log_level: int = 20
    """A level of the standard `logging` module."""
    task_name: str | None = None
    task_run_id: str | None = None
    """The `task_id`; None where no task is running."""

    @computed_field  # type: ignore[prop-decorator] # as Pydantic documents it
    @property
    def flow_id(self) -> str:
        """The same as `flow_run_id`, by the name that records have for it."""
        return self.flow_run_id

    @computed_field  # type: ignore[prop-decorator] # as Pydantic documents it
    @property
    def task_id(self) -> str | None:
        """The same as `task_run_id`, by the name that records have for it."""
        return self.task_run_id


class FlowEvent(BaseModel, frozen=True):
    """One event of a run."""

    model_config: ClassVar[ConfigDict] = ConfigDict(defer_build=True)

    event_id: str
    sequence: int
    """1 for the first event of a run, then without gaps."""
    event_type: EventType
    timestamp: datetime
    """Aware, in UTC."""
    event_data: EventData

    def separate(self) -> Self:
        """The same event with a payload of its own."""
        event, data = copy.copy(self), copy.copy(self.event_data)
        vars(data)["data"] = _copied(data.data)
        vars(event)["event_data"] = data
        return event

    @model_validator(mode="after")
    def _read_error(self) -> Self:
        """The error of a payload is an `ErrorInfo` again, read from JSON."""
        data = self.event_data.data
        if self.event_type in _ERRORS and isinstance(data.get("error"), dict):
            read = {**data, "error": ErrorInfo.model_validate(data["error"])}
            object.__setattr__(self, "event_data", self.event_data.model_copy(update={"data": read}))
        return self


def _copied(value: Any) -> Any:
    """A copy of the containers and errors of a payload; everything else in it does not change."""
    if isinstance(value, ErrorInfo):
        return value.model_copy(deep=True)
    if isinstance(value, dict):
        parts: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType] # payloads have names for keys
        return {key: _copied(part) for key, part in parts.items()}
    if isinstance(value, list):
        items: list[Any] = value  # pyright: ignore[reportUnknownVariableType] # of JSON
        return [*map(_copied, items)]
    return value
