"""What a sync function returns before its work is done: a coroutine or generator of its own.

A wrapper that knows nothing of coroutines, a lambda or a mock is a sync function, and what it returns is the rest of the
call. One that has begun, that an argument holds, or that anybody else holds, is a value like any other.
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
    """How a call goes on that has returned this; `Kind.SYNC` if it is a value, and the call is over.

    It counts who holds the value: the caller has it in one local variable, and nowhere else.
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
    return bool(frame.f_code.co_code[frame.f_lasti] == opmap["RETURN_GENERATOR"])  # it does not tell otherwise


def _holders_of(value: object) -> int:
    return sys.getrefcount(value)


def _count_lone() -> int:
    """What `own_kind` counts for a value that its caller alone holds, in this version of Python."""
    value: Iterator[int] = (number for number in range(0))
    return _holders_of(value)


_LONE: Final = _count_lone()
