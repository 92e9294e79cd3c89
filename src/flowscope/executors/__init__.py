"""Where calls run that are submitted: event loops, threads, worker processes."""

from .backends.asyncio_executor import AsyncioExecutor
from .backends.process_executor import ProcessExecutor
from .backends.thread_executor import ThreadExecutor
from .selection import ExecutorName, use_executor
from .submission.executor import Executor, Submission
from .submission.future import TaskFuture
from .submit import submit
from .task_map import TaskMap, map_tasks

__all__ = [
    "AsyncioExecutor",
    "Executor",
    "ExecutorName",
    "Job",
    "ProcessExecutor",
    "Submission",
    "TaskFuture",
    "TaskMap",
    "ThreadExecutor",
    "map_tasks",
    "submit",
    "use_executor",
]

Job = Submission
"""The earlier name of `Submission`."""
