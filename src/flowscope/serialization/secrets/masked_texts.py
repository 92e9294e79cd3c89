"""Masking secrets in texts that show them, by what they are."""

from collections.abc import Iterable
from typing import Final

from ..introspection import MASK

__all__ = ["mask_texts"]

_SHORT: Final = 4
"""A shorter text is masked only where it stands in quotes: a letter is in every other word."""


def mask_texts(text: str, secrets: Iterable[str]) -> str:
    """The text without these others, the longest first, as they are and as `repr` writes them."""
    for secret in sorted(secrets, key=len, reverse=True):
        quoted = repr(secret)
        text = text.replace(quoted, repr(MASK))
        if len(secret) >= _SHORT:
            text = text.replace(quoted[1:-1], MASK).replace(secret, MASK)
    return text
