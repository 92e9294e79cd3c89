"""Conditions on messages: predicates, fields to match, or expressions of a small safe language.

An expression is parsed once, into functions; it is never evaluated as Python. It may use `data` (the message) and
`config` (the routine's fields), names and values of the message by `data['x']`, literals, comparisons, `and`, `or`,
`not`, `in`, arithmetic, indexing and conditional expressions. It cannot call, and it cannot reach attributes.
"""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, PlainSerializer

from ..errors import GraphError
from ..model.anatomy import class_of
from .references import find_reference, reference_to

__all__ = ["Condition", "holds"]

Values = Mapping[str, Any]
Compiled = Callable[[Values], Any]

_NAMES: Final = frozenset({"data", "config"})
_MAX_LENGTH: Final = 2_000
_MAX_DEPTH: Final = 50
_MAX_POWER: Final = 1_000
_MAX_SIZE: Final = 1_000_000

_COMPARISONS: Final[dict[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, container: operator.contains(container, item),
    ast.NotIn: lambda item, container: not operator.contains(container, item),
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}


def _multiply(left: Any, right: Any) -> Any:
    for one, other in ((left, right), (right, left)):
        items: Any = other
        if isinstance(one, int) and isinstance(items, Sequence) and one * len(items) > _MAX_SIZE:  # pyright: ignore[reportUnknownArgumentType] # of whatever
            raise ValueError(f"a product of more than {_MAX_SIZE:,} items")
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > _MAX_SIZE:
        raise ValueError("a product with too many digits")
    return left * right


def _power(base: Any, exponent: Any) -> Any:
    if abs(exponent) > _MAX_POWER:
        raise ValueError(f"an exponent above {_MAX_POWER:,}")
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * exponent > _MAX_SIZE:
        raise ValueError("a power with too many digits")
    return base**exponent


def _modulo(left: Any, right: Any) -> Any:
    if isinstance(left, Sequence):
        raise TypeError("formatting")
    return left % right


_OPERATIONS: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: _multiply,
    ast.Div: lambda left, right: left / right,
    ast.FloorDiv: lambda left, right: left // right,
    ast.Mod: _modulo,
    ast.Pow: _power,
}

_SIGNS: Final[dict[type[ast.unaryop], Callable[[Any], Any]]] = {
    ast.Not: operator.not_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


class Expression:
    """A condition in the safe language, parsed."""

    __slots__ = ("_compiled", "text")

    def __init__(self, text: str) -> None:
        """Parse an expression.

        Raises:
            GraphError: It is not in the language.
        """
        if len(text) > _MAX_LENGTH:
            raise GraphError(f"a condition has {len(text):,} characters, more than {_MAX_LENGTH:,}.")
        try:
            tree = ast.parse(text.strip(), mode="eval")
            self._compiled = _compile(tree.body, text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            if isinstance(error, GraphError):
                raise
            raise GraphError(f"condition {text!r} cannot be parsed: {error}.") from error
        self.text = text

    def __call__(self, data: object, config: Values) -> bool:
        """Whether it holds."""
        return bool(self._compiled({"data": data, "config": config}))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return repr(self.text)


def _compile(node: ast.expr, text: str, depth: int = 0) -> Compiled:  # noqa: PLR0911 - one return a kind of expression
    """The function of one part of an expression."""
    if depth > _MAX_DEPTH:
        raise GraphError(f"condition {text[:100]!r} is nested more than {_MAX_DEPTH} levels deep.")
    match node:
        case ast.Constant(value=value):
            return lambda _: value
        case ast.Name(id=name) if name in _NAMES:
            return lambda values: values[name]
        case ast.BoolOp(op=op, values=parts):
            return _either(isinstance(op, ast.And), [_compile(part, text, depth + 1) for part in parts])
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _SIGNS:
            sign, inner = _SIGNS[type(op)], _compile(operand, text, depth + 1)
            return lambda values: sign(inner(values))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
            return _operation(_OPERATIONS[type(op)], _compile(left, text, depth + 1), _compile(right, text, depth + 1))
        case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in _COMPARISONS for op in ops):
            steps = [
                (_COMPARISONS[type(op)], _compile(one, text, depth + 1)) for op, one in zip(ops, others, strict=True)
            ]
            return _comparison(_compile(left, text, depth + 1), steps)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            asked, then, other = (_compile(part, text, depth + 1) for part in (test, body, orelse))
            return lambda values: then(values) if asked(values) else other(values)
        case ast.Subscript(value=value, slice=index) if not isinstance(index, ast.Slice):
            return _operation(operator.getitem, _compile(value, text, depth + 1), _compile(index, text, depth + 1))
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            kind: Any = {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)]
            compiled = [_compile(item, text, depth + 1) for item in items]
            return lambda values: kind(item(values) for item in compiled)
        case _:
            part = ast.get_source_segment(text.strip(), node) or type(node).__name__
            raise GraphError(
                f"condition {text!r} uses {part!r}, which is not in the language: comparisons, and/or/not/in, "
                "arithmetic, indexing, literals, data and config."
            )


def _either(every: bool, parts: list[Compiled]) -> Compiled:
    """`and` or `or`, as Python has them: the value that decides."""

    def value_of(values: Values) -> Any:
        value: Any = every
        for part in parts:
            value = part(values)
            if bool(value) is not every:
                break
        return value

    return value_of


def _operation(apply: Callable[[Any, Any], Any], left: Compiled, right: Compiled) -> Compiled:
    return lambda values: apply(left(values), right(values))


def _comparison(first: Compiled, steps: list[tuple[Callable[[Any, Any], Any], Compiled]]) -> Compiled:
    def value_of(values: Values) -> Any:
        left = first(values)
        for compare, part in steps:
            right = part(values)
            if not compare(left, right):
                return False
            left = right
        return True

    return value_of


def _parsed(value: object) -> object:
    """A condition as it is used: text is an expression, or, with a colon, the name of a function."""
    if isinstance(value, Expression) or callable(value):
        return value
    if isinstance(value, str):
        return _named(value) if _is_reference(value) else Expression(value)
    kind = class_of(value)
    if kind is dict:
        fields: Any = value
        return {str(key): item for key, item in fields.items()}
    raise GraphError(f"a condition is {value!r}, wanted a function, a dictionary of fields, or an expression.")


def _is_reference(text: str) -> bool:
    module, colon, name = text.partition(":")
    return bool(colon) and all(part.isidentifier() for part in [*module.split("."), *name.split(".")])


def _named(reference: str) -> object:
    found = find_reference(reference, "a condition")
    if not callable(found):
        raise GraphError(f"a condition is {reference!r}, which is no function.")
    return found


def _written(condition: Any) -> Any:
    if isinstance(condition, Expression):
        return condition.text
    return condition if class_of(condition) is dict else reference_to(condition, "a condition")


Condition = Annotated[Any, BeforeValidator(_parsed), PlainSerializer(_written)]
"""A predicate of the message, a dictionary of fields that have to have these values, or an expression."""


def holds(condition: Any, data: Any, config: Values) -> bool:
    """Whether a condition holds for a message; one that fails does not hold.

    Args:
        condition: As the routine keeps it.
        data: The message.
        config: The routine's fields.
    """
    if class_of(condition) is dict:
        fields, message = condition, data
        return isinstance(data, Mapping) and all(
            key in message and bool(message[key] == wanted) for key, wanted in fields.items()
        )
    if isinstance(condition, Expression):
        try:
            return condition(data, config)
        except (LookupError, TypeError, ArithmeticError, ValueError):
            return False  # what the message lacks, or cannot be compared with
    return bool(condition(data))
