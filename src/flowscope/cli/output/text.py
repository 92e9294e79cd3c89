"""How durations, values and foreign text are written."""

from collections.abc import Iterable, Mapping
from reprlib import Repr
from typing import Final

from ...serialization.error_info import ErrorInfo
from ...serialization.json.json_leaves import clean_text, safe_repr
from ..errors import one_line

__all__ = ["cut", "duration", "error_line", "inputs_text", "plain", "plain_lines", "short"]

MAX_LENGTH: Final = 200
MAX_INPUTS: Final = 80

_CONTROLS: Final = (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Control characters, line and paragraph separators, and those that change the direction of the text around them."""
_ESCAPES: Final = {code: ascii(chr(code))[1:-1] for code in _CONTROLS}

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


def plain(text: str) -> str:
    """The text on one line, with every control character escaped: it can neither steer a terminal nor end its line."""
    return text if text.isascii() and text.isprintable() else text.translate(_ESCAPES)


def plain_lines(text: str, margin: str) -> str:
    """The text with its own lines, but for the first all behind a margin: none can pass for a line of the command."""
    return f"\n{margin}".join(plain(line.expandtabs()) for line in text.splitlines())


def error_line(error: ErrorInfo) -> str:
    """The type and the message of an error, on one line."""
    return one_line(f"{error.type}: {error.message}" if error.message else error.type)


def cut(text: str) -> str:
    """The text on one line of at most 200 characters."""
    line = plain(one_line(text))
    return line if len(line) <= MAX_LENGTH else f"{line[: MAX_LENGTH - 3]}..."


def short(value: object) -> str:
    """The value's `repr`, cut; a long container is not written out before."""
    try:
        text = clean_text(_SHORT.repr(value))
    except Exception:
        text = safe_repr(value)
    return cut(text)


def inputs_text(args: Iterable[object], kwargs: Mapping[str, object]) -> str:
    """Arguments as a call has them, such as `(1, unit='m')`, of which at most 80 characters are shown."""
    text = ", ".join(
        [*map(short, args), *(f"{plain(one_line(name))}={short(value)}" for name, value in kwargs.items())]
    )
    return f"({text})" if len(text) <= MAX_INPUTS else f"({text[: MAX_INPUTS - 3]}...)"
