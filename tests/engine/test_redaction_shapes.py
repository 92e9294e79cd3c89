"""Secrets under other names than those of keys and fields: aliases, pairs, attributes, JSON that a class makes."""

import argparse
import copy
import functools
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from types import SimpleNamespace
from typing import Annotated, Any, Final
from uuid import UUID

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    field_serializer,
    model_serializer,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass

from flowscope import Flow, FlowConfig, FlowRun, current_flow, flow, task

PASSPHRASE: Final = "open-sesame"
MASK: Final = "**********"


class Aliased(BaseModel):
    """A field whose alias is the name of a secret."""

    pw: str = Field(default=PASSPHRASE, alias="password")


class Chosen(BaseModel):
    """One of the names that a field is read from is that of a secret."""

    pw: str = Field(default=PASSPHRASE, validation_alias=AliasChoices("pass", AliasPath("login", "clientSecret")))


@pydantic_dataclass
class AliasedData:
    """A dataclass of Pydantic with an alias."""

    pw: str = Field(default=PASSPHRASE, validation_alias="access_token")


class Written(BaseModel):
    """A class that writes a secret under a name that no field has."""

    pw: str = PASSPHRASE

    @model_serializer
    def written(self) -> dict[str, str]:
        """Under another name."""
        return {"password": self.pw}


class WrittenField(BaseModel):
    """A field that is written as a mapping."""

    login: str = PASSPHRASE

    @field_serializer("login")
    def told(self, login: str) -> dict[str, str]:
        """Under a name."""
        return {"api_key": login}


class Declared(BaseModel):
    """A secret field that is written in a way of its own."""

    secret: Annotated[str, PlainSerializer(lambda text: f"<{text}>")] = PASSPHRASE


@dataclass(frozen=True)
class Login:
    """What may be a key."""

    user: str
    password: str


class Kind(Enum):
    """What is no text."""

    A = "open-sesame"


def connect(password: str = "") -> str:
    """Take a secret."""
    return password


class Client:
    """A class that shows its attributes."""

    def __init__(self, password: str) -> None:
        self.password = password

    def __repr__(self) -> str:
        return f"Client({self.password!r})"


class Slotted:
    """A class that shows its slots."""

    __slots__ = ("token", "unset")

    def __init__(self, token: str) -> None:
        self.token = token

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.token!r})"


class PrivatelySlotted:
    """A class whose slot has a private name."""

    __slots__ = ("__password",)

    def __init__(self, password: str) -> None:
        self.__password = password

    def __repr__(self) -> str:
        return f"PrivatelySlotted({self.__password!r})"


class SlottedWithDict(Slotted):
    """A class with slots of its base, and a dict."""


SECRETIVE: Final[dict[str, Callable[[], Any]]] = {
    "alias": Aliased,
    "alias for validation": Chosen,
    "alias of a dataclass": AliasedData,
    "model that writes it": Written,
    "model that writes it, deep": lambda: [{"a": (Written(),)}],
    "field that is written with a name": WrittenField,
    "field with a serialiser": Declared,
    "dataclass as a key": lambda: {Login("ada", PASSPHRASE): 1},
    "pair as a key": lambda: {("token", PASSPHRASE): 1},
    "keywords of a partial": lambda: functools.partial(connect, password=PASSPHRASE),
    "namespace": lambda: SimpleNamespace(password=PASSPHRASE),
    "namespace in a namespace": lambda: SimpleNamespace(login=SimpleNamespace(password=PASSPHRASE)),
    "arguments of a command": lambda: argparse.Namespace(db_password=PASSPHRASE),
    "attribute that a repr shows": lambda: Client(PASSPHRASE),
    "slot that a repr shows": lambda: Slotted(PASSPHRASE),
    "private slot": lambda: PrivatelySlotted(PASSPHRASE),
    "slot of a base": lambda: SlottedWithDict(PASSPHRASE),
    "header pairs": lambda: [("Authorization", PASSPHRASE)],
    "header pairs of bytes": lambda: [(b"cookie", PASSPHRASE.encode())],
    "pair": lambda: ("X-Api-Key", PASSPHRASE),
    "enum under the name": lambda: {"token": Kind.A},
    "texts under the name": lambda: {"tokens_and_secret": {"a": [PASSPHRASE, {"b": PASSPHRASE}]}},
    **{
        name: functools.partial(dict, {name: PASSPHRASE})
        for name in (
            "access_token",
            "clientSecret",
            "X-Api-Key",
            "passwd",
            "pwd",
            "credentials",
            "private_key",
            "APIKey",
        )
    },
}


def everything(value: Any, config: FlowConfig | None = None) -> Flow[Any]:
    """A flow that has a value in all places of its record."""

    @task(validate=False)
    def step(value: Any, *, other: Any = None) -> Any:
        return value

    @flow(validate=False, flow_config=config or FlowConfig(capture_events=True))
    def work(value: Any) -> Any:
        current_flow().add_flow_artifact(data=value)
        current_flow().add_flow_result("r", value=value)
        return step(value, other=[value])

    return work(value).execute_flow({"value": value})


@pytest.mark.parametrize("make", SECRETIVE.values(), ids=SECRETIVE)
def test_a_secret_is_masked_by_any_of_its_names(make: Callable[[], Any]) -> None:
    """Records, copies of them and what is straight from the run show no secret; with no names, they do."""
    run = everything(make())
    record = run.flow_run
    copies = [record, copy.copy(record), copy.deepcopy(record), record.model_copy(update={"tags": ("x",)})]
    assert all(PASSPHRASE not in found.model_dump_json() for found in copies)
    assert PASSPHRASE not in repr(record.model_dump())
    assert PASSPHRASE not in run.flow_run_json().decode()
    assert PASSPHRASE in everything(make(), FlowConfig(redact=())).flow_run.model_dump_json()


def test_a_pickled_record_is_masked_as_well() -> None:
    """What is masked only when it is written stays so across processes."""
    record = everything(Written()).flow_run
    assert PASSPHRASE not in pickle.loads(pickle.dumps(record)).model_dump_json()


class Settings(BaseModel):
    """A model with all kinds of values under names of secrets."""

    password: str = "open"
    token: bytes = b"open"
    secrets: list[str] = ["open", "sesame"]
    api_key: int = 5
    credential: float | None = None
    cookie: bool = True
    max_tokens: int = 100
    pwd: dict[str, bytes] = {"a": b"open"}


def test_a_masked_record_loads_as_what_it_was() -> None:
    """Text is masked by text, bytes by bytes, in containers one by one; numbers, booleans and None stay."""
    made = everything(Settings())
    found = FlowRun[Settings].model_validate_json(made.flow_run.model_dump_json()).return_value
    assert found == Settings(password=MASK, token=MASK.encode(), secrets=[MASK, MASK], pwd={"a": MASK.encode()})


@pytest.mark.parametrize("value", [UUID(int=4), Kind.A, Decimal(4)], ids=lambda value: type(value).__name__)
def test_other_values_under_the_name_are_masked(value: object) -> None:
    """What is neither number, boolean nor None is masked by text."""
    assert json.loads(everything({"token": value}).flow_run.model_dump_json())["return_value"] == {"token": MASK}


@pytest.mark.parametrize(
    "name", ["tokens", "max_tokens", "tokenizer", "secretary", "compass", "cookiecutter", "keyword", "author"]
)
def test_names_that_only_resemble_are_shown(name: str) -> None:
    """Words count, not letters; tokens are counted."""
    assert everything({name: "shown"}).flow_run.return_value == {name: "shown"}


def test_the_input_of_a_flow_class_given_by_alias_is_masked() -> None:
    """Whichever of its names is that of a secret."""

    class Enter(Flow[int]):
        model_config = ConfigDict(populate_by_name=True)
        pw: str = Field(alias="password")
        user: str = Field(default="ada", alias="who")

        def run(self) -> int:
            assert self.pw == PASSPHRASE
            return 1

    made = Enter(password=PASSPHRASE)
    assert made.flow_run.params == {"pw": MASK, "user": "ada"}
    assert made.execute().flow_run.params == {"pw": MASK, "user": "ada"}


class Wanted(BaseModel):
    """What settings are checked by."""

    user: str
    password: int


@pytest.mark.parametrize(
    "settings",
    [
        {"user": "ada", "password": PASSPHRASE},
        {"password": PASSPHRASE},
        {"user": {"token": [PASSPHRASE]}, "password": 1},
        {"user": "ada", "password": PASSPHRASE * 20},
    ],
    ids=["of the field", "of the whole", "further inside", "cut"],
)
@pytest.mark.parametrize("wrapped", [False, True], ids=["itself", "as a cause"])
def test_the_text_of_a_validation_error_has_no_secret(settings: dict[str, Any], wrapped: bool) -> None:
    """Message, traceback, causes and log lines name the field, and not the input that is masked elsewhere."""

    @task(retries=1)
    def check(settings: dict[str, Any]) -> Wanted:
        return Wanted.model_validate(settings)

    @flow(flow_config=FlowConfig(raise_flow_error=False, capture_events=True, print_error_stack_trace=True))
    def read(settings: dict[str, Any]) -> Wanted:
        try:
            return check(settings)
        except ValidationError as error:
            if wrapped:
                raise RuntimeError("unreadable") from error
            raise

    run = read(settings).execute()
    text = run.flow_run.model_dump_json()
    assert PASSPHRASE not in text
    assert PASSPHRASE[:6] not in text
    assert "for Wanted" in text
    assert "Field required" in text or "Input should be" in text


def test_the_text_of_a_validation_error_without_a_secret_is_its_own() -> None:
    """Nothing is rewritten that does not have to be."""

    @flow(flow_config=FlowConfig(raise_flow_error=False))
    def read() -> None:
        Wanted.model_validate({"user": 1, "password": 2})

    run = read().execute()
    record = run.flow_run
    assert record.error is not None
    assert record.error.message == str(run.flow_error)
