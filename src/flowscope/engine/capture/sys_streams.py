"""The standard streams in `sys`, watched while flows run.

A test tool swaps `sys.stdout` out for a moment and assigns the stream from before the flow again. Only the class of `sys`
can react to an assignment to `sys.stdout`. `print` does not use that class, and costs the same.
"""

import sys
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any, Final, Literal, final

__all__ = ["SYS", "StreamName", "StreamWatch"]

StreamName = Literal["stdout", "stderr"]

SYS: Final[Any] = vars(sys)
"""The namespace of `sys`: this library reads and writes streams here, past the watch; a stream may be missing."""


@final
class _StreamAttribute:
    """The attribute `sys.stdout` or `sys.stderr`, for Python code that names it."""

    def __init__(
        self, name: StreamName, read: Callable[[Any, FrameType], Any], write: Callable[[StreamName, Any], None]
    ) -> None:
        self._name: StreamName = name
        self._read = read
        self._write = write

    def __get__(self, module: ModuleType | None, owner: object) -> Any:
        if module is None:
            return self
        try:
            stream = SYS[self._name]
        except KeyError:
            raise self._missing() from None
        return self._read(stream, sys._getframe(1))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # the documented way to the caller

    def __set__(self, _: ModuleType, stream: Any) -> None:
        self._write(self._name, stream)

    def __delete__(self, _: ModuleType) -> None:
        try:
            del SYS[self._name]
        except KeyError:
            raise self._missing() from None

    def _missing(self) -> AttributeError:
        return AttributeError(f"module 'sys' has no attribute {self._name!r}", name=self._name, obj=sys)


class _WatchedSys(ModuleType):
    """The class of `sys` while flows run."""

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Pickle by name, for picklers of modules."""
        return __import__, ("sys",)


_MODULE: Final[Any] = sys


@final
class StreamWatch:
    """Watches the standard streams while it has users, unless another library has replaced the class of `sys`.

    Args:
        read: Gets the present stream and the frame that looks it up; returns the stream for that frame.
        write: Called for an assignment; stores the stream, or another one.
    """

    def __init__(self, read: Callable[[Any, FrameType], Any], write: Callable[[StreamName, Any], None]) -> None:
        self._users = 0
        self._kind = type(
            "WatchedSys",
            (_WatchedSys,),
            {"stdout": _StreamAttribute("stdout", read, write), "stderr": _StreamAttribute("stderr", read, write)},
        )

    def start(self) -> None:
        """Watch, for one more user."""
        self._users += 1
        if type(sys) is ModuleType:
            _MODULE.__class__ = self._kind

    def stop(self) -> None:
        """End the watch for one user; after the last one `sys` is as it was."""
        self._users -= 1
        if not self._users and type(sys) is self._kind:
            _MODULE.__class__ = ModuleType

    def forget(self) -> None:
        """End the watch for all users."""
        self._users = 0
        if type(sys) is self._kind:
            _MODULE.__class__ = ModuleType
