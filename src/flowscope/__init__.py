"""A rich execution context for ordinary Python functions."""

from .engine.access import bind_context, current_flow, current_flow_or_none, current_task, current_task_or_none
from .engine.bus import EventBus, Subscription, flow_events
from .engine.decorators import flow, task
from .engine.injection import INJECTED, Inject
from .engine.listening import Listener
from .engine.live import Flow, Task
from .errors import (
    AlreadyRunningError,
    DefinitionError,
    FlowscopeError,
    InjectionError,
    NoActiveFlowError,
    NoActiveTaskError,
    NotExecutedError,
    NotSetUpError,
    ParameterError,
    TaskTimeoutError,
)
from .model.config import FlowConfig
from .model.durations import Durations, TaskDuration, TaskDurations, TaskTiming
from .model.events import EventData, EventType, FlowEvent
from .model.records import Artifact, Dropped, ErrorInfo, FlowRun, LogEntry, Result, TaskRun
from .model.status import RunStatus

__all__ = [
    "AlreadyRunningError",
    "Artifact",
    "DefinitionError",
    "Dropped",
    "Durations",
    "ErrorInfo",
    "EventBus",
    "EventData",
    "EventType",
    "Flow",
    "FlowConfig",
    "FlowEvent",
    "FlowRun",
    "FlowscopeError",
    "INJECTED",
    "Inject",
    "InjectionError",
    "Listener",
    "LogEntry",
    "NoActiveFlowError",
    "NoActiveTaskError",
    "NotExecutedError",
    "NotSetUpError",
    "ParameterError",
    "Result",
    "RunStatus",
    "Subscription",
    "Task",
    "TaskDuration",
    "TaskDurations",
    "TaskRun",
    "TaskTimeoutError",
    "TaskTiming",
    "bind_context",
    "current_flow",
    "current_flow_or_none",
    "current_task",
    "current_task_or_none",
    "flow",
    "flow_events",
    "task",
]
