"""Makes validators of annotations that also report whether a validator of the user has replaced a part of the value."""

import inspect
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial, update_wrapper
from typing import Any, Final

from pydantic import ConfigDict, PydanticUserError, TypeAdapter
from pydantic_core import PydanticKnownError, SchemaValidator

from .checkable_types import checkable
from .sameness import alike, is_stream

__all__ = ["Validate", "argument_validator"]

_CONFIG: Final = ConfigDict(arbitrary_types_allowed=True)

Validate = Callable[[Any], tuple[Any, bool]]
"""Returns the coerced value, and whether a validator of the user has replaced a part of it."""


class _Watch(threading.local):
    """Whether a validator has replaced anything in the check that is being made in this thread."""

    replaced = False


_watch: Final = _Watch()


def argument_validator(hint: Any, namespace: Mapping[str, Any]) -> Validate | None:
    """The validator of an annotation; None for an annotation without a check at run time.

    Args:
        hint: The annotation, resolved.
        namespace: Names that local classes in it may mention in their own annotations.

    Raises:
        Exception: Pydantic cannot build a schema.
    """
    hint = checkable(hint, namespace)
    if hint is Any or hint is object:
        return None
    schema, validator = _built(hint, namespace)
    rewriting = _Rewriting()
    rewritten = rewriting.of(schema)
    if not rewriting.changed:
        return lambda value: (validator.validate_python(value), False)
    return partial(_watched, _schema_validator(rewritten))


def _watched(validator: Any, value: Any) -> tuple[Any, bool]:
    outer, _watch.replaced = _watch.replaced, False
    try:
        return validator.validate_python(value), _watch.replaced
    finally:
        _watch.replaced = outer


def _built(hint: Any, namespace: Mapping[str, Any]) -> tuple[Any, Any]:
    """The core schema and the validator, in which `isinstance` checks classes that Pydantic does not know."""
    with warnings.catch_warnings(action="ignore"):  # about metadata without a meaning for an argument
        try:
            adapter = _complete(TypeAdapter(hint, config=_CONFIG), namespace)
        except PydanticUserError as error:
            if error.code != "type-adapter-config-unused":
                raise
        else:
            return adapter.core_schema, adapter.validator
        inside: Any = tuple[hint]  # the config holds for what has none of its own, but not where that is the outermost
        schema: Any = _complete(TypeAdapter(inside, config=_CONFIG), namespace).core_schema
    if schema["type"] == "definitions":
        schema = {**schema, "schema": schema["schema"]["items_schema"][0]}
    else:
        schema = schema["items_schema"][0]
    return schema, SchemaValidator(schema)


def _complete(adapter: TypeAdapter[Any], namespace: Mapping[str, Any]) -> TypeAdapter[Any]:
    if not adapter.pydantic_complete:
        adapter.rebuild(force=True, _types_namespace={**namespace})
    return adapter


def _schema_validator(schema: Any) -> Any:
    build: Any = SchemaValidator
    try:
        return build(schema, None, _use_prebuilt=False)  # else the validators of models would stay as they are
    except TypeError:  # a Pydantic without this parameter
        return build(schema)


class _Rewriting:
    """Rewrites a core schema so that it notes replacements by validators and leaves lazy iterables alone."""

    def __init__(self) -> None:
        self.changed = False

    def of(self, schema: Any) -> Any:
        """The schema, rewritten with all that it contains."""
        known: dict[str, Any] = schema
        if type(schema) in {list, tuple}:
            return type(schema)(map(self.of, schema))
        if type(schema) is not dict:
            return schema
        kind = known.get("type")
        if not isinstance(kind, str):  # schemas by the names of fields, of which one may be "type"
            return {key: self.of(value) for key, value in known.items()}
        rewritten = {key: value if key in _OPAQUE else self.of(value) for key, value in known.items()}
        if kind in _NOTED and isinstance(known.get("function"), dict):
            rewritten["function"] = self._noted(kind, known["function"])
        elif kind == "generator":
            self.changed = True
            return _items_of(rewritten)
        elif kind == "union" and any(map(_takes_streams, known["choices"])):
            self.changed = True
            return _wrapped(_unless_stream, rewritten)
        return rewritten

    def _noted(self, kind: str, function: Any) -> Any:
        original = function["function"]
        if _is_pydantics(original):
            return function
        self.changed = True
        return {**function, "function": _NOTED[kind](original)}


_OPAQUE: Final = frozenset({"cls", "default", "expected", "function", "metadata", "serialization", "config"})
"""The parts of a core schema that are values, or without a meaning for checks."""


def _is_pydantics(function: Any) -> bool:
    while isinstance(function, partial):
        function = function.func  # pyright: ignore[reportUnknownMemberType]
    module = getattr(inspect.unwrap(function), "__module__", None) or ""
    return module.partition(".")[0] in {"pydantic", "pydantic_core", "annotated_types"}


def _noting(function: Callable[..., Any]) -> Callable[..., Any]:
    """Notes whether a validator returns another object than its argument."""

    def validator(value: Any, *info: Any) -> Any:
        result = function(value, *info)
        if result is not value:
            _watch.replaced = True
        return result

    return update_wrapper(validator, function, assigned=("__name__", "__qualname__"), updated=())


def _noting_around(function: Callable[..., Any]) -> Callable[..., Any]:
    """Notes whether a wrap validator returns another object than its argument and than the inner result."""

    def validator(value: Any, handler: Callable[..., Any], *info: Any) -> Any:
        inner_results: list[Any] = []

        def handle(*args: Any) -> Any:
            if args[:1] and args[0] is not value:
                _watch.replaced = True
            inner_results[:] = [handler(*args)]
            return inner_results[0]

        result = function(value, handle, *info)
        if result is not value and not (inner_results and result is inner_results[0]):
            _watch.replaced = True
        return result

    return update_wrapper(validator, function, assigned=("__name__", "__qualname__"), updated=())


_NOTED: Final[Mapping[str, Callable[[Callable[..., Any]], Callable[..., Any]]]] = {
    "function-before": _noting,
    "function-after": _noting,
    "function-plain": _noting,
    "function-wrap": _noting_around,
}


def _wrapped(function: Callable[..., Any], schema: Any) -> Any:
    return {"type": "function-wrap", "function": {"type": "no-info", "function": function}, "schema": schema}


def _takes_streams(choice: Any) -> bool:
    """Whether a choice of a union accepts any iterable."""
    schema: Any = choice[0] if isinstance(choice, _LABELLED) else choice
    return schema["type"] in {"generator", "any"} or schema.get("cls") is Iterator


_LABELLED: Any = tuple


def _unless_stream(value: Any, handler: Callable[[Any], Any]) -> Any:
    return value if is_stream(value) else handler(value)


def _items_of(schema: Any) -> Any:
    """A schema that checks the items of an iterable that holds them all."""
    names = {"items_schema", "min_length", "max_length", "ref"} & schema.keys()
    inner = {"type": "list", **{name: schema[name] for name in names}}
    return _wrapped(_check_items, inner)


def _check_items(value: Any, handler: Callable[[Any], Any]) -> Any:
    if is_stream(value):
        return value
    if not isinstance(value, _ITERABLE):
        raise PydanticKnownError("iterable_type")
    originals = list(value)
    items = handler(originals)
    unchanged = not _watch.replaced and len(originals) == len(items) and all(map(alike, originals, items))
    return value if unchanged else items


_ITERABLE: Any = Iterable
