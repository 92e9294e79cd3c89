"""The language of conditions: what it means is what Python means, and nothing in it is dangerous."""

import itertools
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowscope.graph import ConditionalRouter, Filter, GraphError
from support.examples import examples
from support.graph.condition_results import job_of, judged, sent_by
from support.graph.routines import BOUND

REFUSED = [
    # calls, attributes, names
    "len(data)", "data.keys()", "data.__class__", "data['x'].real", "().__class__.__bases__[0].__subclasses__()",
    "__import__('os').system('true')", "__import__", "__builtins__", "open", "os", "x", "Data", "True.real",
    "getattr(data, 'x')", "eval('1')", "data['f']()", "config.field", "print", "exit", "data.x", "self", "_",
    # everything else that is an expression, and a statement or two
    "lambda: 1", "lambda data: data", "[x for x in data]", "{x for x in data}", "(x for x in data)", "{x: 1 for x in data}",
    "[data for _ in data]", "(y := 1)", "data[(y := 'x')]", "f''", "f'{data}'", "f'{data!r:>{data}}'", "[*data]", "(*data,)",
    "{*data}", "{}", "{'a': 1}", "{**data}", "data[1:2]", "data[:]", "data[1:2, 3]", "data[::-1]", "data[...]", "...",
    "await data", "yield", "(yield data)", "(yield from data)", "1j", "~1", "1 << 9", "1 >> 9", "1 << 10**9", "1 | 2", "1 & 2",
    "1 ^ 2", "data @ data", "data | config", "import os", "data = 1", "del data", "data; data", "pass", "assert data",
    "data[*data]", "global data", "not lambda: 0", "data if 1 else len", "1 if open else 2",
    # names of functions, which only a spec may give
    "os:system", "os:path.join", "builtins:eval", "a:b",
    # what cannot be parsed, or is too much
    "", " ", "\n", "(", ")", "data[", "'", "'''", "1 1", "data\n== 1", "\x00", "data\x00", "\ud800", "'\ud800'", "\\",
    "data['x'] ==", "9" * 5_000, "1" + "+1" * 100, "-" * 500 + "1", "(" * 300 + "1" + ")" * 300, "not " * 400 + "1",
    "[" * 150 + "]" * 150, "data" + "['x']" * 100, "1 if " * 80 + "1" + " else 0" * 80, "data " + "#" * 3_000,
    "'" + "a" * 3_000 + "'", "1," * 5_000, "data[" * 90 + "0" + "]" * 90, "0777", "1__0", "'a' b''", "b'é'",
]  # fmt: skip

HARMLESS = [
    "9**9**9 > 0", "9**9**9**9 == 1", "(9**999)**999 > 0", "2 ** data['big'] > 0", "data['big'] ** 2 > 0",
    "data['big'] * data['big'] > 0", "(((7**999 * 7**999) * 7**999) * 7**999) * 7**999 > 0",
    "9 ** data['whole'] > 0", "((data['third']**999)**999)**999 > 0", "data['huge'] * 10 > 1 ** data['huge']",
    "data['huge'] ** data['huge'] > 0", "data['huge'] % 7 > 0", "data['huge'] // 7 > 0", "-data['big'] < 0",
    "0.5 ** -10**9 > 1", "10 ** 400 / 3 > 0",
    "'a' * 10**9 == 'b'", "10**9 * 'a' == 'b'", "[0] * 10**9 == 0", "(0,) * 10**9 == 0", "[[0] * 10**5] * 10**5 == 0",
    "[[[0] * 1000] * 1000] == [[[0] * 1000] * 1000]", "data['list'] * 10**9 == 0", "b'a' * 10**9 == 0",
    "data['list'] + data['list'] == 0", "data['tuple'] + data['tuple'] == 0", "data['bytes'] * 10**9 == 0",
    "data['bytes'] + data['bytes'] == 0", "data['text'] + data['text'] == 0", "(data['text'] + 'a') + data['text'] == 0",
    "'%s' % data == 0", "'%1000000000d' % 1 == ''", "b'%1000000000d' % 1 == b''", "data['text'] % data == 0",
    "data['x'] in data['endless']", "0.5 in data['endless']", "0.5 in data['far']", "data['x'] in data['far']",
    "data['missing']", "data[0]", "data[0][1][2]", "data[data]", "data[[]]", "data['list'][10**30]", "data['list']['x']",
    "data['x'][0]", "None[0]", "{data}", "{[]} == 1", "1 in 1", "data < 1", "data + 1", "-data", "+data['list']", "1 / 0",
    "1 % 0", "0 ** -1", "1 < 'a'", "data['class']['x'] + 1", "data['endless'][0]", "config['missing']",
    "config['__class__']", "config['model_fields']", "config['_slots']", "config['_events']", "config['input']",
    "config['declared_slots']", "config['job']", "config['cached']", "config['error_handler']",
]  # fmt: skip

BIG: dict[str, Any] = {
    "x": 1, "big": 7**100_000, "huge": Decimal("9E999999999999"), "third": Fraction(7, 3), "whole": Fraction(9**9),
    "list": [0] * 1_000, "tuple": (0,) * 1_000, "bytes": bytearray(1_000), "text": "a" * 999_999,
    "endless": itertools.count(), "far": range(10**12), "class": list,
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_in_the_language_is_refused_at_construction(text: str) -> None:
    """As an error of the value, which is a `GraphError` inside Pydantic's, and at once."""
    began = time.perf_counter()
    for make in (lambda: Filter(condition=text), lambda: ConditionalRouter(routes=[("a", "data"), ("b", text)])):
        with pytest.raises(ValueError, match="condition") as caught:
            make()
        _assert_refused(caught.value)
    assert time.perf_counter() - began < BOUND


def _assert_refused(error: Any) -> None:
    assert [isinstance(one["ctx"]["error"], GraphError) for one in error.errors()] == [True]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_would_be_too_much_or_is_not_there_does_not_hold(text: str) -> None:
    """Neither it nor its opposite: it cannot be evaluated. It takes no time and no memory to find out."""
    filters = [Filter(condition=one) for one in (text, f"not ({text})")]
    began = time.perf_counter()
    for one in filters:
        assert [name for name, _ in sent_by(one, BIG)] == ["rejected"]
    assert time.perf_counter() - began < BOUND
    assert BIG["endless"] is not None


def test_nothing_is_taken_from_what_can_be_gone_through_once() -> None:
    """A message with an iterator arrives as it was, whatever is asked of it."""
    items = iter([1, 2, 3])
    assert not judged("2 in data['items']", {"items": items})
    assert list(items) == [1, 2, 3]


HOLDS = [
    "data['x'] == 3", "data['x'] != 4", "2 < data['x'] < 4", "1 < 2 < data['x'] <= 3 != 4", "not data['x'] > 3", "data",
    "data['x'] in [1, 2, 3]", "data['x'] in (3,)", "data['x'] in {3}", "data['x'] not in {4}", "'a' in data['text']",
    "data['list'][0] == 10 and data['list'][-1] == 30", "data['deep']['er'][1]['x'] == 'y'", "data['none'] is None",
    "data['x'] is not None", "data['missing'] if 'missing' in data else True", "'missing' not in data or data['missing']",
    "data['x'] + 1 == 4", "data['x'] - 1 == 2", "data['x'] * 2 == 6", "data['x'] / 2 == 1.5", "data['x'] // 2 == 1",
    "data['x'] % 2 == 1", "data['x'] ** 2 == 9", "-data['x'] == -3", "+data['x'] == 3", "data['text'] + 'd' == 'abcd'",
    "data['price'] * 2 == data['double']", "data['bytes'] == b'a'", "data['list'] == [10, 20, 30]", "(data['x'], 1) == (3, 1)",
    "data['end'] - data['start'] == data['took']", "data['start'] + data['took'] == data['end']", "(data['x'] == 3) + 1 == 2",
    "data['x'] == 3 if data['text'] else False", "0 or data['x']", "data['x'] and 'yes'", "config['condition'] != ''",
    " data['x'] == 3 \n", "(data['x']\n == 3)", "data['x'] == 3  # a comment", "data['list'] < [11]", "'\\ud800' != data['x']",
    "data['key'][(1, 2)] == 5", "data['key'][None] == 6", "2 ** 3000 > 0", "True", "10**30 > data['x']", "0x10 == 16",
]  # fmt: skip


@pytest.mark.parametrize("text", HOLDS)
def test_the_language_is_pythons(text: str) -> None:
    """Each of these holds, and its opposite does not."""
    message: dict[str, Any] = {
        "x": 3, "text": "abc", "list": [10, 20, 30], "deep": {"er": [0, {"x": "y"}]}, "none": None, "bytes": b"a",
        "price": Decimal("1.10"), "double": Decimal("2.20"), "took": timedelta(hours=1), "key": {(1, 2): 5, None: 6},
        "start": datetime(2024, 1, 1, tzinfo=UTC), "end": datetime(2024, 1, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    assert judged(text, message)
    assert not judged(f"not ({text.strip()}\n)", message)


DATA: dict[str, Any] = {
    "i": 7, "n": -3, "z": 0, "f": 2.5, "t": "text", "e": "", "b": True, "none": None, "l": [1, 2.5, "text", [1]], "p": (1, 2),
    "d": {"i": 7, "t": "x"}, "s": {1, "text"}, "inf": float("inf"),
}  # fmt: skip

_numbers = st.recursive(
    st.sampled_from(
        [
            "data['i']",
            "data['n']",
            "data['z']",
            "data['f']",
            "data['b']",
            "data['d']['i']",
            "data['inf']",
            "1",
            "0",
            "2.5",
            "True",
            "data['l'][0]",
            "data['l'][-3]",
            "data['p'][1]",
        ]
    ),  # fmt: skip
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner),
        st.builds("({} ** {})".format, inner, st.sampled_from(["0", "1", "2", "-1"])),
        st.builds("({}{})".format, st.sampled_from(["-", "+"]), inner),
    ),
    max_leaves=6,
)
_texts = st.recursive(
    st.sampled_from(["data['t']", "data['e']", "'text'", "'x'", "data['l'][2]", "data['d']['t']", "data['t'][0]"]),
    lambda inner: st.builds("({} + {})".format, inner, inner),
    max_leaves=3,
)
_others = st.sampled_from(["data['none']", "None", "data['l']", "data['p']", "data['d']", "data['s']", "data['?']",
                           "config['route_priority']", "data['l'][9]", "data[0]", "data['none'][0]", "data['l'][3]"])  # fmt: skip
_expressions = st.recursive(
    st.one_of(_numbers, _texts, _others),
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"]), inner),
        st.builds("({} {} {} {} {})".format, inner, st.sampled_from(["==", "<", "in"]), inner, st.sampled_from(["<", "!="]), inner),
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner),
        st.builds("({0} and {1} or {2})".format, inner, inner, inner),
        st.builds("(not {})".format, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("({}, {})".format, inner, inner),
        st.builds("{{{}}}".format, inner),
    ),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=examples(300), deadline=None)
@given(_expressions)
def test_an_expression_is_worth_what_it_is_in_python(text: str) -> None:
    """The very value, for any expression; and what raises in Python does not hold."""
    routes = [("true", text), ("false", f"not {text}"), ("same", f"[{text}] == [data['expected']]")]
    if len(text) > 1_900:
        return
    router = ConditionalRouter(routes=routes, default_route="none", route_priority="all_matches")
    names = {"__builtins__": {}, "data": DATA, "config": dict(router)}
    try:
        value, again = eval(text, names), eval(text, names)
    except Exception:
        value, expected = None, ["none"]
    else:
        expected = ["true" if value else "false", *(["same"] if [value] == [again] else [])]
    assert [name for name, _ in sent_by(router, {**DATA, "expected": value})] == expected


_words = st.sampled_from(
    ["data", "config", "(", ")", "[", "]", "{", "}", "'x'", "1", "==", "<", " and ", " not ", " in ", " is ", ":", ",", ".",
     "*", "**", "-", "lambda ", " if ", " else ", " for ", "await ", "yield ", "f'{", "}'", "\n", "\\", "#", "=", ":=", "@",
     "__class__", "import ", "\x00", "\ud800", "é", "０", "'", '"', "~", ";", "...", "%", "9" * 4500, "\t", "\f", "\u2028"]
)  # fmt: skip


@settings(max_examples=examples(400), deadline=None)
@given(st.one_of(st.text(), st.text(alphabet=st.characters(exclude_categories=())), st.lists(_words).map("".join)))
def test_any_text_is_a_condition_or_an_error(text: str) -> None:
    """And no other error than that it is none; if it is one, any message can be judged by it."""
    try:
        made = Filter(condition=text)
    except ValueError as error:
        _assert_refused(error)
    else:
        [(name, _)] = sent_by(made, {"x": 1})
        assert name in {"passed", "rejected"}


class _Hostile:
    """Raises whatever is asked of it."""

    def __init__(self, error: type[Exception]) -> None:
        self.error = error

    def _raise(self, *_: object) -> NoReturn:
        raise self.error("hostile")

    __eq__ = __ne__ = __lt__ = __gt__ = __bool__ = __contains__ = __getitem__ = __add__ = __radd__ = _raise
    __hash__ = __len__ = __iter__ = __neg__ = __index__ = __int__ = __float__ = __repr__ = _raise

    @property
    def __class__(self) -> Any:
        self._raise()

    @__class__.setter
    def __class__(self, value: object) -> None: ...


@pytest.mark.parametrize(
    "error", [ValueError, RecursionError, MemoryError, AttributeError, StopIteration, OSError, Warning]
)
@pytest.mark.parametrize(
    "text",
    ["data['h'] == 1", "1 == data['h']", "data['h'] < 1", "data['h']", "not data['h']", "data['h'] and 1", "1 in data['h']",
     "data['h'] in {1}", "data['h'] in [1]", "data['h']['x']", "data['h'] + 1", "1 + data['h']", "-data['h']",
     "[1][data['h']]", "1 if data['h'] else 2", "data['h'] ** 2", "{data['h']}", "'a' + data['h'] == ''", "1 < data['h'] < 2"],
)  # fmt: skip
def test_values_that_do_not_let_be_asked_make_a_condition_not_hold(text: str, error: type[Exception]) -> None:
    """Whatever they raise."""
    message = {"h": _Hostile.__new__(_Hostile)}
    object.__setattr__(message["h"], "error", error)
    router = ConditionalRouter(routes=[("a", text), ("b", "True")])
    assert [entry["name"] for entry in job_of(router, message).shared_log] == ["b"]


def test_numbers_of_numpy_are_numbers() -> None:
    """They can be calculated with, and arrays cannot, which then makes a condition not hold."""
    numpy = pytest.importorskip("numpy")
    message = {"i": numpy.int64(3), "f": numpy.float64(0.5), "array": numpy.array([1, 2]), "one": numpy.array([1])}
    assert judged("data['i'] * 2 + 1 == 7 and data['f'] / 2 == 0.25 and data['i'] in [3]", message)
    for text in (
        "data['array'] == 1",
        "data['array'] + 1 == 2",
        "data['array'] * 10 ** 9 == 1",
        "data['array'] == data['one']",
    ):
        assert not judged(text, message)
        assert not judged(f"not ({text})", message)
    assert judged("data['array'][1] == 2 and data['one'] == 1", message)
