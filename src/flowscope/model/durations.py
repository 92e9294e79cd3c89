"""The durations of a flow and its tasks."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from .status import RunStatus

__all__ = ["Durations", "TaskDuration", "TaskDurations", "TaskTiming"]


class TaskTiming(BaseModel, frozen=True):
    """The calls of all tasks of one name, in seconds."""

    model_config: ClassVar[ConfigDict] = ConfigDict(defer_build=True)

    count: int
    """The number of ended calls."""
    total: float
    min: float
    max: float
    mean: float


class Durations(BaseModel, frozen=True):
    """The durations of a flow, and of its tasks by name, in seconds."""

    model_config: ClassVar[ConfigDict] = ConfigDict(defer_build=True)

    flow_name: str
    flow_status: RunStatus
    flow_duration: float = 0.0
    """Until now, if the flow is running; 0.0 before its execution."""
    flow_tasks: dict[str, float] = {}
    """Task name to the total of its calls."""
    calls: dict[str, TaskTiming] = {}
    """Task name to the figures of its calls."""


class TaskDuration(BaseModel, frozen=True):
    """One call of a task."""

    model_config: ClassVar[ConfigDict] = ConfigDict(defer_build=True)

    task_name: str
    task_duration: float
    """In seconds; until now, if the task is running."""
    task_status: RunStatus


class TaskDurations(BaseModel, frozen=True):
    """The durations of a flow, and of each of its tasks, in seconds."""

    model_config: ClassVar[ConfigDict] = ConfigDict(defer_build=True)

    flow_name: str
    flow_status: RunStatus
    flow_duration: float = 0.0
    """Until now, if the flow is running; 0.0 before its execution."""
    flow_tasks: dict[int, TaskDuration] = {}
    """Execution order to the call."""
