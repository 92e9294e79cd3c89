"""Secrets are masked in every record, by name; the code and everything without secrets keep the very objects."""

import dataclasses
import json
from collections import ChainMap, OrderedDict, UserDict, defaultdict, deque
from collections.abc import Callable
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypedDict

import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    Secret,
    SecretBytes,
    SecretStr,
    SerializerFunctionWrapHandler,
    computed_field,
    model_serializer,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass

from flowscope import Flow, FlowConfig, FlowEvent, FlowRun, current_flow, flow, flow_events, task

PASSPHRASE: Final = "open-sesame"
MASK: Final = "**********"
DEFAULTS: Final = ("password", "token", "secret", "api_key", "authorization")


@task
def take(value: Any, *, named: Any) -> Any:
    """A task that has the value as inputs and as return value."""
    return value


@flow(validate=False)
def keep(value: Any) -> Any:
    """A flow whose record holds the value in every place that can hold one."""
    running = current_flow()
    running.add_flow_artifact(key="artifact", data=value)
    running.add_flow_result("result", value=value)
    return take(value, named=value)


def kept(value: Any, **options: Any) -> Flow[Any]:
    """The finished flow that kept a value."""
    made = keep(value)
    made.flow_config = FlowConfig(capture_events=True, print_finished_message=True, **options)
    return made.execute_flow({"run": value})


def held(record: FlowRun[Any]) -> list[Any]:
    """The objects that stand for the value, in every place of the record of `keep`."""
    (call,) = record.tasks
    return [
        record.return_value,
        record.params["value"],
        record.run_params["run"],
        record.artifacts[0].data,
        *(result.value for result in record.results),
        call.return_value,
        call.input_args[0],
        call.input_kwargs["named"],
    ]


def everything(made: Flow[Any]) -> str:
    """All that a finished flow tells to the outside: its record, with the events in it, and its log."""
    return "\n".join([made.flow_run.model_dump_json(), *made.log_messages(), repr(made.captured_logs())])


class Login(BaseModel):
    """A model with a secret field."""

    user: str = "ada"
    password: str = PASSPHRASE
    more: Any = None


class Open(BaseModel):
    """A model that takes more than it declares."""

    model_config = ConfigDict(extra="allow")


class Renamed(BaseModel):
    """A model whose field is secret in JSON only."""

    model_config = ConfigDict(serialize_by_alias=True)

    key: str = Field(default=PASSPHRASE, serialization_alias="api_key")


class Derived(BaseModel):
    """A model with a computed secret."""

    parts: tuple[str, str] = ("open", "sesame")

    @computed_field  # type: ignore[prop-decorator] # as Pydantic wants it
    @property
    def token(self) -> str:
        """Made of the parts."""
        return "-".join(self.parts)


class Frozen(BaseModel):
    """A model that cannot be changed."""

    model_config = ConfigDict(frozen=True)

    token: str = PASSPHRASE


class Told(Derived):
    """A model that tells its computed secret under another name, inside something."""

    model_config = ConfigDict(serialize_by_alias=True)

    @computed_field(alias="api-key")  # type: ignore[prop-decorator] # as Pydantic wants it
    @property
    def key(self) -> str:
        """Made of the parts as well."""
        return "-".join(self.parts)

    @model_serializer(mode="wrap")
    def told(self, handler: SerializerFunctionWrapHandler) -> Any:
        """Inside a list."""
        return [handler(self)]


@pydantic_dataclass
class Computed:
    """One of Pydantic's with a computed secret."""

    parts: tuple[str, str] = ("open", "sesame")

    @computed_field  # type: ignore[prop-decorator] # as Pydantic wants it
    @property
    def token(self) -> str:
        """Made of the parts."""
        return "-".join(self.parts)


@pydantic_dataclass(slots=True)
class SlottedComputed:
    """One without `__dict__`."""

    parts: tuple[str, str] = ("open", "sesame")

    @computed_field  # type: ignore[prop-decorator] # as Pydantic wants it
    @property
    def token(self) -> str:
        """Made of the parts."""
        return "-".join(self.parts)


@dataclasses.dataclass
class Account:
    """A dataclass with a secret field."""

    user: str = "ada"
    password: str = PASSPHRASE


@dataclasses.dataclass(frozen=True, slots=True)
class Badge:
    """A dataclass that cannot be changed, and can be in a set."""

    token: str = PASSPHRASE


@dataclasses.dataclass
class Guarded:
    """A dataclass that checks what it is made of."""

    number: int
    token: str

    def __post_init__(self) -> None:
        assert self.token == PASSPHRASE


@pydantic_dataclass
class Checked:
    """One of Pydantic's."""

    secret: str = PASSPHRASE


class Headers(TypedDict):
    """A dict with a shape."""

    authorization: str


class Pair(NamedTuple):
    """A tuple with names around something."""

    left: Any
    right: int = 1


class Named(dict[str, Any]):
    """A dict of one's own."""


class Listed(list[Any]):
    """A list of one's own."""


class Words(StrEnum):
    """Text as keys."""

    PASSWORD = "password"


class Kinds(Enum):
    """Anything as keys."""

    PASSWORD = "password"


def cyclic_dict() -> dict[str, Any]:
    """A dict that contains itself."""
    loop: dict[str, Any] = {"password": PASSPHRASE}
    loop["self"] = loop
    return loop


def cyclic_list() -> list[Any]:
    """A list that contains itself."""
    loop: list[Any] = [{"password": PASSPHRASE}]
    loop.append(loop)
    return loop


def cyclic_model() -> Login:
    """A model that contains itself."""
    login = Login()
    login.more = [login]
    return login


def deep(levels: int) -> list[Any]:
    """A secret inside so many lists."""
    value: Any = {"password": PASSPHRASE}
    for _ in range(levels):
        value = [value]
    return [value]


SECRETIVE: Final[dict[str, Callable[[], Any]]] = {
    "dict": lambda: {"password": PASSPHRASE},
    "capitals": lambda: {"PassWord": PASSPHRASE},
    "dashes": lambda: {"API-KEY": PASSPHRASE},
    "camel case": lambda: {"apiKey": PASSPHRASE},
    "underscores": lambda: {"_token_": PASSPHRASE},
    "typed dict": lambda: Headers(authorization=PASSPHRASE),
    "nested": lambda: {"a": [({"b": deque([{"token": PASSPHRASE}])},)]},
    "container under the name": lambda: {"secret": {"a": [PASSPHRASE]}},
    "model": Login,
    "frozen model": Frozen,
    "nested models": lambda: Login(password="x", more=[{"a": Login()}]),
    "model with extras": lambda: Open.model_validate({"token": PASSPHRASE}),
    "model with an alias": Renamed,
    "model with a computed field": Derived,
    "model with a computed field that it tells": Told,
    "dataclass with a computed field": Computed,
    "slotted dataclass with a computed field": SlottedComputed,
    "root model": lambda: RootModel[dict[str, str]]({"password": PASSPHRASE}),
    "dataclass": Account,
    "frozen slotted dataclass": Badge,
    "dataclass that checks": lambda: Guarded(1, PASSPHRASE),
    "dataclass of Pydantic": Checked,
    "set": lambda: {Badge()},
    "frozenset": lambda: frozenset({Badge()}),
    "named tuple around it": lambda: Pair({"token": PASSPHRASE}),
    "dict subclass": lambda: Named(password=PASSPHRASE),
    "list subclass": lambda: Listed([{"password": PASSPHRASE}]),
    "ordered dict": lambda: OrderedDict[str, str](password=PASSPHRASE),
    "default dict": lambda: defaultdict(str, password=PASSPHRASE),
    "read-only mapping": lambda: MappingProxyType({"password": PASSPHRASE}),
    "user dict": lambda: UserDict(password=PASSPHRASE),
    "chain of mappings": lambda: ChainMap({}, {"password": PASSPHRASE}),
    "mapping in a list": lambda: [UserDict(password=PASSPHRASE)],
    "items of a dict": lambda: {"password": PASSPHRASE}.items(),
    "values of a dict": lambda: {"password": PASSPHRASE}.values(),
    "values of an ordered dict": lambda: OrderedDict[str, str](password=PASSPHRASE).values(),
    "items of a mapping": lambda: UserDict(password=PASSPHRASE).items(),
    "values of a mapping": lambda: [ChainMap({}, {"password": PASSPHRASE}).values()],
    "values that hold a secret": lambda: {"a": {"password": PASSPHRASE}}.values(),
    "text enum as key": lambda: {Words.PASSWORD: PASSPHRASE},
    "enum as key": lambda: {Kinds.PASSWORD: PASSPHRASE},
    "bytes as key": lambda: {b"password": PASSPHRASE},
    "cyclic dict": cyclic_dict,
    "cyclic list": cyclic_list,
    "cyclic model": cyclic_model,
    "98 levels": lambda: deep(97),
    "99 levels": lambda: deep(98),
    "100 levels": lambda: deep(99),
    "101 levels": lambda: deep(100),
    "300 levels": lambda: deep(300),
}


@pytest.mark.parametrize("make", SECRETIVE.values(), ids=SECRETIVE)
def test_a_secret_is_masked_wherever_a_value_can_be(make: Callable[[], Any]) -> None:
    """Params, run params, inputs, values, artifacts, results, events, the log line of the return value: all masked."""
    value = make()
    heard: list[FlowEvent] = []
    with flow_events.subscribe(heard.append):
        made = kept(value)
    assert PASSPHRASE not in everything(made)
    assert all(PASSPHRASE not in event.model_dump_json() for event in heard)
    assert made.return_value is value


@pytest.mark.parametrize("make", SECRETIVE.values(), ids=SECRETIVE)
def test_the_value_itself_is_not_changed(make: Callable[[], Any]) -> None:
    """The flow's own return value, and what its code sees, is the very object with the secret in it."""
    value = make()
    before = repr(value)
    made = kept(value)
    everything(made)
    assert made.return_value is value
    assert made.executed_tasks[0].task_return_value is value
    assert repr(value) == before


def test_what_is_around_a_secret_is_as_it_was() -> None:
    """A masked copy has the type and the other contents of the original, and shares what holds no secret."""
    plain, login = [1, {"a": 2}], Login(more=["kept"])
    value = {
        "password": PASSPHRASE,
        "plain": plain,
        "login": login,
        "list": [plain, {"token": 1, "tokens": "x", "cookies": [1, "x"]}],
    }
    for masked in held(kept(value).flow_run):
        assert masked == {
            "password": MASK,
            "plain": plain,
            "login": Login(password=MASK, more=["kept"]),
            "list": [plain, {"token": 1, "tokens": "x", "cookies": [1, MASK]}],
        }
        assert masked["plain"] is masked["list"][0] is plain
        assert type(masked["login"]) is Login
        assert masked["login"].more is login.more


@pytest.mark.parametrize(
    "value",
    [
        {"user": "ada", "passwords": 1, "tokens": [2], "secretary": 3},
        [{"a": ({"b": {1, 2}},)}, Pair(1), deque([1]), OrderedDict[str, int](a=1)],
        {"passphrases": "long", "author": "ada", "compass_words": "n", "tokenizer": "bpe", "x-api-key-id": 1},
        Pair({"left": 1}),
        MappingProxyType({"a": 1}),
        [{"a": 1}.items(), {"a": 1}.values(), {"password": 1}.keys(), UserDict(a=1).values()],
        [SecretStr("x"), SecretBytes(b"y")],
        {"password": SecretStr(PASSPHRASE)},
        object(),
    ],
    ids=[
        "similar names",
        "containers",
        "other names",
        "named tuple",
        "mapping",
        "views",
        "secrets",
        "masked already",
        "object",
    ],
)
def test_without_secrets_everything_is_the_very_object(value: Any) -> None:
    """What holds no secret is neither copied nor replaced, in any place."""
    assert all(found is value for found in held(kept(value).flow_run))


class Vault(BaseModel):
    """A model of Pydantic's own secrets."""

    password: SecretStr = SecretStr(PASSPHRASE)
    other: SecretStr = SecretStr(PASSPHRASE)
    raw: SecretBytes = SecretBytes(PASSPHRASE.encode())
    anything: Secret[str] = Secret(PASSPHRASE)


@pytest.mark.parametrize("redact", [DEFAULTS, (), ("pin",)], ids=["default", "nothing", "other"])
@pytest.mark.parametrize(
    "make",
    [
        Vault,
        lambda: SecretStr(PASSPHRASE),
        lambda: [Secret(PASSPHRASE), SecretBytes(PASSPHRASE.encode())],
        lambda: {"password": SecretStr(PASSPHRASE), "a": (SecretStr(PASSPHRASE),)},
        lambda: {Badge(SecretStr(PASSPHRASE))},  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] # a dataclass checks nothing
    ],
    ids=["model", "itself", "list", "dict", "set"],
)
def test_secret_types_are_always_masked(make: Callable[[], Any], redact: tuple[str, ...]) -> None:
    """Pydantic's secrets are masked whatever `redact` says, and the objects stay themselves."""
    value = make()
    made = kept(value, redact=redact)
    assert PASSPHRASE not in everything(made)
    assert made.return_value is value


def test_no_names_mask_nothing() -> None:
    """With `redact=()` every value is the very object, and is written in full."""
    value = {"password": PASSPHRASE, "login": Login()}
    made = kept(value, redact=())
    assert all(found is value for found in held(made.flow_run))
    assert json.loads(made.flow_run.model_dump_json())["return_value"]["login"]["password"] == PASSPHRASE


def test_a_loaded_record_is_masked_for_good() -> None:
    """What was masked stays masked on the way through JSON."""
    record = kept({"password": PASSPHRASE}).flow_run
    assert FlowRun.model_validate_json(record.model_dump_json()).return_value == {"password": MASK}
