"""Which classes declare how they are written: models, dataclasses and others, with what Pydantic lets them say."""

import dataclasses
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import SchemaSerializer
from typing_extensions import is_typeddict

from ..introspection import INTERRUPTIONS, bases_of, has_base
from .schema_rewriting import serializer_from

__all__ = ["declared_serializer"]

_known: dict[int, tuple[type, SchemaSerializer | None]] = {}
"""By the identity of the class: asking a class for its hash asks its metaclass."""
_MOST_KNOWN: Final = 1_000
"""So many classes are kept alive at most."""


def declared_serializer(kind: Any) -> SchemaSerializer | None:
    """What writes the values of a class as it declares; None if it declares nothing that matters."""
    known = _known.get(id(kind))
    if known is None:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        known = _known[id(kind)] = (kind, _built(kind))
    return known[1]


def _built(kind: Any) -> SchemaSerializer | None:
    try:
        return serializer_from(TypeAdapter(kind).core_schema) if _may_declare(kind) else None
    except INTERRUPTIONS:
        raise
    except BaseException:  # a class may fail in any way; it is then written without its help
        return None


def _may_declare(kind: Any) -> bool:
    """Whether it is worth asking for the schema: that of a plain class is costly, and has nothing to say."""
    for base in bases_of(kind):
        own = vars(base)
        if "__pydantic_core_schema__" in own or ("__get_pydantic_core_schema__" in own and not _is_pydantics(base)):
            return True
    if dataclasses.is_dataclass(kind):
        defaults = [field.default for field in dataclasses.fields(kind)]
        return any(isinstance(default, FieldInfo) for default in defaults) or _speaks_in_class(kind, set())
    return has_base(kind, tuple) and _speaks_in_class(kind, set())


def _is_pydantics(kind: Any) -> bool:
    return kind.__module__.partition(".")[0] in {"pydantic", "pydantic_core"}


def _speaks_in_class(kind: Any, seen: set[int]) -> bool:
    return any(_speaks_in_hint(hint, seen) for hint in get_type_hints(kind, include_extras=True).values())


def _speaks_in_hint(hint: Any, seen: set[int]) -> bool:
    """Whether an annotation may have a serialiser in it that does not belong to the class of the value."""
    if id(hint) in seen:
        return False
    seen.add(id(hint))
    if get_origin(hint) is Annotated and any(map(_is_mark, hint.__metadata__)):
        return True
    if hasattr(hint, "__value__"):
        return _speaks_in_hint(hint.__value__, seen)
    if is_typeddict(hint) or (isinstance(hint, type) and has_base(hint, tuple)):
        return _speaks_in_class(hint, seen)
    return any(_speaks_in_hint(argument, seen) for argument in get_args(hint))


def _is_mark(mark: object) -> bool:
    return hasattr(mark, "__get_pydantic_core_schema__") or isinstance(mark, FieldInfo)
