"""How durations and values are written."""

from reprlib import Repr
from typing import Final

from ..serialization.json_values import clean_text, safe_repr
from .errors import one_line

__all__ = ["cut", "duration", "short"]

MAX_LENGTH: Final = 200

_SHORT: Final = Repr()
_SHORT.maxstring = _SHORT.maxother = MAX_LENGTH
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = _SHORT.maxset = 10


def duration(seconds: float) -> str:
    """Such as `7.5 µs`, `31.0 ms`, `4.25 s` or `2 min 5 s`."""
    if seconds < 1e-3:  # noqa: PLR2004 - a millisecond
        return f"{seconds * 1_000_000:.1f} µs"
    if seconds < 1:
        return f"{seconds * 1_000:.1f} ms"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def cut(text: str) -> str:
    """The text on one line of at most 200 characters."""
    line = one_line(text)
    return line if len(line) <= MAX_LENGTH else f"{line[: MAX_LENGTH - 3]}..."


def short(value: object) -> str:
    """The value's `repr`, cut; a long container is not written out before."""
    try:
        text = clean_text(_SHORT.repr(value))
    except Exception:
        text = safe_repr(value)
    return cut(text)
