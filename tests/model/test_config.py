"""`FlowConfig` as a value: strict, frozen, JSON, and open to subclasses."""

import copy
import json
import pickle
from typing import Any

import pytest
from pydantic import ValidationError

from flowscope import Flow, FlowConfig, flow


class Team(FlowConfig):
    """A subclass with another default and a field of its own."""

    log_level: Any = "WARNING"
    team: str = "data"


def test_configs_with_the_same_options_are_equal() -> None:
    """Configs compare and hash by what they say, so they can be keys."""
    assert FlowConfig(max_logs=5) == FlowConfig(max_logs=5)
    assert FlowConfig(max_logs=5) != FlowConfig(max_logs=6)
    assert hash(FlowConfig(max_logs=5)) == hash(FlowConfig(max_logs=5))


def test_copies_and_pickles_are_equal() -> None:
    """A config survives copying and pickling, a subclass too."""
    for config in (FlowConfig(redact=("pin",)), Team(team="ops")):
        assert copy.deepcopy(config) == config
        again = pickle.loads(pickle.dumps(config))
        assert (again, type(again)) == (config, type(config))


def test_a_changed_copy_leaves_the_original() -> None:
    """`model_copy(update=...)` makes a variant of a frozen config."""
    config = FlowConfig()
    assert config.model_copy(update={"max_logs": 3}).max_logs == 3
    assert config.max_logs is None


@pytest.mark.parametrize("level", ["DEBUG", "debug", "Info", "WARNING", "error", "CRITICAL"])
def test_levels_in_any_case(level: Any) -> None:
    """A level may be written in any case, and is kept in capitals."""
    assert FlowConfig(log_level=level).log_level == level.upper()


@pytest.mark.parametrize(
    ("option", "bad"),
    [
        ("log_level", "LOUD"),
        ("log_level", 10),
        ("max_logs", -1),
        ("max_events", -1),
        ("max_logs", 1.5),
        ("redact", "password"),
        ("redact", [1]),
        ("capture_stdout", "perhaps"),
        ("log_to_consol", True),
        ("Redact", ("x",)),
    ],
)
def test_what_cannot_be_an_option_is_refused(option: str, bad: object) -> None:
    """A wrong value or an unknown name is refused, by its name."""
    with pytest.raises(ValidationError) as caught:
        FlowConfig.model_validate({option: bad})
    assert caught.value.errors()[0]["loc"][0] == option


@pytest.mark.parametrize("config", [FlowConfig(), FlowConfig(redact=(), max_logs=0, max_events=7), Team(team="ops")])
def test_a_config_goes_through_json(config: FlowConfig) -> None:
    """What a config writes as JSON, its class reads back to an equal one."""
    assert type(config).model_validate_json(config.model_dump_json()) == config
    assert type(config).model_validate(json.loads(config.model_dump_json())) == config


def test_a_subclass_is_strict_too() -> None:
    """A subclass takes its own fields, checks them, and is frozen."""
    config: Any = Team(team="ops")
    with pytest.raises(ValidationError, match="team"):
        Team.model_validate({"team": 5})
    with pytest.raises(ValidationError, match="other"):
        Team.model_validate({"other": 5})
    with pytest.raises(ValidationError, match="frozen"):
        config.team = "dev"


def test_the_config_of_a_flow_is_the_very_object() -> None:
    """A flow keeps the config that it was given; one that was given none has the defaults."""
    config = Team(team="ops")

    @flow(flow_config=config)
    def work() -> None:
        """Does nothing."""

    assert work().flow_config is config
    assert work().execute().flow_run.config is config
    assert Flow[None]().flow_config == FlowConfig()


def test_two_flows_of_one_config_share_nothing_else() -> None:
    """Rings and logs belong to the run, not to the config."""
    config = FlowConfig(max_logs=2)

    @flow(flow_config=config)
    def work(text: str) -> None:
        for n in range(3):
            print(text, n)

    first, second = work("a").execute(), work("b").execute()
    assert [entry.message for entry in first.captured_logs()] == ["a 1", "a 2"]
    assert [entry.message for entry in second.captured_logs()] == ["b 1", "b 2"]
    assert (first.flow_run.dropped.logs, second.flow_run.dropped.logs) == (1, 1)
