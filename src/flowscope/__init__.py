"""A rich execution context for ordinary Python functions."""

from .engine.current import bind_context, current_flow, current_flow_or_none, current_task, current_task_or_none
from .engine.decorators import flow, task, with_options
from .engine.definitions.injection_plan import INJECTED, Inject
from .engine.events.bus import EventBus, Subscription, flow_events
from .engine.events.listeners import Listener
from .engine.lifecycle.flow_warnings import BlockedLoopWarning, FlowNotExecutedWarning
from .engine.live import Flow, Task
from .engine.run_logger import get_run_logger
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
    RemoteDataError,
    RemoteTaskError,
    SerializationError,
    TaskTimeoutError,
    WorkerDiedError,
)
from .executors.backends.asyncio_executor import AsyncioExecutor
from .executors.backends.process_executor import ProcessExecutor
from .executors.backends.thread_executor import ThreadExecutor
from .executors.selection import use_executor
from .executors.submission.executor import Executor
from .executors.submission.future import TaskFuture
from .executors.submit import submit
from .executors.task_map import TaskMap, map_tasks
from .model.config import FlowConfig, set_default_config
from .model.durations import Durations, TaskDuration, TaskDurations, TaskTiming
from .model.events import EventData, EventType, FlowEvent
from .model.flow_cancelled import FlowCancelledError
from .model.records import Artifact, AttemptFailure, Dropped, FlowRun, LogEntry, Progress, Result, TaskRun
from .model.status import RunStatus
from .serialization.error_info import ErrorInfo

__all__ = [
    "AlreadyRunningError",
    "Artifact",
    "AsyncioExecutor",
    "AttemptFailure",
    "BlockedLoopWarning",
    "DefinitionError",
    "Dropped",
    "Durations",
    "ErrorInfo",
    "EventBus",
    "EventData",
    "EventType",
    "Executor",
    "Flow",
    "FlowCancelledError",
    "FlowConfig",
    "FlowEvent",
    "FlowNotExecutedWarning",
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
    "ProcessExecutor",
    "Progress",
    "RemoteDataError",
    "RemoteTaskError",
    "Result",
    "RunStatus",
    "SerializationError",
    "Subscription",
    "Task",
    "TaskDuration",
    "TaskDurations",
    "TaskFuture",
    "TaskMap",
    "TaskRun",
    "TaskTimeoutError",
    "TaskTiming",
    "ThreadExecutor",
    "WorkerDiedError",
    "bind_context",
    "current_flow",
    "current_flow_or_none",
    "current_task",
    "current_task_or_none",
    "flow",
    "flow_events",
    "get_run_logger",
    "map_tasks",
    "set_default_config",
    "submit",
    "task",
    "use_executor",
    "with_options",
]
