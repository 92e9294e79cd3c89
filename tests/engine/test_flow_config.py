"""The config of a flow: frozen, strict, shared, and open to subclasses."""

import threading
from typing import Any

import pytest
from pydantic import ValidationError

from flowscope import Flow, FlowConfig, RunStatus, flow, task


@task
def add(x: int, y: int) -> int:
    return x + y


def added(x: int, y: int = 1) -> int:
    return add(x, y=y)


def configured(config: FlowConfig, x: int = 1) -> Flow[int]:
    """The finished flow of a function under a config."""
    return Flow[int](flow_config=config).setup(added, x).execute()


def test_a_config_is_frozen() -> None:
    """No field of a config can be assigned."""
    config: Any = FlowConfig()
    with pytest.raises(ValidationError):
        config.raise_flow_error = False


def test_a_misspelt_option_is_refused() -> None:
    """A config takes no unknown field and no value of a wrong type."""
    config: Any = FlowConfig
    for bad in ({"raise_flow_eror": False}, {"log_level": "LOUD"}, {"max_logs": -1}, {"raise_flow_error": "maybe"}):
        with pytest.raises(ValidationError):
            config(**bad)


def test_a_config_is_json() -> None:
    """A config goes to JSON and back."""
    config = FlowConfig(log_level="WARNING", max_logs=5, redact=("pin",))
    assert FlowConfig.model_validate_json(config.model_dump_json()) == config


def test_the_defaults_are_those_of_the_contract() -> None:
    """Each option has the default that is promised."""
    assert FlowConfig().model_dump() == {
        "add_task_to_self": True,
        "log_to_console": False,
        "log_to_memory": True,
        "logging_enabled": True,
        "log_level": "DEBUG",
        "print_logs": False,
        "print_none_return_value": False,
        "print_finished_message": False,
        "print_error_stack_trace": False,
        "raise_flow_error": True,
        "capture_events": False,
        "capture_stdout": True,
        "capture_logging": True,
        "record_inputs": True,
        "record_return_values": True,
        "max_logs": None,
        "max_events": None,
        "redact": (
            *("password", "passwd", "pwd", "secret", "token", "credential", "cookie", "authorization"),
            *("api_key", "access_key", "private_key"),
        ),
    }


def test_without_inputs_the_records_have_none() -> None:
    """With `record_inputs=False` neither the flow's params nor its tasks' inputs are recorded."""
    record = configured(FlowConfig(record_inputs=False)).flow_run
    assert record.params == {}
    assert (record.tasks[0].input_args, record.tasks[0].input_kwargs) == ([], {})
    kept = configured(FlowConfig()).flow_run
    assert kept.params == {"x": 1, "y": 1}
    assert (kept.tasks[0].input_args, kept.tasks[0].input_kwargs) == ([1], {"y": 1})


def test_without_return_values_the_records_have_none() -> None:
    """With `record_return_values=False` the records have no values; the flow gives its value all the same."""
    made = configured(FlowConfig(record_return_values=False))
    assert made.return_value == 2
    record = made.flow_run
    assert record.return_value is None
    assert record.tasks[0].return_value is None
    assert record.results == []
    assert made.executed_tasks[0].task_return_value is None


def test_a_non_none_value_is_a_result_entry() -> None:
    """A return value other than None, falsy ones too, is the result `flow-return-value`; None is not."""

    def give(value: Any) -> Any:
        return value

    values: list[Any] = [0, "", False, [], None]
    keys = [[r.key for r in Flow[Any]().setup(give, value).execute().flow_run.results] for value in values]
    assert keys == [["flow-return-value"]] * 4 + [[]]


def test_one_config_serves_many_flows_at_once() -> None:
    """Flows in several threads share a config; each has its own records, and the config is unchanged."""
    config = FlowConfig(capture_events=True)
    before = config.model_dump()
    made: dict[int, Flow[int]] = {}
    barrier = threading.Barrier(4)

    def work(n: int) -> None:
        barrier.wait(30)
        made[n] = configured(config, n)

    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {n: each.return_value for n, each in made.items()} == {n: n + 1 for n in range(4)}
    assert all(each.flow_config is config for each in made.values())
    assert [len(each.flow_run.tasks) for each in made.values()] == [1] * 4
    assert config.model_dump() == before


class Audited(FlowConfig):
    """A config with other defaults, a field of its own, and a hook."""

    raise_flow_error: bool = False
    team: str = "data"

    def custom_setup(self, flow: Any) -> None:
        flow.flow_data["team"] = self.team
        flow.provide(auditor=f"{self.team}/{flow.flow_name}")


def test_a_subclass_changes_defaults_and_adds_fields() -> None:
    """A config subclass has its own defaults; its fields are in the run's JSON."""

    @flow(flow_config=Audited(team="ops"))
    def failing() -> None:
        raise ValueError

    made = failing().execute()
    assert made.status is RunStatus.FAILED
    assert made.flow_run.model_dump(mode="json")["config"]["team"] == "ops"


def test_the_hook_runs_at_the_end_of_setup() -> None:
    """`custom_setup` gets the flow when it has its name and target, and may provide to it."""

    @flow(flow_config=Audited())
    def audited(auditor: str = "nobody") -> str:
        return auditor

    made = audited()
    assert made.flow_data == {"team": "data"}
    assert made.execute().return_value == "data/audited"

    class Self(Flow[str]):
        def run(self, auditor: str = "nobody") -> str:
            return auditor

    assert Self(flow_config=Audited(team="x")).execute().return_value == "x/Self"


def test_what_the_hook_raises_setup_raises() -> None:
    """An exception of `custom_setup` comes out of `setup`, or of the call of the flow function."""
    boom = RuntimeError("not allowed")

    class Refusing(FlowConfig):
        def custom_setup(self, flow: Any) -> None:
            raise boom

    @flow(flow_config=Refusing())
    def refused() -> None:
        pytest.fail("ran")

    with pytest.raises(RuntimeError) as caught:
        refused()
    assert caught.value is boom
    with pytest.raises(RuntimeError):
        Flow[None](flow_config=Refusing()).setup(lambda: None)
