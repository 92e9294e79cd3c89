"""Where calls run that are submitted: event loops, threads, worker processes."""

from .aio import AsyncioExecutor
from .choosing import ExecutorName, use_executor
from .executor import Executor
from .future import TaskFuture
from .job import Job
from .mapping import TaskMap, map_tasks
from .process import ProcessExecutor
from .submitting import submit
from .thread import ThreadExecutor

__all__ = [
    "AsyncioExecutor",
    "Executor",
    "ExecutorName",
    "Job",
    "ProcessExecutor",
    "TaskFuture",
    "TaskMap",
    "ThreadExecutor",
    "map_tasks",
    "submit",
    "use_executor",
]
