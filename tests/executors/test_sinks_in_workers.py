"""Sinks that surround bodies do so in worker processes too, with what has travelled there."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import pytest

from flowscope import ProcessExecutor, flow, submit, task, use_executor
from flowscope.engine.ports import sink_factories
from support.tracing import Tracer, span


@pytest.fixture
def tracer() -> Iterator[Tracer]:
    """A tracer for all runs of the test."""
    sink = Tracer()
    sink_factories.append(lambda start: sink)
    yield sink
    sink_factories.pop()


@task
def inner() -> str:
    """The span of a task that is called in a worker."""
    return span.get()


@task
def outer() -> tuple[str, str, str]:
    """The spans before, in and after a task that is called in a worker."""
    return span.get(), inner(), span.get()


@task
async def outer_async() -> tuple[str, str, str]:
    """The same in an async task."""
    return span.get(), inner(), span.get()


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_bodies_in_workers_run_in_the_span_that_was_carried_there(
    tracer: Tracer, method: Literal["forkserver", "spawn"]
) -> None:
    """In a worker, a body sees its own span below the one that submitted it, and its caller sees its own after it."""
    with ProcessExecutor(1, start_method=method) as workers:

        @flow
        async def work() -> list[tuple[str, str, str]]:
            with use_executor(workers):
                return [await submit(outer), await submit(outer_async)]

        found = work().execute().return_value
    assert found == [
        ("flow/outer", "flow/inner", "flow/outer"),
        ("flow/outer_async", "flow/inner", "flow/outer_async"),
    ]
    assert tracer.entered == ["flow"]


class Unreceived(Tracer):
    """A tracer that gives a worker something that is no sink."""

    @classmethod
    def received(cls, carried: Mapping[str, str]) -> Any:
        return carried


def test_a_sink_that_is_none_in_the_worker_hurts_no_task() -> None:
    """What `received` answers with is left out where it is no sink."""
    sink_factories.append(lambda start: Unreceived())
    try:
        with ProcessExecutor(1) as workers, use_executor(workers):
            assert flow(lambda: submit(inner).result())().execute().return_value == "outside"
    finally:
        sink_factories.pop()
