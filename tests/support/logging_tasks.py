"""Tasks that log, in a module that worker processes import."""

from flowscope import current_task, get_run_logger, task


@task
def say_there() -> None:
    """Log with fields, and with an exception."""
    current_task().log_info("info", rows=3, password="a-secret-word")
    try:
        raise LookupError("lost")
    except LookupError:
        get_run_logger().exception("exception")


@task
def progress_there(count: int) -> None:
    """Report progress."""
    for number in range(count):
        current_task().progress(number + 1, count, f"item {number + 1}")
