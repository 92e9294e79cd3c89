"""Which names are those of secrets, by the words that they are made of."""

import re
from collections.abc import Iterable, Iterator, KeysView
from typing import Any, Final, Literal

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
_Place = Literal["nowhere", "inside", "last"]
_NOWHERE: Final = "nowhere"
_INSIDE: Final = "inside"
_LAST: Final = "last"
"""Where a name has a word of a secret."""


class SecretNames:
    """The names that contain one of some names, word by word, also in the plural."""

    __slots__ = ("_harmless", "_known", "_wanted", "given")

    def __init__(self, names: Iterable[str]) -> None:
        self.given: tuple[str, ...] = tuple(names)
        self._wanted = frozenset("".join(map(str.lower, _WORDS.findall(name))) or name.lower() for name in self.given)
        self._known: dict[str, _Place] = {}
        self._harmless: set[object] = set()
        """Those of the known names that are not of secrets."""

    def __bool__(self) -> bool:
        return bool(self._wanted)

    def __contains__(self, name: str) -> bool:
        known = self._known.get(name)
        return (self._place(name) if known is None else known) != _NOWHERE

    def clear(self, keys: KeysView[Any]) -> bool:
        """Whether all keys of a mapping are texts or numbers, and none the name of a secret."""
        if keys <= self._harmless:
            return True
        return not any(key in self if type(key) is str else type(key) is not int for key in keys)

    def is_last_in(self, name: str) -> bool:
        """Whether the name ends with one of the names: what stands under it is the secret itself."""
        known = self._known.get(name)
        return (self._place(name) if known is None else known) == _LAST

    def _place(self, name: str) -> _Place:
        words = list(map(str.lower, _WORDS.findall(name)))
        joined = "".join(words) or name.lower()
        borders, place = {0, len(joined)}, 0
        for word in words:
            place += len(word)
            borders.add(place)
        ends = {end for wanted in self._wanted for end in _ends_of(wanted, joined, borders)}
        number = len(joined) - len(joined.rstrip("0123456789"))
        is_last = any(len(joined) - number <= end for end in ends)
        found: _Place = _LAST if is_last else _INSIDE if ends else _NOWHERE
        if len(name) <= _LONGEST_KNOWN and len(self._known) < _MOST_KNOWN:
            self._known[name] = found
            if found == _NOWHERE:
                self._harmless.add(name)
        return found


def _ends_of(wanted: str, joined: str, borders: set[int]) -> Iterator[int]:
    """Where a name ends in another, in which it stands from one border of words to another."""
    start = joined.find(wanted)
    while start >= 0:
        end = start + len(wanted)
        if start in borders and end in borders:
            yield end
        elif start in borders and wanted != _SINGULAR and joined.startswith("s", end) and end + 1 in borders:
            yield end + 1
        start = joined.find(wanted, start + 1)
