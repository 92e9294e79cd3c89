"""The rows of the table, in the order of the budgets."""

from typing import Final

from ..figures import Row
from .concurrency import concurrent_flows, gathered_tasks
from .executors import process_tasks, submitting
from .flows import empty_flow
from .graphs import graph_activations
from .imports import import_time
from .lines import log_line, print_line
from .memory import counted_memory, flow_memory, task_memory
from .record import record_json
from .tasks import async_task, counted_task, deep_task, million_tasks, sync_task

__all__ = ["ROWS"]

ROWS: Final = (
    Row("sync-task", sync_task),
    Row("async-task", async_task),
    Row("depth", deep_task),
    Row("million", million_tasks),
    Row("counted", counted_task),
    Row("counted-memory", counted_memory),
    Row("task-memory", task_memory),
    Row("gather", gathered_tasks),
    Row("print", print_line),
    Row("log-info", log_line),
    Row("empty-flow", empty_flow),
    Row("flow-memory", flow_memory),
    Row("record", record_json),
    Row("concurrent-flows", concurrent_flows),
    Row("process-tasks", process_tasks),
    Row("submit", submitting),
    Row("graph", graph_activations),
    Row("import", import_time),
)
