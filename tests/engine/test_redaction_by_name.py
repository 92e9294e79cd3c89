"""Which names are masked: those of arguments, fields of flows and configs, as each flow's own config says."""

import json
from typing import Any, Final

from pydantic import BaseModel

from flowscope import Flow, FlowConfig, current_flow, flow, task

PASSPHRASE: Final = "open-sesame"
MASK: Final = "**********"
DEFAULTS: Final = ("password", "token", "secret", "api_key", "authorization")


class Login(BaseModel):
    """A model with a secret field."""

    user: str = "ada"
    password: str = PASSPHRASE


def test_arguments_are_masked_by_the_names_of_their_parameters() -> None:
    """Positional and keyword arguments of flows, tasks and methods are masked by parameter name; the code sees them."""
    seen: list[tuple[str, ...]] = []

    class Client:
        @task
        def call(self, url: str, token: str, *more: str, api_key: str = PASSPHRASE) -> None:
            seen.append((url, token, *more, api_key))

    @task
    def login(user: str, password: str, /, *rest: Any, **headers: str) -> None:
        seen.append((user, password, headers["Authorization"]))

    @flow
    def work(user: str, password: str, *, secret: str = PASSPHRASE, **options: str) -> None:
        seen.append((user, password, secret, options["api_key"]))
        login(user, password, 1, {"token": PASSPHRASE}, Authorization=PASSPHRASE)
        Client().call("url", PASSPHRASE, "more", api_key=PASSPHRASE)
        Client().call(url="url", token=PASSPHRASE)

    made = work("ada", PASSPHRASE, api_key=PASSPHRASE)
    assert PASSPHRASE not in made.flow_run.model_dump_json()
    record = made.execute().flow_run
    assert record.params == {"user": "ada", "password": MASK, "secret": MASK, "options": {"api_key": MASK}}
    first, second, third = record.tasks
    assert (first.input_args, first.input_kwargs) == (["ada", MASK, 1, {"token": MASK}], {"Authorization": MASK})
    assert (second.input_args, second.input_kwargs) == (["url", MASK, "more"], {"api_key": MASK})
    assert (third.input_args, third.input_kwargs) == ([], {"url": "url", "token": MASK})
    assert PASSPHRASE not in record.model_dump_json()
    assert PASSPHRASE not in repr(made.log_messages())
    assert all(PASSPHRASE in call for call in seen)
    assert len(seen) == 4


def test_the_fields_of_a_flow_class_are_masked() -> None:
    """The inputs that a subclass of `Flow` declares are masked in its record, before and after the run."""

    class Login(Flow[str]):
        user: str
        password: str
        access: dict[str, str]

        def run(self) -> str:
            return self.password

    made = Login(user="ada", password=PASSPHRASE, access={"token": PASSPHRASE})
    assert made.flow_run.params == {"user": "ada", "password": MASK, "access": {"token": MASK}}
    assert made.execute().flow_run.params == {"user": "ada", "password": MASK, "access": {"token": MASK}}
    assert (made.return_value, made.password, made.access) == (PASSPHRASE, PASSPHRASE, {"token": PASSPHRASE})


def test_artifacts_and_results_come_back_masked() -> None:
    """The records that adding an artifact or a result returns are masked as well."""
    found: list[Any] = []

    @flow
    def work() -> None:
        found.append(current_flow().add_flow_artifact(data={"token": PASSPHRASE}).data)
        found.append(current_flow().add_flow_result("r", value=[Login()]).value)

    work().execute()
    assert found == [{"token": MASK}, [Login(password=MASK)]]


def test_the_fields_of_a_config_are_masked() -> None:
    """A config subclass may hold a secret: its record does not show it."""

    class Deployed(FlowConfig):
        api_key: str = PASSPHRASE
        region: str = "eu"

    made = Flow[None](flow_config=Deployed()).setup(lambda: None)
    assert PASSPHRASE not in made.flow_run.model_dump_json()
    assert PASSPHRASE not in made.execute().flow_run.model_dump_json()
    assert json.loads(made.flow_run.model_dump_json())["config"]["region"] == "eu"


def test_given_names_replace_the_default() -> None:
    """A `redact` of one's own is all that is masked, whatever its case and dashes."""
    value = {"x_session_id": "1", "XSessionID": "2", "my-x-session-ids": "3", "x-session": "4", "password": "shown"}
    made = Flow[Any](flow_config=FlowConfig(redact=("X-Session-Id",))).setup(lambda: value).execute()
    found = {
        **dict.fromkeys(("x_session_id", "XSessionID", "my-x-session-ids"), MASK),
        "x-session": "4",
        "password": "shown",
    }
    assert made.flow_run.return_value == found
    assert made.return_value is value


def test_each_flow_masks_by_its_own_config() -> None:
    """A nested flow masks by its own names; the outer one by its own, also what came from inside."""

    @flow(flow_config=FlowConfig(redact=("inner",)))
    def inside() -> dict[str, str]:
        return {"inner": PASSPHRASE, "outer": "seen inside"}

    @flow(flow_config=FlowConfig(redact=("outer",)))
    def outside() -> dict[str, str]:
        made = inside().execute()
        assert made.flow_run.return_value == {"inner": MASK, "outer": "seen inside"}
        return made.return_value

    record = outside().execute().flow_run
    assert record.return_value == {"inner": PASSPHRASE, "outer": MASK}


def test_the_names_of_the_default() -> None:
    """Each name of the default masks an argument of that name."""

    @flow
    def work(password: str, token: str, secret: str, api_key: str, authorization: str, plain: str) -> None:
        """Takes them all."""

    record = work("a", "b", "c", "d", "e", "f").execute().flow_run
    assert record.params == {**dict.fromkeys(DEFAULTS, MASK), "plain": "f"}
