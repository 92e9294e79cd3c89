"""How values of types that JSON has no form for are written, and read."""

import base64
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from ..introspection import type_name

__all__ = ["TYPE_CODECS", "TypeCodec"]

_ZONE_PARTS: Any = vars(timezone)["__getinitargs__"]
"""What a fixed offset was made from, its name included; of the pickle protocol."""


@dataclass(frozen=True, slots=True)
class TypeCodec:
    """How values of a type are written, and read."""

    name: str
    write: Callable[[Any], Any]
    form: Any
    """The type of what is written."""
    read: Callable[[Any], Any]


def _moment_form(value: Any) -> list[Any]:
    """Of a datetime or time: its zone apart, which may be more than an offset, and whether it is the second of its kind."""
    zone: tzinfo | None = value.tzinfo
    written: Any = None
    if type(zone) is timezone:
        written = list(_ZONE_PARTS(zone))
    elif type(zone) is ZoneInfo and zone.key is not None:  # pyright: ignore[reportUnnecessaryComparison] # it may be
        written = zone.key
    elif zone is not None:
        raise ValueError(f"a time zone of type {type_name(zone)}, wanted one of datetime or zoneinfo")
    return [value.replace(tzinfo=None, fold=0).isoformat(), written, value.fold]


def _zone(written: Any) -> tzinfo | None:
    if written is None:
        return None
    return ZoneInfo(written) if isinstance(written, str) else timezone(*written)


def _moment(kind: Any) -> Callable[[Any], Any]:
    def read(form: Any) -> Any:
        text, zone, fold = form
        return kind.fromisoformat(text).replace(tzinfo=_zone(zone), fold=fold)

    return read


def _special(text: str) -> float:
    value = float(text)
    if math.isfinite(value):
        raise ValueError("it is finite")
    return value


TYPE_CODECS: Final[dict[type, TypeCodec]] = {
    int: TypeCodec("int", hex, str, lambda text: int(text, 16)),
    float: TypeCodec("float", repr, str, _special),
    str: TypeCodec(
        "str", lambda text: text.encode("utf-8", "surrogatepass").hex(), str,
        lambda text: bytes.fromhex(text).decode("utf-8", "surrogatepass"),
    ),
    dict: TypeCodec("dict", lambda value: [list(item) for item in value.items()], list, dict),
    tuple: TypeCodec("tuple", list, list, tuple),
    set: TypeCodec("set", list, list, set),
    frozenset: TypeCodec("frozenset", list, list, frozenset),
    bytes: TypeCodec(
        "bytes", lambda value: base64.b64encode(value).decode(), str,
        lambda text: base64.b64decode(text, validate=True),
    ),
    datetime: TypeCodec("datetime", _moment_form, list, _moment(datetime)),
    date: TypeCodec("date", date.isoformat, str, date.fromisoformat),
    time: TypeCodec("time", _moment_form, list, _moment(time)),
    timedelta: TypeCodec(
        "timedelta", lambda value: [value.days, value.seconds, value.microseconds], list,
        lambda parts: timedelta(*parts),
    ),
    Decimal: TypeCodec("decimal", str, str, Decimal),
    UUID: TypeCodec("uuid", str, str, UUID),
    type(Path()): TypeCodec("path", lambda path: path.as_posix(), str, Path),
    PurePosixPath: TypeCodec("posix_path", str, str, PurePosixPath),
    PureWindowsPath: TypeCodec("windows_path", str, str, PureWindowsPath),
}  # fmt: skip
