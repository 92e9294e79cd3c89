"""`--param name=value`: checked by the flow's own signature before anything runs."""

import json
from pathlib import Path

import pytest

from .conftest import Command


def test_text_is_coerced_by_the_annotations(command: Command) -> None:
    """Each value becomes what its parameter is annotated with."""
    params = ["number=3", "path=data/in.csv", "colour=red", "limit=7"]
    outcome = command("run", "flows:typed", "--json", "run.json", *(f"--param={param}" for param in params))
    assert outcome.code == 0
    assert outcome.record.return_value == [3, "", "data/in.csv", "red", [], {"x": 0, "y": 0}, 7]
    assert outcome.record.params["number"] == 3
    assert "this_flow" not in outcome.record.params


def test_json_is_read_where_text_does_not_fit(command: Command) -> None:
    """Lists, models and null are given as JSON."""
    params = ["number=3", "numbers=[1, 2]", 'point={"x": 4}', "limit=null"]
    outcome = command("run", "flows:typed", "--json", "run.json", *(f"--param={param}" for param in params))
    assert outcome.code == 0
    assert outcome.record.return_value == [3, "", None, "red", [1, 2], {"x": 4, "y": 0}, None]


@pytest.mark.parametrize("text", ["1", "[1, 2]", "null", '"quoted"', "a=b", ""])
def test_text_stays_text_for_a_parameter_that_takes_text(command: Command, text: str) -> None:
    """JSON is not read where the text itself fits, and only the first equals sign divides."""
    outcome = command("run", "flows:typed", "--json", "run.json", "--param", "number=1", "--param", f"text={text}")
    assert outcome.code == 0
    assert outcome.record.params["text"] == text


def test_extra_keyword_arguments_are_read_too(command: Command) -> None:
    """A flow that takes any name checks the values of all."""
    outcome = command("run", "flows:collecting", "--json", "run.json", "-p", "one=[1]", "-p", "two=[2, 3]")
    assert outcome.code == 0
    assert outcome.record.return_value == {"one": [1], "two": [2, 3]}
    assert command("run", "flows:collecting", "-p", "one=[1]", "-p", "two=many").code == 2


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ([], ["missing", "'number'", "Parameters: number, text"]),
        (["number=many"], ["'number'", "valid integer"]),
        (["number=1.5"], ["'number'", "valid integer"]),
        (["number=1", "numbers=[1, true, []]"], ["'numbers'", "valid integer"]),
        (["number=1", "numbers=[1"], ["'numbers'", "valid list"]),
        (["number=1", "colour=blue"], ["'colour'", "'red'"]),
        (["number=1", "nummer=2"], ["'nummer'", "Parameters: number, text"]),
        (["number"], ["name=value", "'number'"]),
        (["=1"], ["name=value"]),
        (["number=1", "number=2"], ["'number'", "twice"]),
    ],
)
def test_a_wrong_parameter_is_refused_in_one_line_and_nothing_runs(
    command: Command, params: list[str], told: list[str]
) -> None:
    """A bad, unknown, missing, malformed or repeated parameter exits with 2, a message, and no run."""
    outcome = command("run", "flows:typed", "--json", "run.json", *(f"--param={param}" for param in params))
    assert outcome.code == 2
    assert all(part in outcome.err for part in told), outcome.err
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    assert not outcome.ran
    assert not outcome.out


@pytest.mark.parametrize(
    ("target", "params", "told"),
    [
        ("flows:Ingest", [], ["'source'", "required"]),
        ("flows:Ingest", ["source=a", "batch=many"], ["'batch'", "valid integer"]),
        ("flows:Ingest", ["batch=many"], ["'source'", "'batch'"]),
        ("flows:Ingest", ["source=a", "size=1"], ["'size'", "Parameters: source, batch, numbers"]),
        ("flows:ready", ["batch=many"], ["'batch'", "valid integer"]),
        ("flows:ready", ["flow_name=other"], ["'flow_name'", "Parameters: source, batch, numbers"]),
    ],
)
def test_a_wrong_field_is_refused_in_one_line_and_nothing_runs(
    command: Command, target: str, params: list[str], told: list[str]
) -> None:
    """The fields of a subclass are its parameters: what does not fit, is unknown or is missing exits with 2."""
    outcome = command("run", target, *(f"--param={param}" for param in params))
    assert outcome.code == 2
    assert all(part in outcome.err for part in told), outcome.err
    assert outcome.err.count("\n") == 1
    assert not outcome.ran


def test_fields_are_read_as_json_where_text_does_not_fit(command: Command) -> None:
    """A field that is a list takes JSON, in a class and in an instance."""
    for target in ("flows:Ingest", "flows:ready"):
        outcome = command("run", target, "--json", "run.json", "-p", "source=a", "-p", "numbers=[1, 2]")
        assert outcome.code == 0
        assert outcome.record.return_value == 103
        assert outcome.record.params == {"source": "a", "batch": 100, "numbers": [1, 2]}


def test_a_refused_value_is_not_repeated(command: Command) -> None:
    """A value may be a secret: the message tells what is wrong with it, not what it is."""
    outcome = command("run", "flows:typed", "--param", "number=hunter2")
    assert outcome.code == 2
    assert "hunter2" not in outcome.err + outcome.out


def test_a_flow_that_refuses_to_be_set_up_is_not_run(command: Command) -> None:
    """What the set-up of a flow raises is told, and exits with 2."""
    outcome = command("run", "flows:unwilling")
    assert outcome.code == 2
    assert "RuntimeError: not today" in outcome.err
    assert not outcome.ran


def test_a_flow_that_takes_nothing_says_so(command: Command) -> None:
    """A parameter for a flow without parameters is refused."""
    outcome = command("run", "flows:failing", "--param", "number=1")
    assert outcome.code == 2
    assert "It takes no parameters" in outcome.err


KINDS = """
from flowscope import INJECTED, Flow, flow

@flow
def places(first: int, second: int = 5, /, third: int = 6, *, named: int, this_flow: Flow = INJECTED):
    return [first, second, third, named]

@flow
def anything(first: int, /, *rest: int, named: str = "", **options: int):
    return [first, rest, named, options]

@flow
def clashing(self: int, args: int, kwargs: int, function: int, flow: int, cls: int, name: int):
    return [self, args, kwargs, function, flow, cls, name]

@flow
def behind(this_flow: Flow = INJECTED, last: int = 1, /):
    return last
"""


@pytest.fixture
def kinds(directory: Path) -> None:
    """A module with parameters of every kind."""
    (directory / "kinds.py").write_text(KINDS, "utf-8")


@pytest.mark.usefixtures("kinds")
@pytest.mark.parametrize(
    ("target", "params", "returned"),
    [
        ("places", ["first=1", "named=2"], "[1, 5, 6, 2]"),
        ("places", ["named=2", "second=3", "first=1"], "[1, 3, 6, 2]"),
        ("places", ["first=1", "named=2", "third=9"], "[1, 5, 9, 2]"),
        ("anything", ["first=1"], '[1, [], "", {}]'),
        ("anything", ["first=1", "rest=[2, 3]", "named=x", "more=4"], '[1, [2, 3], "x", {"more": 4}]'),
        ("anything", ["first=1", "rest=2", "options=5"], '[1, [2], "", {"options": 5}]'),
        ("anything", ["first=1", "rest=[]"], '[1, [], "", {}]'),
        (
            "clashing",
            [f"{name}=1" for name in "self args kwargs function flow cls name".split()],
            "[1, 1, 1, 1, 1, 1, 1]",
        ),
        ("behind", list[str](), "1"),
    ],
)
def test_parameters_of_every_kind_can_be_given(command: Command, target: str, params: list[str], returned: str) -> None:
    """Positional-only, keyword-only and collecting parameters, and such with the names of Python's own, are given by name."""
    outcome = command("run", f"kinds:{target}", "--json", "run.json", *(f"-p{param}" for param in params))
    assert outcome.code == 0, outcome.err
    assert outcome.record.return_value == json.loads(returned)


@pytest.mark.usefixtures("kinds")
@pytest.mark.parametrize(
    ("target", "params", "told"),
    [
        ("places", ["second=3", "named=2"], ["places() missing", "'first'", "Parameters: first, second, third, named"]),
        ("places", ["first=many", "named=2"], ["'first'", "valid integer"]),
        ("places", ["first=1"], ["'named'"]),
        ("anything", [], ["'first'", "Parameters: first, rest, named, **options"]),
        ("anything", ["first=1", "rest=[2, true, []]"], ["'rest'", "valid integer"]),
        ("anything", ["first=1", "other=many"], ["'options'", "valid integer"]),
        ("behind", ["last=3"], ["'this_flow' is injected"]),
    ],
)
def test_what_does_not_fit_its_place_is_refused(
    command: Command, target: str, params: list[str], told: list[str]
) -> None:
    """No value slips into the place of another: what is missing before it, or does not fit, is named."""
    outcome = command("run", f"kinds:{target}", *(f"-p{param}" for param in params))
    assert outcome.code == 2
    assert all(part in outcome.err for part in told), outcome.err
    assert outcome.err.count("\n") == 1
