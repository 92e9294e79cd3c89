"""What a job consists of, as models: read from it, and written into its file."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationInfo

from ..._clock import now
from ...serialization.error_info import ErrorInfo
from ...serialization.json.exact_json import from_json_form, to_json_form
from ...serialization.json.recorded_field import RECORDED

__all__ = [
    "DeferredEvent",
    "Exact",
    "ExecutionRecord",
    "MergeState",
    "PausePoint",
    "PendingActivation",
    "RoutineState",
    "RoutineStatus",
]

_STRICT = ConfigDict(extra="forbid")


def _read(value: Any, info: ValidationInfo) -> Any:
    return from_json_form(value) if info.mode == "json" else value


Exact = Annotated[
    dict[str, Any],
    BeforeValidator(_read),
    PlainSerializer(lambda value: to_json_form(value, "data"), when_used="json"),
]
"""Data that comes back from JSON as what it was."""


RoutineStatus = Literal["pending", "running", "completed", "failed", "error_continued", "skipped"]


class RoutineState(BaseModel):
    """How the latest activation of a routine went."""

    model_config: ClassVar[ConfigDict] = _STRICT

    status: RoutineStatus = "pending"
    error: ErrorInfo | None = None
    retry_count: int = 0
    """How many extra attempts there have been in this job."""
    updated_at: datetime = Field(default_factory=now)


class ExecutionRecord(BaseModel):
    """One thing that happened in a job."""

    model_config: ClassVar[ConfigDict] = _STRICT

    routine_id: str
    event_name: str
    """`start`, `completed`, `failed`, `retry`, `error_continued` or `skipped` for an activation; or the event emitted."""
    data: Annotated[dict[str, Any], RECORDED] = {}
    timestamp: datetime = Field(default_factory=now)


class PausePoint(BaseModel):
    """When and why a job was paused."""

    model_config: ClassVar[ConfigDict] = _STRICT

    reason: str = ""
    checkpoint: Annotated[Any, RECORDED] = None
    timestamp: datetime = Field(default_factory=now)


class PendingActivation(BaseModel):
    """A message that waits for its handler."""

    model_config: ClassVar[ConfigDict] = _STRICT

    routine_id: str
    slot: str
    data: Exact
    """What the handler will get."""
    attempt: int = 1
    """Of the activation, as its routine's error handler counts."""
    problem: ErrorInfo | None = None
    """What went wrong before the handler was reached: its merge function raised."""


class DeferredEvent(BaseModel):
    """An event that is emitted when the job is resumed."""

    model_config: ClassVar[ConfigDict] = _STRICT

    routine_id: str
    event_name: str
    data: Exact = {}


class MergeState(BaseModel):
    """The messages of a slot so far, merged."""

    model_config: ClassVar[ConfigDict] = _STRICT

    routine_id: str
    slot: str
    data: Exact
    gathered: bool = False
    """Whether its `items` are messages that wait to be delivered together."""
