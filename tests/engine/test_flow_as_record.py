"""A flow that is validated as a record is its `flow_run`: by Pydantic, and as the answer of a FastAPI handler."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.exceptions import ResponseValidationError
from pydantic import BaseModel, TypeAdapter, ValidationError

from flowscope import DefinitionError, Flow, FlowConfig, FlowRun, RunStatus, flow, task

QUIET = FlowConfig(raise_flow_error=False)


@task
def double(x: int) -> int:
    print("doubling")
    return 2 * x


@flow
def doubled(x: int) -> int:
    return double(x)


@flow
async def doubled_later(x: int) -> int:
    await asyncio.sleep(0)
    return double(x)


@flow(flow_config=QUIET)
def failing() -> int:
    raise ValueError("boom")


class Doubling(Flow[int]):
    """A flow as a class."""

    x: int

    def run(self) -> int:
        """Double the input."""
        return double(self.x)


EXECUTED: dict[str, Callable[[], Flow[int]]] = {
    "sync": lambda: doubled(1).execute(),
    "async": lambda: doubled_later(1).execute(),
    "failed": lambda: failing().execute(),
    "class": lambda: Doubling(x=1).execute(),
}


@pytest.mark.parametrize("execute", EXECUTED.values(), ids=EXECUTED)
def test_a_flow_is_validated_as_its_record(execute: Callable[[], Flow[int]]) -> None:
    """The record is whole: with status, tasks, logs, times, and the value or error; inside of other types too."""
    made = execute()
    wanted = made.flow_run
    assert FlowRun.model_validate(made) == wanted
    found = FlowRun[int].model_validate(made)
    assert isinstance(found, FlowRun)
    assert found.model_dump_json() == wanted.model_dump_json()
    assert found == FlowRun[int].model_validate(wanted)
    for from_attributes in (False, True):
        listed = TypeAdapter(list[FlowRun[int]]).validate_python([made], from_attributes=from_attributes)
        assert [record.model_dump_json() for record in listed] == [wanted.model_dump_json()]
    assert FlowRun[int].model_validate_json(wanted.model_dump_json()) == found


def test_a_model_may_hold_a_record_that_is_given_as_a_flow() -> None:
    """A field annotated as a record takes the flow."""

    class Report(BaseModel):
        title: str
        run: FlowRun[int]

    made = doubled(2).execute()
    assert Report(title="r", run=made).run.return_value == 4  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] # validated


def test_a_running_flow_is_validated_as_its_record_so_far() -> None:
    """While it runs, and in a block before anything has happened, the record says `running`."""
    with Flow[Any]() as made:
        assert FlowRun.model_validate(made).status is RunStatus.RUNNING
        double(1)
        found = FlowRun.model_validate(made)
    assert (found.status, len(found.tasks)) == (RunStatus.RUNNING, 1)


@pytest.mark.parametrize("made", [doubled(1), Doubling(x=1), Flow[Any]()], ids=["function", "class", "bare"])
def test_a_pending_flow_is_refused(made: Flow[Any]) -> None:
    """There is no run to tell of: the error says what to do."""
    with pytest.raises(ValidationError, match=r"has not been executed: `await` it, or call `\.execute\(\)`"):
        FlowRun[int].model_validate(made)


@pytest.mark.parametrize("value", [5, "x", None, object()])
def test_what_is_no_record_stays_none(value: object) -> None:
    """Other values are refused as ever."""
    with pytest.raises(ValidationError):
        FlowRun.model_validate(value)


async def get(app: FastAPI, path: str) -> httpx.Response:
    """The answer of an app."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
        return await client.get(path)


async def test_a_fastapi_handler_may_return_the_flow() -> None:
    """The answer is the record of the executed flow, from async and sync handlers, alone, in a list, or optional."""
    app = FastAPI()
    made: list[Flow[int]] = []

    @app.get("/async", response_model=FlowRun[int])
    async def answer() -> Flow[int]:
        made.append(await doubled_later(1))
        return made[-1]

    @app.get("/sync", response_model=FlowRun[int])
    def answer_sync() -> Flow[int]:
        made.append(doubled(2).execute())
        return made[-1]

    @app.get("/annotated")
    async def answer_annotated() -> FlowRun[int]:
        made.append(await doubled(3))
        found: Any = made[-1]
        return found  # type: ignore[no-any-return] # FastAPI makes a record of it

    @app.get("/failed", response_model=FlowRun[int] | None)
    async def answer_failed() -> Flow[int]:
        made.append(await failing())
        return made[-1]

    for path in ("/async", "/sync", "/annotated", "/failed"):
        answered = await get(app, path)
        assert answered.json() == made[-1].flow_run.model_dump(mode="json")

    @app.get("/all", response_model=list[FlowRun[int]])
    async def answer_all() -> list[Flow[int]]:
        return made

    answered = await get(app, "/all")
    assert answered.json() == [each.flow_run.model_dump(mode="json") for each in made]
    schema = (await get(app, "/openapi.json")).json()
    reference = {"$ref": "#/components/schemas/FlowRun_int_"}
    for path in ("/async", "/annotated"):
        found = schema["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        assert found == reference


async def test_a_fastapi_handler_that_returns_a_pending_flow_fails_with_the_next_step() -> None:
    """A handler that forgets to execute the flow gets an error of FastAPI that says so."""
    app = FastAPI()

    @app.get("/", response_model=FlowRun[int])
    async def forgets() -> Flow[int]:
        return doubled(1)

    with pytest.raises(ResponseValidationError, match="has not been executed"):
        await get(app, "/")


@pytest.mark.parametrize("model", [Flow, Flow[int], Doubling, list[Flow[int]], Flow[int] | None], ids=str)
def test_a_flow_is_no_response_model(model: Any) -> None:
    """The route cannot be made: the error says what to annotate."""
    app = FastAPI()

    def answer() -> Any: ...

    with pytest.raises(DefinitionError, match=r"Annotate the handler with FlowRun\[\.\.\.\]"):
        app.get("/", response_model=model)(answer)
    with pytest.raises(DefinitionError, match=r"FlowRun\[\.\.\.\]"):
        app.get("/", response_model=None, responses={404: {"model": model}})(answer)


async def test_a_class_of_flows_may_be_the_body_of_a_request() -> None:
    """Its fields are read and checked as any model's."""
    app = FastAPI()

    @app.post("/", response_model=FlowRun[int])
    async def run(body: Doubling) -> Flow[int]:
        return body.execute()

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
        answered = await client.post("/", json={"x": 4})
        refused = await client.post("/", json={"x": "four"})
    assert (answered.json()["return_value"], answered.json()["params"]) == (8, {"x": 4})
    assert refused.status_code == 422


def test_a_flow_may_be_a_field_and_a_parameter() -> None:
    """Elsewhere than in a response a flow is validated as the very object it is."""

    class Holder(BaseModel):
        run: Flow

    @flow
    def look(run: Flow) -> Flow:
        return run

    made = doubled(1)
    assert Holder(run=made).run is made
    assert TypeAdapter(Flow).validate_python(made) is made
    assert look(made).execute().return_value is made
