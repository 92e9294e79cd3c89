"""Tasks of which tests make copies with other options."""

from collections.abc import Callable

from flowscope import current_task, task


@task
def fragile(number: int) -> int:
    """Fail at the first attempt."""
    if current_task().attempt == 1:
        raise LookupError(f"attempt 1 of {number}")
    return number


@task(validate=False)
def doubled(number: int) -> int:
    """Twice the number."""
    return number * 2


@task
def applied(function: Callable[[int], int], number: int) -> int:
    """Call a task that came as an argument."""
    return function(number)
