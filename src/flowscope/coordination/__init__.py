"""Flows that depend on flows."""

from ..errors import CoordinationError, DependencyCycleError, FlowTakenError, UnknownFlowError
from .coordinator import FlowCoordinator
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
