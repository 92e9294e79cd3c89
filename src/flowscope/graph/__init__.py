"""Routine graphs: nodes with slots and events, wired by connections; jobs that pause, move and resume."""

from ..errors import GraphError
from .errors import JobStateError, NameTakenError, SpecError, UnknownNameError
from .graph import RoutineGraph
from .job.options import ErrorHandler, ErrorStrategy, TaskPriority
from .job.state import ExecutionRecord, JobState, PausePoint, PendingActivation, Performance, RoutineState
from .routines.routine import Routine
from .routines.stock import Aggregator, Batcher, ConditionalRouter, Filter, Mapper, SchemaValidator, Splitter
from .slots.slots_and_events import Connection, Event, Slot, event, slot
from .spec.spec import GraphSpec
from .structure.validation import GraphProblem

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
    "JobStateError",
    "Mapper",
    "NameTakenError",
    "PausePoint",
    "PendingActivation",
    "Performance",
    "Routine",
    "RoutineGraph",
    "RoutineState",
    "SchemaValidator",
    "Slot",
    "SpecError",
    "Splitter",
    "TaskPriority",
    "UnknownNameError",
    "event",
    "slot",
]
