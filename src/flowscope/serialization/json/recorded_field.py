"""Fields of records that hold values of users: validated as annotated, written by `to_json_value`."""

from typing import Any, Final, cast

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from .bytes_reading import with_bytes_read
from .json_values import COMPUTED, OTHER, to_json_value, written_plainly
from .masked_fields import MaskedFields

__all__ = ["RECORDED"]


def _write_field(record: Any, value: object = COMPUTED) -> Any:
    """The value of a record's field as JSON; Pydantic's JSON schema gives a default value alone."""
    plain = written_plainly(value, id(type(value)))
    if plain is not OTHER:
        return plain
    if value is COMPUTED:
        return to_json_value(record)
    written = to_json_value(value)
    fields = record.__pydantic_fields_set__
    return fields.mask(written) if type(fields) is MaskedFields else written


class _Recorded:
    """Annotates a field that holds users' values: validated as annotated, serialised by `to_json_value`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema: Any = dict(with_bytes_read(source, handler(source), handler))
        schema["serialization"] = core_schema.plain_serializer_function_ser_schema(
            _write_field, is_field_serializer=True
        )
        return cast("CoreSchema", schema)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema of the annotation itself: what is written has its form, and any value has none."""
        bare: Any = {key: part for key, part in schema.items() if key != "serialization"}
        return handler(cast("CoreSchema", bare))


RECORDED: Final = _Recorded()
