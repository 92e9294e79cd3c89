"""Masking the known secrets of a run in values, by what they are."""

from typing import Any

from ..introspection import INTERRUPTIONS, Form, Parts, class_of, type_name
from ..json.json_leaves import MAX_REPR, clean_text, numpy_types
from ..json.json_values import to_json_value
from ..shown_parts import ATOMS, NUMBERS, is_secret, parts_shown
from .rebuilding import rebuilt_dict, rebuilt_fields, rebuilt_list
from .secret_texts import SecretTexts

__all__ = ["add_texts", "mask_known"]


def mask_known(value: Any, secrets: SecretTexts) -> Any:
    """The value with the secrets in its texts masked; itself if there are none. Names and keys stay."""
    kind = class_of(value)
    if kind is str:
        return secrets.mask(value)
    if id(kind) in NUMBERS:
        return value
    texts: list[str] = []
    add_texts(value, texts)
    return _Masking(secrets).mask(value) if texts and secrets.occur_in("\n".join(texts)) else value


def add_texts(value: Any, texts: list[str]) -> None:
    """Add every text by which a value may be shown, but for keys."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        found = waiting.pop()
        kind = class_of(found)
        if kind is str:
            texts.append(found)
        elif id(kind) in NUMBERS or id(found) in seen:
            continue
        elif kind is bytes:
            texts += (found.decode("latin-1"), found.decode("utf-8", "replace"))
        else:
            seen.add(id(found))
            if kind is dict:
                waiting += found.copy().values()
            elif kind is list or kind is tuple:
                waiting += found
            elif (parts := parts_shown(found)) is not None:
                waiting.extend(item for _, item in parts.items)
            else:
                texts.append(_text_of_leaf(found, kind))


def _text_of_leaf(value: Any, kind: Any) -> str:
    """The whole text that a record shows of a value that holds no others; empty if it shows none."""
    if is_secret(kind) or _is_numeric_array(value):
        return ""
    written: object = to_json_value(value)
    if type(written) is str:
        return written
    if type(written) is not dict:
        return repr(written) if class_of(written) is list else ""
    try:
        return repr(value)
    except INTERRUPTIONS:
        raise
    except BaseException:  # the record says which error it was
        return ""


def _is_numeric_array(value: Any) -> bool:
    return isinstance(value, numpy_types()) and value.dtype.kind not in "OSU"


class _Masking:
    """One masking of one value: each object is masked once."""

    __slots__ = ("_known", "_secrets")

    def __init__(self, secrets: SecretTexts) -> None:
        self._secrets = secrets
        self._known: dict[int, Any] = {}

    def mask(self, value: Any) -> Any:
        """A masked copy, or the value itself if there is nothing to mask."""
        kind = class_of(value)
        if kind is str:
            return self._secrets.mask(value)
        if kind is bytes:
            return self._secrets.mask_bytes(value)
        if id(kind) in ATOMS:
            return value
        if id(value) in self._known:
            return self._known[id(value)]
        self._known[id(value)] = f"<{type_name(value)} that contains itself>"
        try:
            parts = parts_shown(value)
            masked = self._masked_leaf(value, kind) if parts is None else self._rebuilt(value, kind, parts)
        except INTERRUPTIONS:
            raise
        except BaseException:  # one that cannot be rebuilt, or is nested too deeply
            masked = f"<{type_name(value)} that could not be masked>"
        self._known[id(value)] = masked
        return masked

    def _rebuilt(self, value: Any, kind: Any, parts: Parts) -> Any:
        items = [(key, self.mask(item)) for key, item in parts.items]
        if all(new is was for (_, new), (_, was) in zip(items, parts.items, strict=True)):
            return value
        match parts.form:
            case Form.LIST:
                return rebuilt_list(value, kind, [item for _, item in items])
            case Form.MAPPING:
                return rebuilt_dict(value, dict(items), renamed=False)
            case _:
                return rebuilt_fields(value, dict(items))

    def _masked_leaf(self, value: Any, kind: Any) -> Any:
        text = _text_of_leaf(value, kind)
        masked = self._secrets.mask(text)
        if masked == text:
            return value
        written = to_json_value(value)
        if type(written) is list:
            return self.mask(written)
        if type(written) is str:
            return masked
        return {"__repr__": clean_text(masked[:MAX_REPR]), "__type__": type_name(value)}
