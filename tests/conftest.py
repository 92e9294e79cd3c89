"""What all tests share."""

import gc
import signal

import pytest


def pytest_configure(config: pytest.Config) -> None:  # noqa: ARG001 - pytest names it
    """Let interrupts be heard, here and in the programs that tests start: a shell has what it runs in the background ignore them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish(session: pytest.Session) -> None:  # noqa: ARG001 - pytest names it
    """Let the collector of garbage leave out what is there before the first test: thousands of tests, and their modules.

    Many tests collect garbage again and again, and each time would visit all of it.
    """
    gc.collect()
    gc.freeze()
