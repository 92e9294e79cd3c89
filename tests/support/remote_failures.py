"""Tasks that fail in ways of their own in a worker process, which imports them from here."""

import os
import threading
from typing import Any

from flowscope import INJECTED, task

__all__ = ["Delicate", "die", "shatter", "take", "write"]


class Delicate(Exception):
    """An exception that does not pickle."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.lock = threading.Lock()


@task
def take(value: object) -> object:
    """Give back what it was given."""
    return value


@task
def write(flow_data: dict[str, Any] = INJECTED) -> None:
    """Write to the flow's shared data."""
    flow_data["rows"] = 3


@task
def shatter() -> None:
    """Raise what does not travel."""
    raise Delicate("a vase was dropped")


@task
def die() -> None:
    """End the process."""
    os._exit(3)
