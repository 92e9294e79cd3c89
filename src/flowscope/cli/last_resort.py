"""Standard logging in a program that has set up no handlers."""

import logging
from collections.abc import Generator
from contextlib import contextmanager

from ..engine.current import current_flow_or_none

__all__ = ["captured_records_are_shown_once"]


@contextmanager
def captured_records_are_shown_once() -> Generator[None, None, None]:
    """A block in which logging does not write to the standard error, for want of a handler, what a flow captures."""
    former = logging.lastResort
    if former is None:
        yield
        return
    logging.lastResort = _UncapturedOnly(former)
    try:
        yield
    finally:
        logging.lastResort = former


class _UncapturedOnly(logging.Handler):
    def __init__(self, former: logging.Handler) -> None:
        super().__init__(former.level)
        self._former = former

    def emit(self, record: logging.LogRecord) -> None:
        flow = current_flow_or_none()
        if flow is None or not (flow.flow_config.capture_logging and flow.flow_config.logging_enabled):
            self._former.handle(record)
