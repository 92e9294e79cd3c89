"""Sync functions that return a coroutine or generator of their own, which is the rest of the call.

A plain wrapper, a lambda or a mock is such a function. A coroutine or generator that has begun, or that an argument or
other code holds, is a value like any other.
"""

import inspect
import sys
from collections.abc import Iterator
from opcode import opmap
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, Final

from .callables import Kind

__all__ = ["ASYNC_GENERATOR", "COROUTINE", "GENERATOR", "own_kind"]

COROUTINE: Final[Any] = CoroutineType
GENERATOR: Final[Any] = GeneratorType
ASYNC_GENERATOR: Final[Any] = AsyncGeneratorType


def own_kind(value: Any) -> Kind:
    """The kind of the rest of a call that has returned this; `Kind.SYNC` if it is a value, and the call has ended.

    The function counts the references: the caller must hold the value in one local variable, and nowhere else.
    """
    if sys.getrefcount(value) > _LONE:
        return Kind.SYNC
    shape: Any = type(value)  # pyright: ignore[reportUnknownVariableType] # it may be anything
    if shape is COROUTINE and inspect.getcoroutinestate(value) == inspect.CORO_CREATED:
        return Kind.ASYNC
    if shape is GENERATOR and inspect.getgeneratorstate(value) == inspect.GEN_CREATED:
        return Kind.ASYNC if value.gi_code.co_flags & inspect.CO_ITERABLE_COROUTINE else Kind.GENERATOR
    if shape is ASYNC_GENERATOR and _is_created(value):
        return Kind.ASYNC_GENERATOR
    return Kind.SYNC


def _is_created(generator: Any) -> bool:
    """Whether an async generator has not begun."""
    frame = generator.ag_frame
    if frame is None or generator.ag_running:
        return False
    if sys.version_info >= (3, 12):
        return not generator.ag_suspended
    return bool(frame.f_code.co_code[frame.f_lasti] == opmap["RETURN_GENERATOR"])  # Python 3.11 has no attribute for it


def _holders_of(value: object) -> int:
    return sys.getrefcount(value)


def _count_lone() -> int:
    """The count of `own_kind` for a value that its caller alone holds, in this version of Python."""
    value: Iterator[int] = (number for number in range(0))
    return _holders_of(value)


_LONE: Final = _count_lone()
