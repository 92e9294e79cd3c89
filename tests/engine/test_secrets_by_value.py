"""A secret that a run has shown under its name is masked by what it is in every other text of the record."""

import base64
import dataclasses
import datetime as dt
import enum
import json
import logging
import traceback
import urllib.parse
import uuid
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any, Final, NoReturn

import pytest
from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator, model_serializer

from flowscope import Flow, FlowConfig, FlowEvent, FlowRun, current_flow, current_task, flow, flow_events, submit, task

SECRET: Final = "hunter2-Swordfish"
SHORT: Final = "abc4"
ODD: Final = {"token": uuid.UUID(int=7), "secret": dt.date(2020, 1, 2)}
MASK: Final = "**********"


def both(made: Flow[Any]) -> tuple[FlowRun[Any], str]:
    """The record, and its JSON as both ways of writing it have it; these are the same data."""
    record = made.flow_run
    text, data = record.model_dump_json(), made.flow_run_json().decode()
    assert json.loads(data)["tasks"] == json.loads(text)["tasks"]
    FlowRun.model_validate_json(data)
    FlowRun.model_validate_json(text)
    return record, text + data


def shown(made: Flow[Any]) -> str:
    """All that an ended flow shows."""
    _, text = both(made)
    return "\n".join([text, *made.log_messages(), repr(made.captured_logs())])


class Echo:
    """An object whose `repr` shows what it holds, at its end."""

    def __init__(self, text: str) -> None:
        self._inner = [text]

    def __repr__(self) -> str:
        return f"<{'x' * 990} {self._inner[0]}>"


class Note(BaseModel):
    """A model with a free text."""

    text: str


class Vague:
    """A value that is neither true nor false."""

    def __bool__(self) -> bool:
        raise ValueError("neither")


class Level(enum.Enum):
    """An enumeration of texts."""

    TOP = f"level {SECRET}"


@dataclasses.dataclass
class Line:
    """A dataclass with a free text."""

    text: str


class Loud(Exception):
    """An exception with attributes and a text of its own."""

    def __init__(self, told: Any) -> None:
        super().__init__()
        self.told = told

    def __str__(self) -> str:
        return f"loud: {self.told}"


def encoded(text: str, before: bytes = b"") -> str:
    """The Base64 of a text after something else."""
    return base64.b64encode(before + text.encode() + b" and more").decode()


TEXTS: Final[dict[str, Callable[[], Any]]] = {
    "text": lambda: f"the key is {SECRET}!",
    "twice": lambda: SECRET + SECRET,
    "list": lambda: ["a", {"b": (f"x{SECRET}",)}],
    "model": lambda: Note(text=f"see {SECRET}"),
    "dataclass": lambda: Line(f"see {SECRET}"),
    "bytes": lambda: b"raw " + SECRET.encode(),
    "bytearray": lambda: bytearray(SECRET.encode()),
    "enum": lambda: Level.TOP,
    "path": lambda: PurePosixPath("/tmp") / SECRET,
    "object cut at its end": lambda: Echo(SECRET),
    "object in a list": lambda: [Echo(SECRET)],
    "exception": lambda: ValueError(f"no {SECRET}"),
    "exception with a text of its own": lambda: Loud(SECRET),
    "error of the system": lambda: OSError(5, "no", SECRET),
    "group": lambda: ExceptionGroup("all", [ValueError(SECRET)]),
    "url": lambda: f"https://example.org/?q={urllib.parse.quote(SECRET)}",
    "json": lambda: json.dumps({"k": SECRET}),
    "base64, first alignment": lambda: encoded(SECRET),
    "base64, second alignment": lambda: encoded(SECRET, b"a"),
    "base64, third alignment": lambda: encoded(SECRET, b"ab"),
    "basic credentials": lambda: "Basic " + base64.b64encode(f"ada:{SECRET}".encode()).decode(),
}


def leaks(text: str, secret: str = SECRET) -> bool:
    """Whether a text shows a secret, also encoded, or the beginning of it."""
    heads = [base64.b64encode(b"\0" * n + secret.encode())[4:16].decode() for n in range(3)]
    return secret in text or any(head in text for head in heads)


@pytest.mark.parametrize("make", TEXTS.values(), ids=TEXTS)
def test_a_known_secret_is_masked_in_values_and_texts(make: Callable[[], Any]) -> None:
    """In values, inputs, artifacts, results, logs, prints, errors, notes and events, of a task too."""
    value = make()

    @task
    def use(given: Any, *, named: Any) -> Any:
        current_task().progress(1, 2, f"at {given}")
        return given

    @task
    def fail(given: Any) -> NoReturn:
        error = RuntimeError(f"failed with {given}")
        error.add_note(f"note {given}")
        raise error

    @flow(validate=False)
    def work(password: str, given: Any) -> Any:
        print(f"printed {given}")
        logging.getLogger("shop").warning("logged %s", given, extra={"found": given})
        current_flow().log_info(f"told {given}", found=given)
        current_flow().add_flow_artifact(key="a", description=f"about {given}", data=given)
        current_flow().add_flow_result("r", f"about {given}", given)
        use(given, named=given)
        with pytest.raises(RuntimeError):
            fail(given)
        raise Loud(given)

    made = work(SECRET, value)
    made.flow_config = FlowConfig(capture_events=True, raise_flow_error=False, print_error_stack_trace=True)
    assert not leaks(shown(made.execute_flow({"run": value})))
    assert not leaks(repr(made.flow_run.events))


NAMED: Final[dict[str, Callable[[], Any]]] = {
    "tuple key": lambda: {("password", 1): SECRET},
    "pair": lambda: [("Authorization", SECRET)],
    "pair of bytes": lambda: [(b"authorization", SECRET.encode())],
    "pair as a list": lambda: [["Set-Cookie", SECRET]],
    "name and value": lambda: {"name": "X-Api-Key", "value": SECRET},
    "nested model": lambda: {"a": [Named(inner=Named())]},
    "alias": lambda: Aliased(api_key=SECRET),
    "secret type": lambda: SecretStr(SECRET),
    "secret type under its name": lambda: {"password": SecretStr(SECRET)},
    "exception argument": lambda: ValueError({"password": SECRET}),
    "file name of an error": lambda: OSError(5, "no", {"token": SECRET}),
    "exception attribute": lambda: Loud({"token": SECRET}),
    "object": lambda: Holder(SECRET),
}


class Named(BaseModel):
    """A model with a secret."""

    password: str = SECRET
    inner: Any = None


class Aliased(BaseModel):
    """A model whose alias is the name of a secret."""

    plain: str = Field(alias="api_key")


class Writer(BaseModel):
    """A model that writes a secret under a name of its own."""

    x: str

    @model_serializer
    def write(self) -> dict[str, str]:
        """Under another name."""
        return {"password": self.x}


class Holder:
    """An object whose `repr` shows a secret."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __repr__(self) -> str:
        return f"Holder(token={self.token!r})"


@pytest.mark.parametrize("make", NAMED.values(), ids=NAMED)
def test_wherever_it_has_its_name_it_is_known(make: Callable[[], Any]) -> None:
    """A secret is masked where it is named, and is known from there, wherever that is in the record."""

    @task
    def make_it() -> Any:
        return make()

    @flow
    def work() -> None:
        print(f"before: {SECRET}")
        make_it()

    assert not leaks(work().execute().flow_run_json().decode())
    assert not leaks(work().execute().flow_run.model_dump_json())
    assert not leaks("".join(work().execute().log_messages()))
    assert not leaks(repr(work().execute().captured_logs()))


def test_a_secret_that_only_a_serializer_names_is_known_once_it_is_written() -> None:
    """The class is asked for its JSON only when that is written: `flow_run_json` masks by value what comes to light then."""

    @task
    def step() -> Writer:
        print(f"in the task: {SECRET}")
        return Writer(x=SECRET)

    @flow
    def in_task() -> None:
        print(f"before: {SECRET}")
        step()

    @flow
    def in_flow() -> Writer:
        print(f"before: {SECRET}")
        return Writer(x=SECRET)

    for made in (in_task().execute(), in_flow().execute()):
        assert not leaks(made.flow_run_json().decode())
        assert not leaks(shown(made))


def test_names_and_keys_stay() -> None:
    """Ids, names, keys, statuses, tags and times are never masked by value."""

    @task(task_name="completed", tags=("completed",))
    def step(value: str) -> dict[str, str]:
        return {"completed": value}

    @flow(tags=("completed",))
    def work(password: str) -> None:
        current_flow().add_flow_result("completed", value=step("is completed"))

    made = work("completed")
    made.flow_name = "completed"
    record, _ = both(made.execute())
    (call,) = record.tasks
    assert (record.flow_name, record.status, record.tags) == ("completed", "completed", ("completed",))
    assert (call.task_name, call.status, call.tags) == ("completed", "completed", ("completed",))
    assert call.return_value == {"completed": f"is {MASK}"}
    assert [result.key for result in record.results] == ["completed"]


def test_a_text_that_is_short_or_only_near_a_secret_stays() -> None:
    """Texts of fewer than eight characters, and those under a name whose last word is another, are masked there alone."""

    @flow
    def work(password: str, token_type: str) -> str:
        return f"{password} {token_type}"

    record, _ = both(work("bearer1", "application").execute())
    assert record.params == {"password": MASK, "token_type": MASK}
    assert record.return_value == "bearer1 application"


def test_each_line_of_a_secret_is_masked_by_itself() -> None:
    """A key of several lines is masked where one of its lines is printed."""
    lines = ["-----BEGIN KEY-----", "MIIEvAIBADANBgkqhkiG", "9w0BAQEFAASCBKYwggSi"]

    @flow
    def work(private_key: str) -> None:
        for line in private_key.splitlines():
            print(line)
        current_flow().log_info(private_key)

    made = work("\n".join(lines)).execute()
    assert not any(line in shown(made) for line in lines)


@pytest.mark.parametrize(
    "secret",
    ["pass\"word'\\ \n line", "contraseña-ñandú", "\x00\x1bbinary\x7f-key", "a" * 8, "% +/=&-quoted", "\ud800-lone-x"],
)
def test_secrets_of_any_characters_are_masked(secret: str) -> None:
    """However JSON, `repr` and URLs write it."""

    @task
    def tell(value: Any) -> Any:
        return value

    @flow
    def work(token: str) -> None:
        encoded = token.encode("utf-8", "replace")
        for value in (token, repr(token), json.dumps(token), {"a": [token]}, urllib.parse.quote(encoded), encoded):
            tell(value)
        raise KeyError(token)

    made = work(secret)
    made.flow_config = FlowConfig(raise_flow_error=False)
    text = shown(made.execute())
    assert secret not in text
    assert json.dumps(secret)[1:-1] not in text
    assert all(secret not in str(value) for value in (made.flow_run.model_dump(),))


def test_the_password_of_a_url_is_masked_in_any_text() -> None:
    """In values, messages and errors, whatever its length, and nothing else of the URL."""
    url = "postgres://ada:pw1@db.example.org:5432/shop?x=1"

    @task
    def connect(target: str) -> NoReturn:
        print(f"to {target}")
        raise ConnectionError(f"cannot reach {target}")

    @flow
    def work(target: Any) -> list[Any]:
        with pytest.raises(ConnectionError):
            connect(target)
        return [{"dsn": target}, Holder(target)]

    made = work(url).execute()
    record, text = both(made)
    assert "pw1" not in shown(made)
    expected = f"postgres://ada:{MASK}@db.example.org:5432/shop?x=1"
    assert record.params == {"target": expected}
    assert record.tasks[0].input_args == [expected]
    assert expected in record.logs[0].message
    assert text.count("db.example.org:5432/shop?x=1") >= 6
    plain = "http://localhost:8080/me@example.org and a@b.c"
    assert work(plain).flow_run.params == {"target": plain}


def test_nothing_is_masked_with_no_names() -> None:
    """`redact=()` switches masking by name, URL and value off."""

    @flow
    def work(password: str) -> list[str]:
        return [password, "ftp://u:pw1@h"]

    made = work(SECRET)
    made.flow_config = FlowConfig(redact=())
    assert made.execute().flow_run.return_value == [SECRET, "ftp://u:pw1@h"]
    assert SECRET in made.flow_run_json().decode()
    assert made.flow_run.return_value is made.return_value


def test_without_a_secret_in_them_values_are_the_very_objects() -> None:
    """A known secret changes nothing that does not show it."""

    @flow(validate=False)
    def work(password: str, given: Any) -> Any:
        return given

    for value in ({"a": [Note(text="plain"), Line("plain"), object()]}, Vague()):
        made = work(SECRET, value)
        assert made.execute().flow_run.return_value is value
        FlowRun.model_validate_json(made.flow_run_json())


class Strict(BaseModel):
    """A model that refuses."""

    password: int
    token: str = ""

    @field_validator("token")
    @classmethod
    def refuse(cls, value: str) -> str:
        """Always, and tell why."""
        raise ValueError(f"{value} is no token")


def refusal(secret: Any = SECRET) -> ValidationError:
    """The error of Pydantic for a secret input."""
    with pytest.raises(ValidationError) as caught:
        Strict(password=secret, token=SECRET)
    return caught.value


def raise_plainly() -> NoReturn:
    """The error itself."""
    raise refusal()


def raise_from() -> NoReturn:
    """An error that repeats its cause."""
    error = refusal(SHORT)
    raise RuntimeError(f"bad: {error}") from error


def raise_group() -> NoReturn:
    """A group of groups."""
    raise ExceptionGroup("all", [ExceptionGroup("some", [refusal(), ValueError({"password": SECRET})])])


def raise_argument() -> NoReturn:
    """An error as an argument of another."""
    raise ValueError([refusal()], ODD)


def raise_in_context() -> NoReturn:
    """An error while another is handled."""
    try:
        raise_plainly()
    except ValidationError as error:
        raise LookupError(traceback.format_exc(), str(error.errors())) from None


def raise_short() -> NoReturn:
    """Too short to be known by value."""
    raise ValueError({"password": SHORT}, ("token", SHORT))


@pytest.mark.parametrize(
    "fail",
    [raise_plainly, raise_from, raise_group, raise_argument, raise_in_context, raise_short],
    ids=lambda f: f.__name__,
)
def test_errors_show_no_secret(fail: Callable[[], NoReturn]) -> None:
    """Validation errors and others, nested, in groups and as causes: in the record of the error, the log and as values."""

    @task
    def returns() -> Any:
        try:
            fail()
        except Exception as error:
            return error, getattr(error, "errors", list)()

    @task
    def raises() -> None:
        fail()

    @flow(flow_config=FlowConfig(raise_flow_error=False, print_error_stack_trace=True, capture_events=True))
    def work() -> None:
        returns()
        raises()

    made = work().execute()
    text = shown(made) + repr(made.flow_run)
    assert not leaks(text)
    for hidden in (SHORT, str(uuid.UUID(int=7)), "2020-01-02", "date(2020"):
        assert hidden not in text


def test_events_mask_the_secrets_that_are_known_when_they_are_sent() -> None:
    """A secret among the inputs is masked in the messages after it."""
    heard: list[FlowEvent] = []

    @task
    def login(token: str) -> None:
        print(f"using {token}")
        raise ValueError(token)

    @flow(flow_config=FlowConfig(raise_flow_error=False))
    def work(password: str) -> None:
        print(f"with {password}")
        login("another-secret-1")

    with flow_events.subscribe(heard.append):
        work(SECRET).execute()
    text = "".join(event.model_dump_json() for event in heard)
    assert len(heard) > 5
    assert SECRET not in text
    assert "another-secret-1" not in text.replace('login(\\"another-secret-1\\")', "")


def test_the_console_shows_what_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """The echo on the console is not masked."""

    @flow(flow_config=FlowConfig(log_to_console=True))
    def work(password: str) -> None:
        current_flow().log_info(f"with {password}")

    work(SECRET).execute()
    assert SECRET in capfd.readouterr().out


def test_the_record_of_a_running_or_pending_flow_is_masked() -> None:
    """Before and during the run as well, and in the records that the flow's own methods return."""
    found: list[str] = []

    @task
    def use(password: str) -> None:
        """It has the secret."""

    @flow
    def work(note: str) -> None:
        use(SECRET)
        running = current_flow()
        running.log_info(note)
        found.extend([running.flow_run_json().decode(), *running.log_messages(), repr(running.captured_logs())])
        found.append(repr(running.add_flow_artifact(data=note)))

    made = work(f"see {SECRET}")
    made.execute()
    assert found
    assert not any(map(leaks, found))

    @flow
    def pending(password: str, dsn: str) -> None:
        """It is not executed."""

    assert not leaks(pending(SECRET, f"x://{SECRET}").flow_run_json().decode())


def test_many_secrets_are_masked() -> None:
    """Each of hundreds of secrets is found in the texts of the others."""

    @task
    def use(token: str, note: str) -> str:
        return f"{note}!"

    @flow
    def work() -> None:
        for number in range(300):
            use(f"sk-live-{number:08}", f"after sk-live-{(number + 7) % 300:08}")

    made = work().execute()
    _, text = both(made)
    assert "sk-live-" not in text


def test_a_flow_class_dumps_its_fields_masked() -> None:
    """`model_dump` and `model_dump_json` of a flow show no secret; its fields and copies have them."""

    class Login(Flow[None]):
        user: str
        password: str
        key: str = Field(alias="api_key")
        more: dict[str, Any]

        def run(self) -> None:
            """Nothing."""

    made = Login(user="ada", password=SECRET, api_key="k3y", more={"token": "t", "note": f"see {SECRET}"})
    dumped = made.model_dump()
    assert (dumped["password"], dumped["key"]) == (MASK, MASK)
    assert dumped["more"] == {"token": MASK, "note": f"see {MASK}"}
    assert made.model_dump(by_alias=True)["api_key"] == MASK
    assert SECRET not in made.model_dump_json()
    assert (made.model_copy().password, made.more["token"]) == (SECRET, "t")
    made.flow_config = FlowConfig(redact=())
    assert made.model_dump()["password"] == SECRET


def test_all_of_a_secret_rest_is_masked_and_nothing_beside_it() -> None:
    """`*passwords` are all secret; a keyword that follows `*values` says nothing of them."""

    @task
    def log_in(user: str, *passwords: str) -> None: ...

    @task
    def store(*values: str, password: str = "x") -> None: ...

    @flow
    def work() -> None:
        log_in("ada", "alpha-secret-11", "beta-secret-22")
        store("first", "second", password="gamma-secret-33")
        submit(log_in, "bob", "delta-secret-44", "epsilon-secret-55").result()

    made = work()
    events: list[FlowEvent] = []
    with made.add_listener(events.append):
        made.execute()
    mask = "*" * 10
    assert [call.input_args for call in made.flow_run.tasks] == [
        ["ada", mask, mask],
        ["first", "second"],
        ["bob", mask, mask],
    ]
    told = made.flow_run_json().decode() + "".join(event.model_dump_json() for event in events)
    assert "-secret-" not in told
