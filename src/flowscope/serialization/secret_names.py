"""Which names are those of secrets, by the words that they are made of."""

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["DEFAULT_REDACTED", "SecretNames"]

DEFAULT_REDACTED: Final = (
    *("password", "passwd", "pwd", "secret", "token", "credential", "cookie", "authorization"),
    *("api_key", "access_key", "private_key"),
)
"""The words that make a name that of a secret, unless a config has others."""

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
"""`clientSecret`, `X-Api-Key` and `db_password2` consist of words; so does text in any other alphabet."""
_SINGULAR: Final = "token"
"""The word whose plural is no secret: tokens are counted."""
_MOST_KNOWN: Final = 10_000
_LONGEST_KNOWN: Final = 100


class SecretNames:
    """The names that contain one of some names, word by word, also in the plural."""

    __slots__ = ("_known", "_wanted")

    def __init__(self, names: Iterable[str]) -> None:
        self._wanted = frozenset("".join(map(str.lower, _WORDS.findall(name))) or name.lower() for name in names)
        self._known: dict[str, bool] = {}

    def __bool__(self) -> bool:
        return bool(self._wanted)

    def __contains__(self, name: str) -> bool:
        known = self._known.get(name)
        if known is None:
            known = self._finds(name)
            if len(name) <= _LONGEST_KNOWN and len(self._known) < _MOST_KNOWN:
                self._known[name] = known
        return known

    def _finds(self, name: str) -> bool:
        words = list(map(str.lower, _WORDS.findall(name)))
        joined = "".join(words) or name.lower()
        borders, place = {0, len(joined)}, 0
        for word in words:
            place += len(word)
            borders.add(place)
        return any(_occurs(wanted, joined, borders) for wanted in self._wanted)


def _occurs(wanted: str, joined: str, borders: set[int]) -> bool:
    """Whether a name stands in another from one border of words to another."""
    start = joined.find(wanted)
    while start >= 0:
        end = start + len(wanted)
        is_plural = joined.startswith("s", end) and end + 1 in borders and wanted != _SINGULAR
        if start in borders and (end in borders or is_plural):
            return True
        start = joined.find(wanted, start + 1)
    return False
