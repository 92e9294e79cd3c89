"""Tasks that change their own name or error policy, for worker processes to import."""

from flowscope import INJECTED, Task, task

__all__ = ["call_renamed", "renamed", "renamed_once", "tolerant_once"]


@task
def renamed(x: int, this_task: Task = INJECTED) -> str:
    """Take another name for one argument."""
    if x == 1:
        this_task.task_name = "renamed-1"
        this_task.log_info("under another name")
    return this_task.task_name


@task
def call_renamed() -> list[str]:
    """Call a task that takes another name."""
    return [renamed(x) for x in range(3)]


@task
def tolerant_once(tolerant: bool, this_task: Task = INJECTED) -> None:
    """Fail, and let that pass if asked."""
    if tolerant:
        this_task.raise_on_error = False
    raise ValueError("boom")


@task(retries=1)
def renamed_once(this_task: Task = INJECTED) -> str:
    """Take another name in the first attempt, and see it in the second."""
    if this_task.attempt == 1:
        this_task.task_name = "second"
        raise ValueError("once")
    return this_task.task_name
