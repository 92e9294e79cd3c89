"""The sync and the async form of each task of the conformance suite."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pytest

from . import recording_tasks, tasks, waiting_tasks

__all__ = ["ASYNC", "FORMS", "PLACES", "SYNC", "Tasks"]


@dataclass(frozen=True)
class Tasks:
    """All tasks in one of their forms, by the name of the sync one."""

    suffix: str

    def __getattr__(self, name: str) -> Callable[..., Any]:
        module = next(one for one in (tasks, recording_tasks, waiting_tasks) if hasattr(one, self.name(name)))
        found: Callable[..., Any] = getattr(module, self.name(name))
        return found

    def name(self, name: str) -> str:
        """What a task is called in this form."""
        return name + self.suffix


SYNC: Final = Tasks("")
ASYNC: Final = Tasks("_async")

FORMS = pytest.mark.parametrize("tasks", [SYNC, ASYNC], ids=["sync", "async"])
PLACES = pytest.mark.parametrize("place", ["asyncio", "thread", "process"])
