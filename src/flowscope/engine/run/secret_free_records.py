"""Masks the known secrets of a run in all free texts of its records; ids, names, keys, statuses and times stay."""

from collections.abc import Iterable, Mapping
from operator import is_not
from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel

from ...model.config import FlowConfig
from ...model.events import EventData
from ...model.records import LogEntry
from ...serialization.error_info import ErrorInfo
from ...serialization.introspection import class_of
from ...serialization.secrets.known_secrets import add_texts
from ...serialization.secrets.redaction import Redactor

__all__ = ["entries_without_known_secrets", "payload_without_known_secrets", "without_known_secrets"]

_VALUES: Final = frozenset(
    {
        *("config", "params", "run_params", "return_value", "inputs", "input_args", "input_kwargs", "fields"),
        *("data", "value"),
    }
)
"""The fields that hold values of users."""
_NAMES: Final = frozenset(
    {
        *("schema_version", "flow_id", "flow_name", "parent_flow_id", "parent_task_id", "flow_run_id", "run_name"),
        *("task_id", "task_name", "task_run_id", "event_id", "event_type", "event_source", "sequence", "timestamp"),
        *("status", "start_time", "end_time", "duration", "attempt", "attempts", "attempt_start_time"),
        *("execution_order", "executor", "abandoned_thread", "tags", "dropped", "level", "level_number", "log_level"),
        *("logger", "source", "path", "line", "key", "artifact_type", "type", "module", "delay"),
        *("run_attempt", "yield_count", "versions", "target", "host", "pid", "number"),
    }
)
"""The fields, and keys of payloads, that hold no free text."""
_AT_ONCE: Final = 64
_PLAIN: Final = frozenset(map(id, (int, float, bool, type(None))))
_MAY_BE_EMPTY: Final = frozenset(map(id, (str, list, tuple, dict)))
"""Other classes are not asked whether a value is empty."""
_Record = TypeVar("_Record", bound=BaseModel)
_free_fields: Final[dict[type[BaseModel], tuple[str, ...]]] = {}


def without_known_secrets(record: _Record, redactor: Redactor) -> _Record:
    """The record without the secrets that its redactor knows; the very record if it knows none, or none is in it."""
    return record if redactor.secrets is None else _masked_record(record, redactor)


def entries_without_known_secrets(entries: list[LogEntry], redactor: Redactor) -> list[LogEntry]:
    """The log entries without the secrets that are known now."""
    return entries if redactor.secrets is None else _masked_list(entries, redactor)


def payload_without_known_secrets(payload: dict[str, Any], redactor: Redactor) -> dict[str, Any]:
    """The payload of an event without the secrets that are known now."""
    if redactor.secrets is None:
        return payload
    changes = _changes(payload, (name for name in payload if name not in _NAMES), redactor)
    return {**payload, **changes} if changes else payload


def _masked_record(record: _Record, redactor: Redactor) -> _Record:
    if isinstance(record, EventData):
        data = payload_without_known_secrets(record.data, redactor)
        return record if data is record.data else record.model_copy(update={"data": data})
    changes = _changes(vars(record), _free_names(type(record)), redactor)
    return record.model_copy(update=changes) if changes else record


def _free_names(kind: type[BaseModel]) -> tuple[str, ...]:
    names = _free_fields.get(kind)
    if names is None:
        names = _free_fields[kind] = tuple(name for name in kind.model_fields if name not in _NAMES)
    return names


def _changes(held: Mapping[str, Any], names: Iterable[str], redactor: Redactor) -> dict[str, Any]:
    """The fields that are others without secrets."""
    changes: dict[str, Any] = {}
    for name in names:
        value = held.get(name)
        kind = class_of(value)
        if id(kind) in _PLAIN or (id(kind) in _MAY_BE_EMPTY and not value) or kind is FlowConfig:
            continue
        masked = redactor.mask_known(value) if name in _VALUES else _masked_part(value, redactor)
        if masked is not value:
            changes[name] = masked
    return changes


def _masked_part(value: Any, redactor: Redactor) -> Any:
    """A part of a record: a text, another record, the payload of an event, or a list of such."""
    if isinstance(value, str):
        return redactor.text(value)
    if isinstance(value, ErrorInfo):
        return redactor.mask_error(value)
    if isinstance(value, BaseModel):
        return _masked_record(value, redactor)
    if isinstance(value, dict):
        return payload_without_known_secrets(cast("dict[str, Any]", value), redactor)
    if isinstance(value, list):
        items: list[Any] = value  # pyright: ignore[reportUnknownVariableType] # parts of records
        return _masked_list(items, redactor)
    return value


def _masked_list(items: list[Any], redactor: Redactor) -> list[Any]:
    """A list of parts: of many at once it is found out that there is no secret in them."""
    masked: list[Any] = []
    found = False
    for start in range(0, len(items), _AT_ONCE):
        some = items[start : start + _AT_ONCE]
        texts: list[str] = []
        for item in some:
            _add_texts(item, texts)
        has_secret = bool(texts) and redactor.knows_text_in("\n".join(texts))
        found = found or has_secret
        masked += [_masked_part(item, redactor) for item in some] if has_secret else some
    return masked if found and any(map(is_not, masked, items)) else items


def _add_texts(part: Any, texts: list[str]) -> None:
    """Add the free texts of a part of a record."""
    kind = class_of(part)
    if kind is str:
        texts.append(part)
        return
    names = _free_fields.get(kind)
    if names is None:
        if kind is list:
            for item in part:
                _add_texts(item, texts)
            return
        if not isinstance(part, BaseModel):
            add_texts(part, texts)  # the payload of an event; the errors in it are models, and have parts
            return
        names = _free_names(kind)
    held = vars(part)
    for name in names:
        value = held[name]
        kind = class_of(value)
        if id(kind) in _PLAIN or (id(kind) in _MAY_BE_EMPTY and not value):
            continue
        if name not in _VALUES:
            _add_texts(value, texts)
        elif kind is not list or any(id(class_of(item)) not in _PLAIN for item in value):
            add_texts(value, texts)
