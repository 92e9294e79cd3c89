"""`set_default_config`: the config of the flows of a process that are given none."""

from collections.abc import Iterator

import pytest

from flowscope import Flow, FlowConfig, flow, set_default_config

QUIET = FlowConfig(capture_stdout=False, max_logs=3)


@flow
def work() -> None:
    """A flow that was decorated before."""


@flow(flow_config=FlowConfig(max_logs=5))
def configured() -> None:
    """A flow with a config of its own."""


@pytest.fixture(autouse=True)
def restore() -> Iterator[None]:
    """Restore the default."""
    yield
    set_default_config(None)


class Ingest(Flow[int]):
    def run(self) -> int:
        return 1


def test_it_holds_for_flows_made_after_it() -> None:
    """Whenever their functions were decorated; flows made before keep theirs."""
    before = work()
    set_default_config(QUIET)
    for made in (work(), Ingest(), Flow[None](), flow(lambda: None)()):
        assert made.flow_config is QUIET
        with made:
            pass
        assert made.flow_run.config == QUIET
    assert before.execute().flow_run.config == FlowConfig()


def test_none_restores() -> None:
    """The library's own default holds again."""
    set_default_config(QUIET)
    set_default_config(None)
    assert work().execute().flow_config == FlowConfig()


def test_a_config_of_its_own_replaces_it_whole() -> None:
    """No field of the default is left."""
    set_default_config(QUIET)
    assert configured().execute().flow_config == FlowConfig(max_logs=5)
    assert Flow[None](flow_config=FlowConfig()).flow_config.capture_stdout


def test_its_hook_is_called() -> None:
    """`custom_setup` of a subclass is called for each flow."""
    seen: list[str] = []

    class Noting(FlowConfig):
        def custom_setup(self, flow: Flow[object]) -> None:
            seen.append(flow.flow_name)

    set_default_config(Noting())
    work().execute()
    assert seen == ["work"]


def test_anything_else_is_refused() -> None:
    """The error names the function."""
    bad: object = {"max_logs": 3}
    with pytest.raises(TypeError, match=r"set_default_config\(\).*wanted a FlowConfig"):
        set_default_config(bad)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] # the mistake under test
    assert work().execute().flow_config == FlowConfig()


def test_completion_offers_no_deprecated_methods() -> None:
    """`dir()` of a flow has the methods of flows, not those that Pydantic has replaced; an own one stays."""

    class Own(Flow[int]):
        def copy(self) -> str:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride] # the case under test
            return "own"

    names = set(dir(work().execute()))
    assert {"execute", "flow_run", "log_info", "model_dump", "flow_id"} <= names
    assert not names & {"dict", "json", "copy", "parse_obj", "schema", "construct", "validate", "from_orm"}
    assert "copy" in dir(Own())
