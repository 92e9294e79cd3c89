"""What is recorded of an exception."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

__all__ = ["ErrorInfo"]


class ErrorInfo(BaseModel, frozen=True):
    """An exception, as text."""

    model_config: ClassVar[ConfigDict] = ConfigDict(defer_build=True)

    type: str
    """The qualified name of its class."""
    module: str
    """The module of its class."""
    message: str
    traceback: str
    """As Python prints it, causes included; of a cause and of a task, without what is told further inside.

    A task whose exception comes from a task inside it has its own frames here, and the flow has all of them.
    """
    notes: list[str] = []
    """Those that a task inside has not told already."""
    cause: "ErrorInfo | None" = None
    """Its `__cause__`, else its `__context__` unless that is suppressed."""
