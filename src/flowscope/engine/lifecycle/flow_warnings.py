"""The warnings about flows that are not executed, or executed where that blocks an event loop."""

import inspect
import sys
import warnings
from pathlib import PurePath
from types import CodeType
from typing import Any, Final

from ...concurrency.event_loops import running_loop
from .flow_definition import BoundTarget

__all__ = ["BlockedLoopWarning", "FlowNotExecutedWarning", "warn_blocked_loop", "warn_not_executed"]

_LIBRARY: Final = __name__.partition(".")[0]


class FlowNotExecutedWarning(RuntimeWarning):
    """A flow that a flow function has made was dropped, and no code has executed or awaited it."""


class BlockedLoopWarning(RuntimeWarning):
    """`execute()` of an async flow blocks the event loop that is running in this thread."""


def warn_not_executed(bound: BoundTarget | None) -> None:
    """Warn of a flow that is dropped without an execution, at the place where its function is defined."""
    if bound is None or sys.is_finalizing():
        return
    name, function = bound.target.name, bound.target.definition.target
    code = _code_of(function)
    path, line = ("<unknown>", 1) if code is None else (code.co_filename, code.co_firstlineno)
    text = (
        f"a flow of flow function {name!r} ({PurePath(path)}, line {line}) was never executed. Call .execute() on what "
        f"{name}(...) returns, or await it."
    )
    module = getattr(function, "__module__", None)
    warnings.warn_explicit(text, FlowNotExecutedWarning, path, line, module=module or "<unknown>")


def _code_of(function: Any) -> CodeType | None:
    """The code of a function, method, partial or callable object; None for that of a C extension."""
    for _ in range(_DEPTH):
        code = getattr(function, "__code__", None)
        if isinstance(code, CodeType):
            return code
        inner = getattr(function, "func", None) or getattr(function, "__func__", None)
        function = inner or getattr(function, "__wrapped__", None) or _own_call(function)
    return None


def _own_call(function: Any) -> Any:
    return inspect.getattr_static(function, "__call__", None)


_DEPTH: Final = 8
"""The greatest number of wrappers around a function that are looked through."""


def warn_blocked_loop(flow_name: str) -> None:
    """Warn if an event loop is running in this thread, at the line of the user's code."""
    if running_loop() is None:
        return
    frame, depth = sys._getframe(1), 2  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # documented, for this
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _LIBRARY:
        frame, depth = frame.f_back, depth + 1
    text = (
        f"flow {flow_name!r} is async, and execute() blocks the event loop that is running here until its end. Await "
        "the flow: `await flow`."
    )
    warnings.warn(text, BlockedLoopWarning, stacklevel=depth)
