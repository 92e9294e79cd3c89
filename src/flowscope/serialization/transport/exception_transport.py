"""Exceptions on their way from one process to another: as themselves if they can, as text otherwise."""

from typing import Any, NamedTuple

from ...errors import RemoteTaskError
from ..error_info import ErrorInfo
from ..exception_snapshot import RemoteTraceback, notes_of
from .pickling import to_pickle, unpickle

__all__ = ["pack_error", "remote_error", "unpack_error"]


def pack_error(error: BaseException) -> bytes:
    """The exception, pickled; nothing, if it would not arrive as what it is."""
    try:
        packed = to_pickle(error)
        arrived = unpickle(packed)
        if type(arrived) is not type(error):
            return b""
        return packed if _alike(arrived, error) else to_pickle(_parts(error))
    except BaseException:
        return b""


def _alike(arrived: BaseException, error: BaseException) -> bool:
    """Whether nothing was changed on the way, as far as text tells."""
    return (repr(arrived.args), str(arrived)) == (repr(error.args), str(error))


def unpack_error(packed: bytes, info: ErrorInfo, own: ErrorInfo | None = None) -> BaseException:
    """The exception that was packed, with what is known of it there as its cause; a `RemoteTaskError` failing that."""
    try:
        error = _whole(unpickle(packed))
    except BaseException:
        error = None
    if not isinstance(error, BaseException):
        return remote_error(info)
    error.__cause__ = RemoteTraceback(info, own, len(notes_of(error)))
    return error


def remote_error(info: ErrorInfo) -> RemoteTaskError:
    """An exception that stands for one in another process."""
    error = RemoteTaskError(f"{info.module}.{info.type}", info.message, info.traceback)
    error.__cause__ = RemoteTraceback(info)
    return error


class _Parts(NamedTuple):
    """The class, arguments and attributes of an exception, so that no `__init__` has a second say."""

    kind: Any
    args: Any
    attributes: Any


def _parts(error: BaseException) -> _Parts:
    return _Parts(type(error), error.args, vars(error))


def _whole(parts: Any) -> Any:
    if not isinstance(parts, _Parts):
        return parts
    error = parts.kind.__new__(parts.kind, *parts.args)
    error.args = parts.args
    error.__dict__.update(parts.attributes)
    return error
