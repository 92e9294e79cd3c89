"""The reading of bytes from a record's JSON, which has them as base64 text wherever in a value they are."""

import ast
import base64
import binascii
from collections.abc import Callable, Iterator
from typing import Any, Final, cast

from pydantic import GetCoreSchemaHandler, TypeAdapter, ValidationInfo, ValidatorFunctionWrapHandler
from pydantic_core import CoreSchema, PydanticCustomError, SchemaValidator, core_schema, to_json

__all__ = ["bytes_key", "with_bytes_read"]

_CHILDREN: Final = (
    *("schema", "items_schema", "keys_schema", "values_schema", "strict_schema", "lax_schema", "json_schema"),
    *("python_schema", "extras_schema", "arguments_schema", "var_args_schema", "var_kwargs_schema"),
    *("fields", "choices", "steps", "definitions"),
)
_OWN_TEXTS: Final = frozenset({"function-plain", "format", "to-string"})
"""Ways of writing after which the writer of the record sees no bytes."""
_REPRS: Final = ("b'", 'b"')


def bytes_key(key: bytes) -> str:
    """A mapping's key as JSON has it: the text that it is in UTF-8, else its `repr`; no two keys are the same text."""
    try:
        text = key.decode()
    except UnicodeDecodeError:
        return repr(key)
    return repr(key) if text.startswith(_REPRS) else text


def with_bytes_read(source: Any, schema: CoreSchema, handler: GetCoreSchemaHandler) -> CoreSchema:
    """The schema of a type, which reads bytes from base64 text; itself if there are no bytes in it."""
    if not _mentions_bytes(schema, handler):
        return schema
    readers: list[SchemaValidator | None] = []

    def read(value: Any, inner: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        if not readers:
            readers.append(_reader_of(source))
        reader = readers[0]
        if reader is None:
            return inner(value)
        if info.mode == "json":
            return reader.validate_json(to_json(value), context=info.context)
        return reader.validate_python(value, context=info.context)

    return core_schema.with_info_wrap_validator_function(read, schema)


def _reader_of(source: Any) -> SchemaValidator | None:
    schema, found = _rewritten(TypeAdapter(source).core_schema, _read_value)
    if not found:
        return None
    make: Any = SchemaValidator
    try:
        made: SchemaValidator = make(schema, _use_prebuilt=False)
    except TypeError:  # an older one that has no such option
        made = make(schema)
    return made


def _read_value(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PydanticCustomError("bytes_base64", "Input should be base64 text") from error


def _read_key(value: object) -> object:
    return ast.literal_eval(value) if isinstance(value, str) and value.startswith(_REPRS) else value


def _rewritten(node: Any, read: Callable[[object], object]) -> tuple[Any, bool]:
    """A node of a schema, or several, with each part for bytes after what reads them; and whether there is one."""
    if isinstance(node, (list, tuple)):
        parts = [_rewritten(part, read) for part in cast("list[Any]", node)]
        made_parts = [part for part, _ in parts]
        return made_parts if isinstance(node, list) else tuple(made_parts), any(found for _, found in parts)
    if not isinstance(node, dict):
        return node, False
    made: dict[str, Any] = dict(cast("dict[str, Any]", node))
    if _writes_text(made):
        return made, False
    if made.get("type") == "bytes":
        return core_schema.no_info_before_validator_function(read, cast("Any", made)), True
    is_schema, any_found = isinstance(made.get("type"), str), False
    for key in _CHILDREN if is_schema else tuple(made):
        if key in made:
            made[key], found = _rewritten(made[key], _read_key if is_schema and key == "keys_schema" else read)
            any_found = any_found or found
    return made, any_found


def _mentions_bytes(schema: CoreSchema, handler: GetCoreSchemaHandler) -> bool:
    """Whether there are bytes in a schema, or a reference that nothing is known of yet."""
    seen: set[str] = set()
    waiting: list[Any] = [schema]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, dict):
            waiting.extend(cast("list[Any]", node) if isinstance(node, (list, tuple)) else ())
            continue
        found = cast("dict[str, Any]", node)
        if _writes_text(found):
            continue
        if found.get("type") == "bytes":
            return True
        if found.get("type") == "definition-ref" and found["schema_ref"] not in seen:
            seen.add(found["schema_ref"])
            try:
                waiting.append(handler.resolve_ref_schema(cast("CoreSchema", found)))
            except LookupError:
                return True
        waiting.extend(_children(found))
    return False


def _children(node: dict[str, Any]) -> Iterator[Any]:
    is_schema = isinstance(node.get("type"), str)
    for key in _CHILDREN if is_schema else tuple(node):
        if key in node:
            yield node[key]


def _writes_text(node: dict[str, Any]) -> bool:
    """Whether a serialiser is declared that turns what is there into something else."""
    declared = node.get("serialization")
    return isinstance(declared, dict) and cast("dict[str, Any]", declared).get("type") in _OWN_TEXTS
