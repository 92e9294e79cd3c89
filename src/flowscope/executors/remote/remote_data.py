"""The shared data and the provided values of a flow, as its tasks see them in another process."""

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from ...errors import RemoteDataError, SerializationError
from ...serialization.exception_snapshot import summary_of
from ...serialization.transport.pickling import Unsent, unpickle

__all__ = ["RemoteData", "RemoteProvided"]


class RemoteData(dict[str, Any]):
    """A snapshot of `flow_data`: a dictionary to read. What could not travel is named when it is asked for."""

    def __init__(self, items: Mapping[str, bytes | Unsent]) -> None:
        arrived = {key: _arrived(item) for key, item in items.items()}
        super().__init__({key: value for key, value in arrived.items() if not isinstance(value, Unsent)})
        self._unsent = {key: value for key, value in arrived.items() if isinstance(value, Unsent)}

    def __missing__(self, key: str) -> Any:
        if key in self._unsent:
            raise SerializationError(f"flow_data[{key!r}]", *self._unsent[key])
        raise KeyError(key)

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key that is there, or the default."""
        return self[key] if key in self or key in self._unsent else default

    def setdefault(self, key: str, default: Any = None) -> Any:  # noqa: ARG002 - it would be written
        """The value of a key that is there."""
        if key not in self:
            raise RemoteDataError(key)
        return self[key]

    def __setitem__(self, key: str, value: Any) -> NoReturn:
        raise RemoteDataError(key)

    def __delitem__(self, key: str) -> NoReturn:
        raise RemoteDataError(key)

    def pop(self, key: str, *_: Any) -> NoReturn:
        """Refused: it would change the snapshot."""
        raise RemoteDataError(key)

    def popitem(self) -> NoReturn:
        """Refused: it would change the snapshot."""
        raise RemoteDataError

    def clear(self) -> NoReturn:
        """Refused: it would change the snapshot."""
        raise RemoteDataError

    def update(self, *_: Any, **__: Any) -> NoReturn:
        """Refused: it would change the snapshot."""
        raise RemoteDataError

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        """Copied, recorded or passed on, it is a plain dictionary."""
        return dict, (dict(self),)

    def __ior__(self, other: Any) -> NoReturn:  # type: ignore[misc]
        raise RemoteDataError


class RemoteProvided(Mapping[str, Any]):
    """What a flow provides by name; unpacked when it is asked for."""

    def __init__(self, items: Mapping[str, bytes | Unsent]) -> None:
        self._items = items

    def __getitem__(self, name: str) -> Any:
        value = _arrived(self._items[name])
        if isinstance(value, Unsent):
            raise SerializationError(f"the provided value {name!r}", *value)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


def _arrived(item: bytes | Unsent) -> Any:
    """What was packed, or why it is not here."""
    if isinstance(item, Unsent):
        return item
    try:
        return unpickle(item)
    except Exception as error:
        return Unsent("bytes", f"the worker cannot read it, {summary_of(error)}")
