"""The making of a serialiser that writes what a class declares, and hands everything else back to the record's writer.

Pydantic's own serialiser of a class writes all that it holds: bytes as text, only the declared fields of a subclass, and
an iterator by consuming it. The one made here has the same schema, but every part of it that declares no serialiser, and
every model or dataclass inside it, is left to the writer, which looks at the value that is there.
"""

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, Final

from pydantic_core import PydanticSerializationUnexpectedValue, SchemaSerializer, core_schema

from ..introspection import MASK, class_of, has_base

__all__ = ["part_writer", "serializer_from", "write_part"]

part_writer: Final[ContextVar[tuple[Callable[[object], Any], object]]] = ContextVar("flowscope_part_writer")
"""What writes the parts of a value, and the value."""

_CHILDREN: Final = (
    *("schema", "items_schema", "values_schema", "strict_schema", "lax_schema", "json_schema", "python_schema"),
    *("extras_schema", "fields", "computed_fields", "choices", "steps"),
)
_FIELD_OPTIONS: Final = ("serialization_exclude", "serialization_exclude_if", "serialization_alias")
_ENTITIES: Final = frozenset({"model", "dataclass"})
_FIELDS: Final = frozenset({"model-fields", "dataclass-args"})
_SELECTIONS: Final = frozenset({"include-exclude-sequence", "include-exclude-dict"})
_OTHER_NAMES: Final = {"nonetype": "none", "dict": "typed-dict"}
_VALIDATORS: Final = frozenset({"function-before", "function-after", "function-wrap"})
_TIMES: Final = frozenset({"date", "time", "datetime", "timedelta"})
_TIME_OPTIONS: Final = frozenset({"ser_json_temporal", "ser_json_timedelta"})


def write_part(part: object) -> Any:
    """A part of the value that is being written, in JSON; `ValueError` for the value itself, which is no part of it."""
    write, value = part_writer.get()
    if part is value:
        raise ValueError
    return write(part)


def _write_told(part: object) -> Any:
    """What a serialiser has made: text in bytes is text, as Pydantic writes it and reads it back."""
    if isinstance(part, bytes):
        try:
            return part.decode()
        except UnicodeDecodeError:
            pass
    return write_part(part)


_TOLD: Final[Any] = core_schema.any_schema(serialization=core_schema.plain_serializer_function_ser_schema(_write_told))
"""What a serialiser has made without saying of which type."""
_PART: Final[Any] = core_schema.any_schema(serialization=core_schema.plain_serializer_function_ser_schema(write_part))
"""A part that the writer writes, by what is there."""


def serializer_from(schema: Any) -> SchemaSerializer | None:
    """What writes values of that core schema as they declare; None if there is nothing declared in it."""
    return _Rewriting(schema).serializer()


class _Rewriting:
    """The making of one serialiser."""

    def __init__(self, schema: Any) -> None:
        self._definitions = {found["ref"]: found for found in schema.get("definitions", ())}
        self._used: dict[str, Any] = {}
        self._spoken: dict[str, bool] = {}
        self._asked: set[str] = set()
        self._root = self._entity(schema["schema"] if schema["type"] == "definitions" else schema)
        self._by_time = bool(_TIME_OPTIONS & self._root.get("config", {}).keys())

    def serializer(self) -> SchemaSerializer | None:
        """The serialiser, if there is a need for one."""
        root = self._root
        if root["type"] in _ENTITIES:
            if "serialization" not in root and not self._has_say(root["schema"]):
                return None
            schema = self._structure(root)
        elif self._speaks(root):
            schema = self._rewritten(root)
        else:
            return None
        make: Any = SchemaSerializer
        try:
            made: SchemaSerializer = make(self._defined(schema), _use_prebuilt=False)
        except TypeError:  # an older one that has no such option, and takes the serialiser that the class itself has
            made = make(self._defined({**schema, "cls": object} if root["type"] in _ENTITIES else schema))
        return made

    def _defined(self, schema: Any) -> Any:
        """The schema with the definitions that it refers to."""
        return core_schema.definitions_schema(schema, list(self._used.values())) if self._used else schema

    def _entity(self, node: Any) -> Any:
        """What a reference or a validator around it stands for."""
        while "serialization" not in node:
            if node["type"] == "definition-ref":
                node = self._definitions[node["schema_ref"]]
            elif node["type"] in _VALIDATORS:
                node = node["schema"]
            else:
                break
        return node

    def _speaks(self, node: Any) -> bool:
        """Whether a part declares a serialiser, for itself or further inside."""
        kind = node["type"]
        if "serialization" in node:
            return self._says(node)
        if kind == "definition-ref":
            ref = node["schema_ref"]
            return self._spoken[ref] if ref in self._spoken else self._speaks_there(ref)
        if kind in _ENTITIES or kind == "generator":
            return False
        return (kind in _TIMES and self._by_time) or self._has_say(node)

    def _speaks_there(self, ref: str) -> bool:
        if ref in self._asked:
            return False
        self._asked.add(ref)
        found = self._speaks(self._definitions[ref])
        self._asked.discard(ref)
        if found or not self._asked:  # else what asked for it may speak yet, and it holds that
            self._spoken[ref] = found
        return found

    def _has_say(self, node: Any) -> bool:
        return (
            any(node.get(option) for option in (*_FIELD_OPTIONS, "computed_fields"))
            or ("keys_schema" in node and self._speaks(node["keys_schema"]))
            or any(self._speaks(child) for key in _CHILDREN for child in _children(node.get(key)))
        )

    def _says(self, node: Any) -> bool:
        """Whether a serialiser is declared for this very part: that of a class is found by the value."""
        declared = node["serialization"]
        if node["type"] not in _ENTITIES:
            return bool(declared["type"] != "any")
        decorators = node["cls"].__pydantic_decorators__.model_serializers.values()
        return all(one.func != declared.get("function") for one in decorators)

    def _rewritten(self, node: Any) -> Any:
        """The part, with everything in it that declares nothing left to the writer."""
        if not self._speaks(node):
            return _PART
        if "serialization" in node:
            return self._with_serializer(node)
        if node["type"] == "definition-ref":
            self._use(node["schema_ref"])
            return {"type": "definition-ref", "schema_ref": node["schema_ref"]}
        return node if node["type"] in _TIMES else self._structure(node)

    def _use(self, ref: str) -> None:
        if ref not in self._used:
            self._used[ref] = None
            self._used[ref] = {**self._rewritten(self._definitions[ref]), "ref": ref}

    def _with_serializer(self, node: Any) -> Any:
        declared = self._serialization(node["serialization"])
        if declared["type"] in _SELECTIONS:
            return self._structure(node)
        if declared["type"] == "function-wrap" and "schema" not in declared:
            declared["schema"] = self._rewritten({key: node[key] for key in node if key != "serialization"})
        return {"type": "any", "serialization": declared}

    def _serialization(self, declared: Any) -> Any:
        """A serialiser, whose own result, and what it hands on, is written like everything else."""
        declared = dict(declared)
        if declared["type"] in {"function-plain", "function-wrap"}:
            declared["return_schema"] = (
                self._rewritten(declared["return_schema"])
                if "return_schema" in declared
                else (_TOLD if declared["type"] == "function-plain" else _PART)
            )
            if "schema" in declared:
                declared["schema"] = self._rewritten(declared["schema"])
        return declared

    def _structure(self, node: Any) -> Any:
        """The same node around rewritten children."""
        made = {key: node[key] for key in node if key != "ref"}
        if "serialization" in node:
            made["serialization"] = self._serialization(node["serialization"])
        for key in _CHILDREN:
            if key in node:
                made[key] = self._inside(node[key])
        if node["type"] == "union":
            made["choices"] = [*map(self._choice, _children(node["choices"])), _PART]
        if node.get("keys_schema", node)["type"] == "definition-ref":
            made["keys_schema"] = self._definitions[node["keys_schema"]["schema_ref"]]
        behaviour = node.get("extra_behavior", self._root.get("config", {}).get("extra_fields_behavior"))
        if node["type"] == "model-fields" and behaviour == "allow":
            made.setdefault("extras_schema", _PART)
        return made

    def _inside(self, part: Any) -> Any:
        """What stands at a key of a node: a child, children in a list or by name, or names alone."""
        kind = class_of(part)
        if kind is list:
            return [self._inside(child) for child in part]
        if kind is tuple:  # a member of a union, and its label
            return self._inside(part[0])
        if kind is str:
            return part
        kind = part.get("type")
        if class_of(kind) is not str:
            return {name: self._inside(child) for name, child in part.items()}
        if kind == "computed-field":
            return {**part, "return_schema": self._computed(part)}
        is_field = kind.endswith("-field") or self._entity(part)["type"] in _FIELDS
        return self._structure(part) if is_field else self._rewritten(part)

    def _computed(self, node: Any) -> Any:
        """A computed field, which a masked copy of a model has among its attributes."""
        name = node["property_name"]

        def write(model: Any, value: object, handler: Callable[[object], Any]) -> Any:
            return MASK if getattr(model, "__dict__", {}).get(name) == MASK else handler(value)

        inner = self._rewritten(node["return_schema"])
        return core_schema.any_schema(
            serialization=core_schema.wrap_serializer_function_ser_schema(
                write, is_field_serializer=True, schema=inner, return_schema=core_schema.any_schema()
            )
        )

    def _choice(self, node: Any) -> Any:
        """A member of a union: the writer would write whatever comes, and leave nothing to the members after it."""
        if self._speaks(node):
            return self._rewritten(node)

        def write(value: object) -> Any:
            if not self._accepts(node, value):
                raise PydanticSerializationUnexpectedValue("another member")
            return write_part(value)

        return core_schema.any_schema(serialization=core_schema.plain_serializer_function_ser_schema(write))

    def _accepts(self, node: Any, value: object) -> bool:
        """Whether a member of a union is there for such a value."""
        kind = node["type"]
        if kind == "definition-ref":
            return self._accepts(self._definitions[node["schema_ref"]], value)
        if "schema" in node and kind not in _ENTITIES:
            return (kind == "nullable" and value is None) or self._accepts(node["schema"], value)
        if kind == "literal":
            return any(type(one) is type(value) and one == value for one in node["expected"])
        name = class_of(value).__name__.lower()
        return kind in {"any", name, _OTHER_NAMES.get(name)} or (
            "cls" in node and has_base(class_of(value), node["cls"])
        )


def _children(part: Any) -> Iterator[Any]:
    """The nodes at a key of a node."""
    kind = class_of(part)
    if kind is list or kind is tuple:
        for child in part:
            yield from _children(child)
    elif kind is dict and class_of(part.get("type")) is not str:
        yield from _children(list(part.values()))
    elif kind is dict:
        yield part
