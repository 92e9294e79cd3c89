"""Flows as classes: typed inputs as fields, the work as `run()`, tasks as methods."""

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from flowscope import INJECTED, Flow, task


def test_a_flow_class_has_typed_inputs() -> None:
    """The fields of a subclass are its inputs, `run()` is what it does, and it sets itself up."""

    class Ingest(Flow[int]):
        path: str
        batch: int = 100

        def run(self) -> int:
            self.log_info(f"reading {self.path}")
            return self.batch * 2

    ingest = Ingest(path="data.csv").execute()
    assert ingest.return_value == 200
    assert ingest.flow_name == "Ingest"
    assert ingest.flow_run.params == {"path": "data.csv", "batch": 100}


def test_inputs_are_checked_on_construction_and_assignment() -> None:
    """The fields are Pydantic's, and so is the error for a value that does not fit."""

    class Ingest(Flow[int]):
        batch: int = 100

        def run(self) -> int:
            return self.batch

    ingest = Ingest(batch=5)
    with pytest.raises(ValidationError, match="valid integer"):
        ingest.batch = "many"  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue] # the mistake under test
    assert ingest.execute().return_value == 5


def test_methods_are_tasks() -> None:
    """A method decorated with `@task` is called on `self` as ever; `self` is not among its recorded inputs."""

    class Report(Flow[str]):
        title: str

        @task
        def heading(self, mark: str) -> str:
            return f"{mark} {self.title}"

        def run(self) -> str:
            return self.heading("#")

    report = Report(title="Sales").execute()
    assert report.return_value == "# Sales"
    (call,) = report.flow_run.tasks
    assert (call.task_name, call.input_args) == ("heading", ["#"])


def test_run_may_be_async() -> None:
    """A class whose `run()` is async is executed or awaited like any async flow."""

    class Fetch(Flow[int]):
        url: str

        @task
        async def download(self) -> str:
            return f"<html>{self.url}</html>"

        async def run(self) -> int:
            return len(await self.download())

    assert Fetch(url="http://a").execute().return_value == 21


def test_a_class_offers_dependencies_to_its_tasks() -> None:
    """What `task_dependencies()` returns, once at the start of each run, is injectable by name."""

    @task
    def price(amount: int, rate: float = INJECTED) -> float:
        return amount * rate

    class Invoice(Flow[float]):
        amount: int

        def task_dependencies(self) -> Mapping[str, Any]:
            return {"rate": 0.5}

        def run(self) -> float:
            return price(self.amount)

    assert Invoice(amount=100).execute().return_value == 50.0


def test_a_block_is_a_run() -> None:
    """Inside `with flow:` tasks belong to the flow; the run ends with the block."""

    @task
    def double(number: int) -> int:
        return number * 2

    with Flow(flow_name="by-hand") as session:
        assert session.status == "running"
        assert double(2) == 4
    assert session.status == "completed"
    assert [call.task_name for call in session.executed_tasks] == ["double"]


def test_a_block_that_raises_is_a_failed_run() -> None:
    """An exception of the block goes on to the caller, and the record has it."""
    session = Flow(flow_name="by-hand")
    with pytest.raises(ZeroDivisionError), session:
        _ = 1 // 0
    assert session.status == "failed"
    assert isinstance(session.flow_error, ZeroDivisionError)
