"""Options of the decorators: their names and types, and what tags may be."""

from typing import Any

import pytest

from flowscope import DefinitionError, Flow, FlowConfig, flow, task


def add(x: int, y: int = 1) -> int:
    return x + y


WRONG: list[tuple[Any, dict[str, Any]]] = [
    *((task, {name: "2"}) for name in ("retries", "retry_delay", "retry_backoff", "retry_jitter", "timeout")),
    *((task, {name: None}) for name in ("retries", "retry_delay", "retry_backoff", "retry_jitter", "tags")),
    *((task, {name: [1]}) for name in ("retries", "timeout", "task_name", "validate", "tags")),
    *((task, {"retry_delay": delay}) for delay in ([], ["1"], {1}, [True])),
    *((task, {name: True}) for name in ("retries", "retry_delay", "timeout", "executor")),
    (task, {"retry_on": ("ValueError",)}),
    (task, {"raise_on_error": "no"}),
    (task, {"task_name": 5}),
    (task, {"executor": "cluster"}),
    (flow, {"flow_name": 5}),
    (flow, {"flow_id": 5}),
    (flow, {"flow_id": ""}),
    (flow, {"flow_config": {"log_level": "INFO"}}),
    (flow, {"validate": "yes"}),
    (flow, {"tags": 5}),
    (flow, {"tags": ["a", 1]}),
]


@pytest.mark.parametrize(("decorator", "options"), WRONG, ids=lambda part: getattr(part, "__name__", str(part)))
def test_an_option_of_a_wrong_type_is_refused_at_decoration(decorator: Any, options: dict[str, Any]) -> None:
    """The error is a `DefinitionError` that names the function and the option."""
    (option,) = options
    with pytest.raises(DefinitionError, match=rf"^{decorator.__name__} 'add': {option} .*wanted "):
        decorator(**options)(add)


@pytest.mark.parametrize(
    ("decorator", "option", "advice"),
    [
        (flow, "name", "use flow_name= instead"),
        (task, "name", "use task_name= instead"),
        (task, "flow_name", "use task_name= instead"),
        (flow, "task_name", "use flow_name= instead"),
        (flow, "id", "use flow_id= instead"),
        (flow, "validate_parameters", "use validate= instead"),
        (task, "retires", "use retries= instead"),
        (task, "retry_delay_seconds", "use retry_delay= instead"),
        (task, "timeout_seconds", "use timeout= instead"),
        (flow, "tagged", "use tags= instead"),
        (flow, "xyz", "the options are description, flow_config, flow_id, "),
        (task, "xyz", "the options are executor, raise_on_error, retries, "),
    ],
)
def test_an_option_of_another_name_is_refused_with_advice(decorator: Any, option: str, advice: str) -> None:
    """The error is a `DefinitionError` that names the function and the option, and tells the name that is meant."""
    with pytest.raises(DefinitionError, match=f"^{decorator.__name__} 'add': .* has no option '{option}'; {advice}"):
        decorator(**{option: "x"})(add)


def test_options_that_fit_are_taken() -> None:
    """Whole numbers serve as seconds, None leaves an option alone, and a config is taken as it is."""
    made = task(retries=1, retry_delay=0, timeout=5, task_name=None, executor=None)(add)
    config = FlowConfig(log_level="INFO")
    assert flow(flow_name=None, flow_id=None, flow_config=config)(lambda: made(1))().execute().return_value == 2


def test_a_text_is_one_tag() -> None:
    """`tags="nightly"` is one tag for flow functions, tasks, flows, subclasses and assignments; a list is several."""
    several: Any = ["a", "b"]

    class Nightly(Flow[int]):
        tags: Any = "nightly"

        def run(self) -> int:
            return one(1) + more(1)

    text: Any = "nightly"
    one, more = task(tags=text)(add), task(tags=several)(add)
    run = Nightly().execute().flow_run
    assert run.tags == ("nightly",)
    assert [t.tags for t in run.tasks] == [("nightly",), ("a", "b")]
    assert flow(tags=text)(add)(1).execute().flow_run.tags == ("nightly",)
    made = Flow[Any](tags=text)
    assert made.tags == made.flow_run.tags == ("nightly",)
    made.tags = text
    assert made.tags == ("nightly",)
