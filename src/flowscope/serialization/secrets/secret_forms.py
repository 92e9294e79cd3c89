"""The forms in which a text shows another: escaped, quoted, encoded."""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, quote_plus

from ..json.json_leaves import clean_text
from ..plain_text import plain_text

__all__ = ["forms_of"]

_ESCAPED: Final = 2
"""So often a text is escaped where one `repr` shows another."""


def forms_of(text: str) -> set[str]:
    """The text as it is, as `repr` and JSON escape it, as URLs quote it, and in Base64 at each of the three alignments."""
    data = text.encode("utf-8", "surrogatepass")
    plain = {text, clean_text(text), plain_text(text)}
    escaped = set(plain)
    for _ in range(_ESCAPED):
        escaped |= {form for found in tuple(escaped) for form in _escaped(found)}
    return {*escaped, *_escaped_bytes(data), *_quoted(data), *_encoded(data)} - {""}


def _escaped(text: str) -> Iterator[str]:
    import json  # noqa: PLC0415 - a program without secrets does not need it

    shown = repr(text)[1:-1]
    yield shown
    yield shown.replace("\\'", "'").replace("'", "\\'")
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]


def _escaped_bytes(data: bytes) -> Iterator[str]:
    shown = repr(data)[2:-1]
    yield shown
    yield shown.replace("\\'", "'").replace("'", "\\'")


def _quoted(data: bytes) -> Iterator[str]:
    for form in (quote(data, safe=""), quote(data), quote_plus(data), quote_plus(data, safe="/")):
        yield form
        pieces = form.split("%")
        yield "%".join([pieces[0], *(piece[:2].lower() + piece[2:] for piece in pieces[1:])])


def _encoded(data: bytes) -> Iterator[str]:
    """The characters that the data alone decides, after none, one or two bytes of something else."""
    for before, first in enumerate((0, 2, 3)):
        whole = bytes(before) + data
        last = len(whole) * 8 // 6
        yield b64encode(whole)[first:last].decode("ascii")
        yield urlsafe_b64encode(whole)[first:last].decode("ascii")
