"""Masking secrets on their way into records and events.

Arguments, mapping keys and model or dataclass fields are masked by name, and what is under such a name at any depth,
but for None, numbers and booleans; so are the passwords of URLs. The redactor of a run notes the texts that it has masked,
to mask them in all other texts by what they are. Only a container that holds a secret is copied, with the containers
around it; everything else stays the very object it was.
"""

from collections.abc import Iterable
from enum import Enum
from functools import lru_cache
from itertools import chain
from typing import Any, Final

from ..error_info import ErrorInfo
from ..introspection import (
    INTERRUPTIONS,
    MASK,
    Form,
    Parts,
    class_of,
    has_base,
    shape_of,
    type_name,
)
from ..json.declared_serializers import declared_serializer
from ..json.json_leaves import MAX_REPR, clean_text, is_url, json_key
from ..shown_parts import ATOMS, NUMBERS, attributes_shown, is_secret, parts_shown, texts_below
from .known_secrets import mask_known
from .masked_errors import masked_error_text, masked_inner_errors
from .masked_texts import mask_texts
from .rebuilding import rebuilt_dict, rebuilt_fields, rebuilt_list
from .secret_names import DEFAULT_REDACTED, SecretNames
from .secret_search import PLAIN, SECRETS, SecretSearch
from .secret_texts import MASKED_BYTES, SecretTexts
from .url_passwords import mask_url_passwords

__all__ = ["DEFAULT_REDACTOR", "Redactor", "redactor_for", "run_redactor"]


class Redactor(SecretSearch):
    """Masks the values of one run."""

    __slots__ = ("_notes_texts", "secrets")

    def __init__(self, names: SecretNames, notes_texts: bool) -> None:
        self._names = names  # a call of the base class would be one more in every empty flow
        self._notes_texts = notes_texts
        self.secrets: SecretTexts | None = None
        """The texts that it has masked under the names of secrets; None before the first."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Without the secrets."""
        return redactor_for, (self._names.given,)

    def mask(self, value: Any) -> Any:
        """The value with its secrets masked by name, and the passwords of URLs; itself if it holds none."""
        if not self._names:
            return value
        kind = class_of(value)
        if kind is str:
            return mask_url_passwords(value) if "://" in value else value
        if id(kind) in PLAIN or not self._finds_secret(value):
            return value
        return _Masking(self).mask(value)

    def mask_written(self, value: Any) -> Any:
        """The JSON of a value with its secrets masked, by name and by what they are."""
        return self.mask_known(self.mask(value))

    def mask_known(self, value: Any) -> Any:
        """The value without the secrets that were noted so far; itself if it holds none."""
        return value if self.secrets is None else mask_known(value, self.secrets)

    @property
    def known_count(self) -> int:
        """How many secrets were noted so far."""
        return 0 if self.secrets is None else len(self.secrets)

    def knows_text_in(self, text: str) -> bool:
        """Whether a text shows a secret that was noted so far."""
        return self.secrets is not None and self.secrets.occur_in(text)

    def text(self, text: str) -> str:
        """A text without the passwords of URLs and the secrets that were noted so far."""
        if "://" in text and self._names:
            text = mask_url_passwords(text)
        return text if self.secrets is None else self.secrets.mask(text)

    def mask_error(self, info: ErrorInfo) -> ErrorInfo:
        """The record of an exception without the secrets that were noted so far; itself if there are none in it."""
        if self.secrets is None:
            return info
        cause = None if info.cause is None else self.mask_error(info.cause)
        mask = self.secrets.mask
        masked = info.model_copy(
            update={
                "message": mask(info.message),
                "traceback": mask(info.traceback),
                "notes": [*map(mask, info.notes)],
                "cause": cause,
            }
        )
        return info if masked == info else masked

    def note(self, name: object, value: Any) -> None:
        """Note the texts that are masked under a name, if they are the secret itself."""
        if self._notes_texts and self._names_secret(name, self._names.is_last_in):
            for text in texts_below(value):
                self._note_text(text)

    def _note_text(self, text: str) -> None:
        if self.secrets is not None:
            self.secrets.add(text)
            return
        secrets = SecretTexts()
        secrets.add(text)
        if secrets:
            self.secrets = secrets

    def declares(self, value: Any) -> bool:
        """Whether some class in a value has a say in its JSON, in which there may be secrets that the value has not."""
        if id(class_of(value)) in ATOMS or not self._names:
            return False
        return any(
            declared_serializer(class_of(found)) is not None or _shows_itself(found) for found in self._objects(value)
        )

    def mask_named(self, name: object, value: Any) -> Any:
        """The value with its secrets masked, or all of it, if its name says that it is one."""
        if not self.hides(name):
            return self.mask(value)
        self.note(name, value)
        self._finds_secret(value)
        return _Masking(self).mask_all(value)

    def mask_field(self, model: Any, name: str, value: Any) -> Any:
        """The value of a field, or all of it masked, if one of the field's other names says that it is a secret."""
        aliases = shape_of(class_of(model)).aliases
        return self.mask_named(next(filter(self.hides, aliases.get(name, ())), None), value)

    def mask_positional(self, names: tuple[str, ...], args: tuple[Any, ...]) -> list[Any]:
        """Positional arguments, masked by the names of their parameters; one with an asterisk is that of all further ones."""
        rest = None
        if names and names[-1].startswith("*"):
            *names_before, last = names
            names, rest = tuple(names_before), last[1:]
        named = (*names[: len(args)], *(rest for _ in args[len(names) :]))
        return [self.mask_named(name, value) for name, value in zip(named, args, strict=True)]

    def error_text(self, error: BaseException) -> str | None:
        """The text of an exception without its secrets; None if it has none, or none that is known of."""
        return masked_error_text(error, self) if self._names else None

    def texts_in(self, value: Any) -> set[str]:
        """The secret texts that a value holds, found by their names."""
        found: set[str] = set()
        for name, item in self._walk(value):
            if self.hides(name):
                self.note(name, item)
                found.update(texts_below(item, is_shown=True))
        return found - {MASK, repr(MASK), ""}

    def mask_texts(self, text: str, secrets: Iterable[str]) -> str:
        """The text without secrets."""
        return mask_texts(text, secrets)

    def _finds_secret(self, value: Any) -> bool:
        """Whether there is anything to mask, however deep; each object is searched once. Notes the secrets in it."""
        unusual = self._unusual_parts(value)
        return unusual != [] and self._searched([value] if unusual is None else unusual)

    def _searched(self, values: list[Any]) -> bool:
        found = False
        for name, item in chain.from_iterable(map(self._walk, values)):
            kind = class_of(item)
            if kind is str:
                found = found or ("://" in item and mask_url_passwords(item) is not item)
            elif self._notes_texts and is_secret(kind):
                for text in texts_below(item):
                    self._note_text(text)
            if name is not None and self.hides(name):
                self.note(name, item)
                found = found or _shows(item)
            elif not found and id(kind) not in ATOMS:
                found = _masked_text(item) is not None
        return found


class _Masking:
    """One masking of one value: each object is masked once, and one that contains itself ends there."""

    __slots__ = ("_known", "_redactor")

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._known: dict[tuple[int, bool], Any] = {}

    def mask(self, value: Any, *, everything: bool = False) -> Any:
        """A masked copy, or the value itself if there is nothing to mask.

        Args:
            value: The value.
            everything: Whether it stands under the name of a secret.
        """
        kind = class_of(value)
        if id(kind) in ATOMS:
            return _masked_atom(value, kind) if everything else self._redactor.mask(value) if kind is str else value
        key = (id(value), everything)
        if key in self._known:
            return self._known[key]
        self._known[key] = f"<{type_name(value)} that contains itself>"
        try:
            masked = self._masked(value, kind, everything=everything)
        except INTERRUPTIONS:
            raise
        except BaseException:  # one that cannot be rebuilt, or is nested too deeply
            masked = f"<{type_name(value)} that could not be masked>"
        self._known[key] = masked
        return masked

    def mask_all(self, value: Any) -> Any:
        """What stands under the name of a secret, masked but for None, numbers and booleans."""
        return self.mask(value, everything=True)

    def _masked(self, value: Any, kind: Any, *, everything: bool) -> Any:
        parts = parts_shown(value)
        if parts is None:
            return _masked_leaf(value, kind) if everything else _masked_text(value) or self._masked_repr(value)
        return self._rebuilt(value, kind, parts, everything=everything)

    def _rebuilt(self, value: Any, kind: Any, parts: Parts, *, everything: bool) -> Any:
        redactor, form = self._redactor, parts.form
        hidden: frozenset[str] = frozenset()
        if form is Form.FIELDS:
            hidden = frozenset(
                name for name, others in shape_of(kind).aliases.items() if any(map(redactor.hides, others))
            )
        old = redactor.named_items(value, parts)
        items = [
            (
                self._mask_key(key) if form is Form.MAPPING else key,
                self.mask(item, everything=everything or key in hidden or redactor.hides(name)),
            )
            for name, key, item in old
        ]
        if form is Form.FIELDS:
            names, computed = {name for name, _ in items}, shape_of(kind).computed
            secret = (name for name in computed if everything or name in hidden or redactor.hides(name))
            items += [(name, MASK) for name in secret if name not in names]
        if len(items) == len(old) and all(
            new is was and (key is own or form is not Form.MAPPING)
            for (key, new), (_, own, was) in zip(items, old, strict=True)
        ):
            return value
        if form is Form.LIST:
            return rebuilt_list(value, kind, [item for _, item in items])
        if form is Form.MAPPING:
            return rebuilt_dict(
                value, dict(items), renamed=any(a is not b for (a, _), (_, b, _) in zip(items, old, strict=True))
            )
        return rebuilt_fields(value, dict(items))

    def _mask_key(self, key: Any) -> Any:
        """A key, which may hold a secret if it is no mere name."""
        if id(class_of(key)) in ATOMS:
            return key
        masked = self.mask(key)
        try:
            hash(masked)
        except TypeError:
            return json_key(masked["__repr__"] if class_of(masked) is dict and "__repr__" in masked else repr(masked))
        return masked

    def _masked_repr(self, value: Any) -> Any:
        """What is written by its `repr`, or itself, if that shows no secret."""
        if attributes_shown(value) is None:
            return value
        secrets = self._redactor.texts_in(value)
        text = repr(value) if secrets else ""
        masked = mask_texts(masked_inner_errors(text, value, self._redactor), secrets)
        return value if masked == text else {"__repr__": clean_text(masked[:MAX_REPR]), "__type__": type_name(value)}


def _masked_atom(value: Any, kind: Any) -> Any:
    if id(kind) in NUMBERS or id(kind) in SECRETS:
        return value
    mask = MASK if kind is str else MASKED_BYTES
    return value if value == mask else mask


def _masked_leaf(value: Any, kind: Any) -> Any:
    """What holds nothing and is no atom: numbers of other classes stay, too."""
    if any(has_base(kind, base) for base in (bytes, bytearray, memoryview)):
        return MASKED_BYTES
    if has_base(kind, Enum) or not (has_base(kind, int) or has_base(kind, float)):
        return MASK
    return value


def _shows(item: Any) -> bool:
    """Whether there is something to mask in what stands under the name of a secret."""
    kind = class_of(item)
    if id(kind) in ATOMS:
        return _masked_atom(item, kind) is not item
    return _Masking(_NOTHING).mask_all(item) is not item


def _shows_itself(value: Any) -> bool:
    """Whether a value is shown by a `repr` that may hold any text."""
    return parts_shown(value) is None and not is_url(class_of(value)) and attributes_shown(value) is not None


def _masked_text(value: Any) -> str | None:
    """The text of a URL object without its password; None for another value, or without a password."""
    if not is_url(class_of(value)):
        return None
    text = str(value)
    masked = mask_url_passwords(text)
    return None if masked is text else masked


@lru_cache
def _names(names: tuple[str, ...]) -> SecretNames:
    return SecretNames(names)


@lru_cache
def redactor_for(names: tuple[str, ...]) -> Redactor:
    """The redactor that masks these names."""
    return Redactor(_names(names), False)


def run_redactor(names: tuple[str, ...]) -> Redactor:
    """The redactor of one run, which notes the secrets that it masks."""
    return Redactor(_names(names), True)


_NOTHING: Final = redactor_for(())
DEFAULT_REDACTOR: Final = redactor_for(DEFAULT_REDACTED)
"""Masks what no flow's config speaks for."""
