"""What all tests share."""

import gc

import pytest


def pytest_collection_finish(session: pytest.Session) -> None:  # noqa: ARG001 - pytest names it
    """Let the collector of garbage leave out what is there before the first test: thousands of tests, and their modules.

    Many tests collect garbage again and again, and each time would visit all of it.
    """
    gc.collect()
    gc.freeze()
