"""Text without control sequences, as entries of a log hold it, and text that cannot pass for a line of its own."""

import re
from typing import Final

from .json.json_leaves import clean_text

__all__ = ["continued", "plain_text"]

_SEQUENCE: Final = re.compile(
    r"""\x1b(?:
        \[[0-?]*[ -/]*[@-~]                             # control sequences: colours, cursor
        | [\]PX^_][^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?    # strings: titles, links
        | [ -/]*[0-~]                                   # all others
    )
    | \x9b[0-?]*[ -/]*[@-~]                             # the same in one character
    | [\x90\x98\x9d-\x9f][^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)""",
    re.VERBOSE,
)
"""Control sequences as ECMA-48 defines them, with introducers of seven and of eight bits.

A string that an eight-bit character opens counts only if it ends: in text that was decoded wrongly such a character is
part of a word.
"""
_LINE_BREAK: Final = re.compile(r"\r\n|[\r\v\f\x85]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")


def plain_text(text: str) -> str:
    r"""The text without control sequences and control characters, and with lone surrogates escaped.

    Tabs and newlines stay. Every other line break, the carriage return included, becomes `\n`.
    """
    if text.isprintable():
        return text
    return clean_text(_CONTROL.sub("", _LINE_BREAK.sub("\n", _SEQUENCE.sub("", text))))


def continued(text: str, indent: str) -> str:
    """The text for a place in which each line begins with something: its further lines begin with `indent`.

    It has no control sequences and characters. So a line in it cannot pass for another one of that place.
    """
    return text if text.isprintable() else f"\n{indent}".join(plain_text(text).splitlines())
