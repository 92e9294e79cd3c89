"""Routine graphs: nodes with slots and events, wired by connections; jobs that pause, move and resume."""

from ..errors import GraphError
from .graph import RoutineGraph
from .kinds import ErrorHandler, ErrorStrategy, TaskPriority
from .ports import Connection, Event, Slot, event, slot
from .problems import GraphProblem
from .routine import Routine
from .spec import GraphSpec
from .state import ExecutionRecord, JobState, PausePoint, PendingActivation, Performance, RoutineState
from .stock import Aggregator, Batcher, ConditionalRouter, Filter, Mapper, SchemaValidator, Splitter

__all__ = [
    "Aggregator",
    "Batcher",
    "ConditionalRouter",
    "Connection",
    "ErrorHandler",
    "ErrorStrategy",
    "Event",
    "ExecutionRecord",
    "Filter",
    "GraphError",
    "GraphProblem",
    "GraphSpec",
    "JobState",
    "Mapper",
    "PausePoint",
    "PendingActivation",
    "Performance",
    "Routine",
    "RoutineGraph",
    "RoutineState",
    "SchemaValidator",
    "Slot",
    "Splitter",
    "TaskPriority",
    "event",
    "slot",
]
