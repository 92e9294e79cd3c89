"""Property: wherever a secret of any characters is put in a run that has it under its name, the record never shows it."""

import base64
import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, quote_plus

from hypothesis import assume, given
from hypothesis import strategies as st

from flowscope import Flow, FlowConfig, FlowRun, current_flow, flow, task

NAMES: Final = st.sampled_from(["password", "access_token", "X-Api-Key", "clientSecret", "db_password2", "cookies"])
SECRETS: Final = st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=40).filter(
    lambda text: len(text.strip()) >= 8 and text.strip() == text and len(set(text)) > 3 and not text.startswith("*")
)
FORMS: Final[dict[str, Callable[[str], Any]]] = {
    "plain": str,
    "repr": repr,
    "json": json.dumps,
    "quoted": lambda text: quote(text, safe=""),
    "quoted with plus": quote_plus,
    "bytes": lambda text: text.encode(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of a pair": lambda text: base64.b64encode(f"ada:{text}".encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(f"xy{text}".encode()).decode(),
    "list": lambda text: [1, {"a": (text, f"x{text}y")}],
    "error": lambda text: ValueError(f"no {text}", {"a": text}),
    "mapping of an error": lambda text: ExceptionGroup("g", [KeyError(text)]),
}
PLACES: Final = ("value", "input", "keyword", "print", "message", "artifact", "result", "error", "note", "description")


@task
def step(*args: Any, **kwargs: Any) -> Any:
    """Return the first argument."""
    return args[0] if args else None


def put(place: str, value: Any) -> None:
    """Put a value into a place of the running flow's record."""
    running = current_flow()
    match place:
        case "value" | "input":
            step(value)
        case "keyword":
            step(named=value)
        case "print":
            print("printed", value)
        case "message":
            running.log_info(f"told {value}")
        case "artifact":
            running.add_flow_artifact(key="k", data=value)
        case "result":
            running.add_flow_result("r", value=value)
        case "description":
            running.add_flow_artifact(key="k", description=str(value))
        case _:
            error = RuntimeError(f"failed: {value}")
            if place == "note":
                error.add_note(f"noted {value}")
            raise error


def run(name: str, secret: str, puts: list[tuple[str, str]]) -> Flow[Any]:
    """A finished flow that has the secret under a name, and in these places in these forms."""

    @flow
    def work(options: dict[str, Any]) -> str:
        assert secret in options.values()
        for place, form in puts:
            put(place, FORMS[form](secret))
        return f"done with {secret}"

    made = work({name: secret})
    made.flow_config = FlowConfig(raise_flow_error=False, capture_events=True, print_error_stack_trace=True)
    return made.execute()


def texts_in(value: Any) -> list[str]:
    """All texts in JSON data, without keys."""
    if isinstance(value, (dict, list)):
        parts: Any = value  # pyright: ignore[reportUnknownVariableType] # of JSON
        items: list[Any] = list(parts.values() if isinstance(value, dict) else parts)
        return [text for item in items for text in texts_in(item)]
    return [value] if isinstance(value, str) else []


@given(NAMES, SECRETS, st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(sorted(FORMS))), max_size=6))
def test_the_record_never_shows_the_secret(name: str, secret: str, puts: list[tuple[str, str]]) -> None:
    """Neither `flow_run_json` nor the record's own JSON, which load, nor the log."""
    assume("***" not in secret)
    assume(secret not in run(name, "another secret", puts).flow_run_json().decode())  # as a part of a name or key
    made = run(name, secret, puts)
    for data in (made.flow_run_json(), made.flow_run.model_dump_json().encode()):
        FlowRun.model_validate_json(data)
        for text in texts_in(json.loads(data)):
            for form in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe="")):
                assert form not in text
            for before in range(3):
                whole = base64.b64encode(b"\0" * before + secret.encode()).decode()
                assert whole[4 : len(whole) // 4 * 4 - 4] not in text or len(whole) < 16
    assert not any(secret in line for line in made.log_messages())
