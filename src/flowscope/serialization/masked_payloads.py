"""Values on their way to listeners, who write them without the record around them."""

from typing import Any

from .json_values import to_json_value
from .redaction import Redactor

__all__ = ["payload_value"]


def payload_value(redactor: Redactor, name: object, value: Any) -> Any:
    """The value, masked; or its JSON, if a class in it writes a secret under a name that only the JSON has."""
    masked = redactor.mask_named(name, value)
    if not redactor.declares(masked):
        return masked
    written = to_json_value(masked)
    shown = redactor.mask(written)
    return masked if shown is written else shown
