"""Users' values as the JSON that records and events show: masked, and masked again where a class writes its own JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..json.json_values import to_json_value
from .redaction import Redactor

__all__ = ["json_of", "json_of_args", "json_of_mapping", "json_of_named"]


def json_of(redactor: Redactor, value: Any) -> Any:
    """The JSON of a value."""
    return _written(redactor, redactor.mask(value), value)


def json_of_named(redactor: Redactor, name: object, value: Any) -> Any:
    """The JSON of a value under a name, which may say that it is a secret."""
    masked = redactor.mask_named(name, value)
    return _written(redactor, masked, masked)


def json_of_args(redactor: Redactor, names: tuple[str, ...], args: Sequence[Any]) -> list[Any]:
    """The JSON of positional arguments, by the names of their parameters."""
    masked = redactor.mask_positional(names, tuple(args))
    written: list[Any] = to_json_value(masked)
    return redactor.mask_written(written) if any(map(redactor.declares, args)) else written


def json_of_mapping(redactor: Redactor, values: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON of values by name."""
    written: dict[str, Any] = json_of(redactor, dict(values))
    return written


def _written(redactor: Redactor, masked: Any, value: Any) -> Any:
    written = to_json_value(masked)
    return redactor.mask_written(written) if redactor.declares(value) else written
