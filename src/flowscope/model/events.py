"""What listeners receive."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict

from .values import RECORDED

__all__ = ["EventData", "EventType", "FlowEvent"]


class EventType(StrEnum):
    """What happened. Kinds are added in later versions, none is removed."""

    FLOW_START = "flow_start"
    FLOW_STOP = "flow_stop"
    TASK_START = "task_start"
    TASK_STOP = "task_stop"
    TASK_RETRY = "task_retry"
    FLOW_MESSAGE = "flow_message"
    NEW_ARTIFACT = "new_artifact"
    NEW_RESULT = "new_result"


class EventData(BaseModel, frozen=True):
    """Where an event comes from, and its payload."""

    model_config = ConfigDict(defer_build=True)

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


class FlowEvent(BaseModel, frozen=True):
    """Something that happened in a run."""

    model_config = ConfigDict(defer_build=True)

    event_id: str
    sequence: int
    """1 for the first event of a run, then without gaps."""
    event_type: EventType
    timestamp: datetime
    """Aware, in UTC."""
    event_data: EventData
