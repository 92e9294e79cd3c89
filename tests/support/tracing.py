"""A tracer for tests: a sink that puts a span around the body of each call, as OpenTelemetry's bridge will."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Self

from flowscope.engine.ports import RunSink
from flowscope.engine.scope.call import Call

__all__ = ["Tracer", "span"]

span: ContextVar[str] = ContextVar("span", default="outside")
"""The span that code runs in."""


class Tracer(RunSink):
    """Names each span like its task, below the span that has been carried here."""

    activates = True

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.entered: list[str] = []
        """The spans in the order in which bodies entered them."""

    @contextmanager
    def activate(self, call: Call | None) -> Generator[None]:
        name = self.prefix + ("flow" if call is None else call.definition.name)
        self.entered.append(name)
        token = span.set(name)
        try:
            yield
        finally:
            span.reset(token)  # raises in any other context

    def carry(self) -> Mapping[str, str]:
        return {"prefix": f"{span.get()}/"}

    @classmethod
    def received(cls, carried: Mapping[str, str]) -> Self:
        return cls(carried["prefix"])
