"""What all tests share."""

import gc
import signal
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("fast", derandomize=True, max_examples=25, deadline=None, print_blob=True)
settings.register_profile("thorough", max_examples=100, deadline=None, print_blob=True)


def pytest_configure(config: pytest.Config) -> None:
    """Let signals be heard, here and in the programs that tests start, and make few examples where slow tests are left out.

    A shell has what it runs in the background ignore interrupts, and `nohup` the hang-up of a terminal.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if config.getoption("--hypothesis-profile", None) is None:
        settings.load_profile("fast" if config.getoption("markexpr") == "not slow" else "thorough")


def pytest_collection_finish(session: pytest.Session) -> None:  # noqa: ARG001 - pytest names it
    """Let the collector of garbage leave out what is there before the first test: thousands of tests, and their modules.

    Many tests collect garbage again and again, and each time would visit all of it.
    """
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """Escape lone surrogates in reports that go from a worker of pytest-xdist to its master: they cannot be encoded."""
    return encodable((yield))


def encodable(value: Any) -> Any:
    """The value, a tree of lists and dicts, with text that has a UTF-8 form."""
    kind: Any = type(value)  # pyright: ignore[reportUnknownVariableType] # it may be anything
    if kind is str:
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if kind is dict:
        return {encodable(key): encodable(item) for key, item in value.items()}
    if kind in {list, tuple}:
        return [encodable(item) for item in value]
    return value
