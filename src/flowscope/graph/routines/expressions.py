"""A small safe language: text becomes functions once, and is never evaluated as Python.

An expression may use `data` and `config`, literals, comparisons, `and`, `or`, `not`, `in`, `is`, arithmetic on numbers
and dates, `+` of texts, indexing, lists, tuples, sets and `… if … else …`, all as Python has them. It cannot call, reach
attributes, bind names or multiply containers, so what it costs is bounded by its length and the size of its data.
"""

import ast
import operator
from collections.abc import Callable, Container, Mapping
from datetime import date, timedelta
from functools import lru_cache
from numbers import Number, Rational
from typing import Any, Final

from ...errors import GraphError

__all__ = ["expression"]

Names = Mapping[str, object]
Function = Callable[[Names], Any]
Operation = Callable[[Any, Any], Any]

_MAX_LENGTH: Final = 2_000
_MAX_DEPTH: Final = 50
_MAX_BITS: Final = 10_000
_MAX_TEXT: Final = 1_000_000

_LITERALS: Final = frozenset({type(None), bool, int, float, str, bytes})
_NUMBERS: Final = (Number, date, timedelta)


def _number(value: Any) -> Any:
    """The value, if it is one that calculating with takes a moment only."""
    if not isinstance(value, _NUMBERS):
        raise TypeError(f"arithmetic is for numbers, not for {type(value).__qualname__}")
    if isinstance(value, Rational) and _bits(value) > _MAX_BITS:
        raise OverflowError("a number with too many digits")
    return value


def _bits(value: Any) -> int:
    return int(value.numerator).bit_length() + int(value.denominator).bit_length()


def _arithmetic(operation: Operation) -> Operation:
    return lambda left, right: _number(operation(_number(left), _number(right)))


_sum: Final = _arithmetic(operator.add)


def _plus(left: Any, right: Any) -> Any:
    if not (isinstance(left, str) and isinstance(right, str)):
        return _sum(left, right)
    if len(left) + len(right) > _MAX_TEXT:
        raise OverflowError("a text that is too long")
    return left + right


def _power(base: Any, exponent: Any) -> Any:
    exact = all(isinstance(one, Rational) for one in (base, exponent))
    if exact and abs(exponent) * _bits(base) > _MAX_BITS:
        raise OverflowError("a power with too many digits")
    return base**exponent


def _contains(container: Any, item: object) -> bool:
    """`item in container`, for what can tell without being gone through to an end that may be far away."""
    if not isinstance(container, Container) or isinstance(container, range):
        raise TypeError(f"'in' is for containers, not for {type(container).__qualname__}")
    return item in container


_UNARY: Final[dict[type[ast.unaryop], Callable[[Any], Any]]] = {
    ast.Not: operator.not_,
    ast.USub: lambda value: -_number(value),
    ast.UAdd: lambda value: +_number(value),
}

_BINARY: Final[dict[type[ast.operator], Operation]] = {
    ast.Add: _plus,
    ast.Sub: _arithmetic(operator.sub),
    ast.Mult: _arithmetic(operator.mul),
    ast.Div: _arithmetic(lambda left, right: left / right),
    ast.FloorDiv: _arithmetic(lambda left, right: left // right),
    ast.Mod: _arithmetic(operator.mod),
    ast.Pow: _arithmetic(_power),
}

_COMPARISONS: Final[dict[type[ast.cmpop], Operation]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, container: _contains(container, item),
    ast.NotIn: lambda item, container: not _contains(container, item),
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}

_DISPLAYS: Final[dict[type[ast.expr], Callable[[Any], Any]]] = {ast.List: list, ast.Tuple: tuple, ast.Set: set}


@lru_cache(maxsize=1_000)
def expression(text: str) -> Function:
    """The value of an expression as a function of the names `data` and `config`.

    Raises:
        GraphError: It is not in the language.
    """
    if len(text) > _MAX_LENGTH:
        raise GraphError(f"a condition has {len(text):,} characters, wanted at most {_MAX_LENGTH:,}.")
    try:
        return _function(ast.parse(text.strip(), mode="eval").body, _MAX_DEPTH)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise GraphError(
            f"condition {text!r} is not in the language: {error}. It has data['…'] and config['…'], literals, "
            "comparisons, and/or/not/in/is, if/else, arithmetic and indexing. For all else, use a function."
        ) from error


def _function(node: ast.expr, room: int) -> Function:  # noqa: PLR0911 - one return a kind of expression
    """The function of one part, which holds others so many levels deep at most."""
    if not room:
        raise ValueError(f"more than {_MAX_DEPTH} levels")

    def part(inner: ast.expr) -> Function:
        return _function(inner, room - 1)

    match node:
        case ast.Constant(value=value) if type(value) in _LITERALS:
            return lambda _: value
        case ast.Name(id="data" | "config" as name):
            return lambda names: names[name]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            return _applied(_UNARY[type(op)], part(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _applied(_BINARY[type(op)], part(left), part(right))
        case ast.Subscript(value=value, slice=index):
            return _applied(operator.getitem, part(value), part(index))
        case ast.BoolOp(op=op, values=parts):
            return _decided(isinstance(op, ast.And), *map(part, parts))
        case ast.Compare(left=left, ops=ops, comparators=others):
            return _compared([_COMPARISONS[type(op)] for op in ops], *map(part, [left, *others]))
        case ast.IfExp(test=test, body=body, orelse=orelse):
            asked, then, other = map(part, (test, body, orelse))
            return lambda names: then(names) if asked(names) else other(names)
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            return _collected(_DISPLAYS[type(node)], *map(part, items))
        case _:
            raise ValueError(f"it uses {ast.unparse(node)[:100]!r}")


def _applied(operation: Callable[..., Any], *parts: Function) -> Function:
    return lambda names: operation(*[part(names) for part in parts])


def _collected(kind: Callable[[Any], Any], *parts: Function) -> Function:
    return lambda names: kind([part(names) for part in parts])


def _decided(every: bool, *parts: Function) -> Function:
    """`and`, or `or`: the value that decides."""
    *first, last = parts

    def value_of(names: Names) -> Any:
        for part in first:
            value = part(names)
            if bool(value) is not every:
                return value
        return last(names)

    return value_of


def _compared(comparisons: list[Operation], first: Function, *others: Function) -> Function:
    """`a < b < c`: the comparison that fails, or the last one."""

    def value_of(names: Names) -> Any:
        left, result = first(names), None
        for number, (compare, part) in enumerate(zip(comparisons, others, strict=True)):
            if number and not result:
                break
            right = part(names)
            result, left = compare(left, right), right
        return result

    return value_of
