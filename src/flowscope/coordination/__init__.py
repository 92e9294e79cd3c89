"""Flows that depend on flows."""

from ..errors import CoordinationError
from .coordinator import FlowCoordinator
from .kinds import DependencyType, FlowType
from .summary import CoordinatorSummary
from .worker_pool import WorkerPool

__all__ = [
    "CoordinationError",
    "CoordinatorSummary",
    "DependencyType",
    "FlowCoordinator",
    "FlowType",
    "WorkerPool",
]
