"""The secret texts that a run has shown under their names, and masking them by what they are in all other texts."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from ..introspection import MASK
from .secret_forms import forms_of

__all__ = ["MASKED_BYTES", "SecretTexts"]

MASKED_BYTES: Final = MASK.encode()
"""Stands for secret bytes: in JSON it is base64 text, and loads."""
_SHORTEST: Final = 8
"""A shorter text may well be in others that have nothing to do with it."""
_SCHEMES: Final = ("basic", "bearer", "token")
"""The words before the secret in a header."""
_FEW: Final = 64
"""So many forms are looked for one after the other, as that is fastest; more of them all at once."""


class SecretTexts:
    """The secret texts of one run, to which any thread adds."""

    __slots__ = ("_matcher", "_texts")

    def __init__(self) -> None:
        self._texts: set[str] = set()
        self._matcher: tuple[int, _Matcher] | None = None

    def __bool__(self) -> bool:
        return bool(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, text: str) -> None:
        """Add a text, and each of its lines; one that is too short is left out."""
        if text in self._texts:
            return
        scheme, _, credential = text.partition(" ")
        parts = [text, *text.splitlines()]
        if scheme.lower() in _SCHEMES:
            parts.append(credential)
        self._texts.update(
            part for part in map(str.strip, parts) if len(part) >= _SHORTEST and part.strip("*")
        )  # the mask itself is no secret

    def occur_in(self, text: str) -> bool:
        """Whether one of them is in a text."""
        return bool(self._present.hits(text))

    def mask(self, text: str) -> str:
        """The text without them; the very text if there is none in it."""
        matcher = self._present
        while hits := matcher.hits(text):  # each round masks characters that are not of the mask
            for form in hits:
                text = text.replace(form, MASK)
        return text

    def mask_bytes(self, data: bytes) -> bytes:
        """The bytes without them; the very bytes if there is none in them."""
        text = data.decode("latin-1")
        masked = self.mask(text)
        for form in self._present.wide_forms:
            masked = masked.replace(form, MASK)
        return data if masked == text else masked.encode("latin-1")

    @property
    def _present(self) -> "_Matcher":
        """The matcher of the texts that are known now; made when it is needed."""
        count, matcher = len(self._texts), self._matcher
        if matcher is None or matcher[0] != count:
            matcher = self._matcher = (count, _Matcher(tuple(self._texts)))
        return matcher[1]


class _Matcher:
    """Finds the forms of some texts."""

    __slots__ = ("_by_head", "_forms", "_heads", "wide_forms")

    def __init__(self, texts: Iterable[str]) -> None:
        found = (form for text in texts for form in forms_of(text))
        forms = {form for form in found if len(form) >= _SHORTEST and form.strip("*")}
        self._forms = sorted(forms, key=len, reverse=True)
        self.wide_forms = [
            form.encode("utf-8", "surrogatepass").decode("latin-1") for form in self._forms if not form.isascii()
        ]
        """Those that bytes show in another way than texts do."""
        self._heads: re.Pattern[str] | None = None
        self._by_head: dict[str, dict[int, set[str]]] = {}
        if len(forms) > _FEW:
            self._index(forms)

    def hits(self, text: str) -> list[str]:
        """The forms that are in a text, the longest first."""
        if self._heads is None:
            return [form for form in self._forms if form in text]
        found: set[str] = set()
        for match in self._heads.finditer(text):
            start, by_length = match.start(), self._by_head[match[1]]
            found.update(
                piece for length, forms in by_length.items() if (piece := text[start : start + length]) in forms
            )
        return sorted(found, key=len, reverse=True)

    def _index(self, forms: Iterable[str]) -> None:
        """Make a pattern of how the forms begin."""
        tree: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for form in forms:
            tree[form[0]][form[1]].add(form[2])
            self._by_head.setdefault(form[:3], {}).setdefault(len(form), set()).add(form)
        heads = (
            re.escape(first) + _any_of(re.escape(second) + _class_of(thirds) for second, thirds in seconds.items())
            for first, seconds in tree.items()
        )
        self._heads = re.compile(f"(?=({_any_of(heads)}))")


def _any_of(patterns: Iterable[str]) -> str:
    return f"(?:{'|'.join(patterns)})"


def _class_of(characters: Iterable[str]) -> str:
    return f"[{''.join(map(re.escape, characters))}]"
