"""Conditions on messages: predicates, fields to match, or expressions.

A message for which an expression cannot be evaluated, because it lacks a value or has one of another kind, is one for
which it does not hold. A predicate that raises, and a field that cannot be compared, are errors of the activation.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, cast

from pydantic import BaseModel, PlainSerializer, PlainValidator, ValidationInfo

from ...errors import GraphError
from ...serialization.introspection import class_of
from ...serialization.json.exact_json import from_json_form, to_json_form
from ...serialization.json.json_leaves import safe_repr
from ...serialization.transport.import_references import FROM_SPEC, find_reference, is_reference, reference_to
from .expressions import expression

__all__ = ["Condition", "holds"]

_WHAT = "a condition"
_FUNCTION = "function"
_TYPE = "$type"
_VALUE = "$value"

Predicate = Callable[[Any], object]
Written = str | dict[str, Any]


def _checked(value: object, info: ValidationInfo) -> object:
    """A condition as a routine keeps it. Text is an expression; only in a spec may it be the name of a predicate."""
    from_spec = info.context is FROM_SPEC
    if isinstance(value, str):
        text = str.__str__(value)
        if from_spec and is_reference(text):
            return _predicate(find_reference(text, _WHAT))
        expression(text)
        return text
    if isinstance(value, Mapping):
        fields: Any = dict(cast("Mapping[object, object]", value))
        if not from_spec:
            return _fields(from_json_form(fields) if info.mode == "json" else fields)
        found = {name: find_reference(form[_VALUE], _WHAT) for name, form in fields.items() if _is_function(form)}
        rest = {name: form for name, form in fields.items() if name not in found}
        read = {**from_json_form(rest), **found}
        return _fields({name: read[name] for name in fields})
    return _predicate(value)


def _fields(fields: Any) -> object:
    if class_of(fields) is not dict or not all(type(name) is str for name in fields):
        raise GraphError(f"{_WHAT} is {safe_repr(fields)}, wanted names of fields and their values.")
    for wanted in fields.values():
        if is_predicate(wanted):
            _predicate(wanted)
    return fields


def is_predicate(wanted: object) -> bool:
    """Whether a field is asked about with a function; a class is a value like others, that the field is compared with."""
    return callable(wanted) and not isinstance(wanted, type)


def _is_function(form: Any) -> bool:
    return class_of(form) is dict and form.keys() == {_TYPE, _VALUE} and form[_TYPE] == _FUNCTION


def _predicate(value: object) -> object:
    if not callable(value):
        raise GraphError(f"{_WHAT} is {safe_repr(value)}, wanted a function, a dictionary of fields, or an expression.")
    for function in (value, getattr(value, "__call__", None)):  # noqa: B004 - what an object does when it is called
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise GraphError(f"{_WHAT} is {safe_repr(value)}, which is async. Use a function that returns the answer.")
    return value


def _written(condition: Any) -> Any:
    if isinstance(condition, str):
        return condition
    if class_of(condition) is not dict:
        return reference_to(condition, _WHAT)
    functions = {name: wanted for name, wanted in condition.items() if is_predicate(wanted)}
    rest = {name: wanted for name, wanted in condition.items() if name not in functions}
    forms = to_json_form(rest, _WHAT)
    forms |= {name: {_TYPE: _FUNCTION, _VALUE: reference_to(one, _WHAT)} for name, one in functions.items()}
    return {name: forms[name] for name in condition}


Condition = Annotated[
    Predicate | Mapping[str, Any] | str,
    PlainValidator(_checked, json_schema_input_type=Written),
    PlainSerializer(_written, return_type=Written, when_used="json"),
]
"""A predicate of the message, a dictionary of fields with their values or predicates of these, or an expression."""


def holds(condition: Any, data: Any, routine: BaseModel) -> bool:
    """Whether a condition holds for a message.

    Args:
        condition: As the routine keeps it.
        data: The message.
        routine: Its fields are the `config` of expressions.

    Raises:
        GraphError: A field of the message cannot be compared with the value that it should have.
        Exception: What a predicate has raised, of the message or of a field.
    """
    if isinstance(condition, str):
        return _evaluates(condition, data, routine)
    if class_of(condition) is dict:
        is_message = isinstance(data, Mapping)
        return is_message and _matches(condition, data)
    return bool(condition(data))


def _evaluates(text: str, data: object, routine: BaseModel) -> bool:
    function = expression(text)
    config = {name: getattr(routine, name) for name in type(routine).model_fields}
    try:
        return bool(function({"data": data, "config": config}))
    except Exception:  # what the message lacks, or does not let be compared
        return False


def _matches(fields: dict[str, Any], message: Any) -> bool:
    for name, wanted in fields.items():
        if is_predicate(wanted):
            if name not in message or not wanted(message[name]):
                return False
            continue
        try:
            if name not in message or not message[name] == wanted:  # noqa: SIM201 - `!=` is another question
                return False
        except Exception as error:  # such as arrays, which have no truth
            raise GraphError(
                f"field {name!r} of the message cannot be compared with {safe_repr(wanted)}: {error}. Use a function as "
                "the condition."
            ) from error
    return True
