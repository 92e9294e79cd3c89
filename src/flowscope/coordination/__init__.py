"""Flows that depend on flows."""

from ..errors import CoordinationError
from .coordinator import FlowCoordinator
from .errors import DependencyCycleError, FlowTakenError, UnknownFlowError
from .schedule.options import DependencyType, FlowType
from .schedule.summary import CoordinatorSummary
from .worker_pool import WorkerPool

__all__ = [
    "CoordinationError",
    "CoordinatorSummary",
    "DependencyCycleError",
    "DependencyType",
    "FlowCoordinator",
    "FlowTakenError",
    "FlowType",
    "UnknownFlowError",
    "WorkerPool",
]
