"""Routes of FastAPI that answer a failed flow with its record."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from typing import Annotated, Any

import httpx
import pytest
import uvicorn
from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from flowscope import Flow, FlowConfig, FlowRun, current_flow, flow, task
from flowscope.integrations.fastapi import FlowRoute, flow_error_handler

SECRET = "swordfish-in-the-sea"


@task
def divide(number: int) -> float:
    """Fail for zero."""
    return 1 / number


@flow
def invert(number: int, password: str = SECRET) -> float:
    """A sync flow."""
    print("inverting", number)
    return divide(number)


@flow
async def invert_async(number: int) -> float:
    """An async one."""
    await asyncio.sleep(0)
    return divide(number)


@flow
async def outer(number: int) -> float:
    """One with another inside."""
    return (await invert_async(number)).return_value


@flow
def find(name: str) -> str:
    """Answer with 404 from inside."""
    raise HTTPException(404, f"no {name}")


class Client:
    """Requests to an app in this process; it raises what the app raises, unless told otherwise."""

    def __init__(self, app: FastAPI, *, raises: bool = True) -> None:
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=raises)

    def get(self, path: str) -> httpx.Response:
        """Get a path."""
        return self._request("GET", path)

    def post(self, path: str, json: object) -> httpx.Response:
        """Post JSON."""
        return self._request("POST", path, json)

    def _request(self, method: str, path: str, json: object = None) -> httpx.Response:
        async def request() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://test") as client:
                return await client.request(method, path, json=json)

        return asyncio.run(request())


def client_of(router: APIRouter) -> Client:
    """A client of an app with these routes."""
    app = FastAPI()
    app.include_router(router)
    return Client(app)


@pytest.fixture
def router() -> APIRouter:
    """Routes that answer with records."""
    return APIRouter(route_class=FlowRoute)


@pytest.mark.parametrize("number", [0, 4])
def test_a_failed_flow_is_answered_with_its_record(router: APIRouter, number: int) -> None:
    """Sync and async handlers; a flow that completes is answered as ever."""

    @router.get("/sync/{number}")
    def get_sync(number: int) -> FlowRun[float]:
        return invert(number).execute().flow_run

    @router.get("/async/{number}")
    async def get_async(number: int) -> FlowRun[float]:
        return (await outer(number)).flow_run

    client = client_of(router)
    for path, name in (("sync", "invert"), ("async", "outer")):
        answer = client.get(f"/{path}/{number}")
        record = FlowRun[float].model_validate_json(answer.content)
        assert answer.headers["content-type"] == "application/json"
        assert record.flow_name == name
        if number:
            assert (answer.status_code, record.status, record.return_value) == (200, "completed", 0.25)
        else:
            assert (answer.status_code, record.status) == (500, "failed")
            assert record.error is not None
            assert record.error.type == "ZeroDivisionError"
        assert SECRET not in answer.text


def test_a_handler_that_returns_the_flow_answers_with_its_record(router: APIRouter) -> None:
    """The executed flow is validated as its record."""

    @router.get("/{number}")
    async def get(number: int) -> FlowRun[float]:
        return await invert_async(number)  # type: ignore[return-value] # Pydantic takes the flow as its record

    record = FlowRun[float].model_validate_json(client_of(router).get("/4").content)
    assert (record.flow_name, record.return_value, len(record.tasks)) == ("invert_async", 0.25, 1)


def test_the_error_of_a_flow_is_found_behind_a_cause_and_in_a_group(router: APIRouter) -> None:
    """As handlers wrap errors, and as task groups raise them."""

    @router.get("/cause")
    def get_cause() -> None:
        try:
            invert(0).execute()
        except ZeroDivisionError as error:
            raise RuntimeError("wrapped") from error

    @router.get("/group")
    async def get_group() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(_run())

    async def _run() -> None:
        await invert_async(0)

    client = client_of(router)
    assert client.get("/cause").json()["flow_name"] == "invert"
    assert client.get("/group").json()["flow_name"] == "invert_async"


def test_http_exceptions_and_errors_of_no_flow_are_left_alone(router: APIRouter) -> None:
    """Also an `HTTPException` that a flow raises, a bad request, and an error for which the app has a handler."""

    @router.get("/found/{name}")
    def get_found(name: str) -> str:
        return find(name).execute().return_value

    @router.get("/number/{number}")
    def get_number(number: int) -> FlowRun[float]:
        return invert(number).execute().flow_run

    @router.get("/other")
    def get_other() -> None:
        raise LookupError("no flow")

    client = client_of(router)
    missing = client.get("/found/ink")
    assert (missing.status_code, missing.json()) == (404, {"detail": "no ink"})
    assert client.get("/number/many").json()["detail"][0]["loc"] == ["path", "number"]
    with pytest.raises(LookupError):
        client.get("/other")

    app = FastAPI()
    app.include_router(router)
    app.add_exception_handler(ZeroDivisionError, lambda _request, _error: _teapot())
    assert Client(app).get("/number/0").status_code == 418


def _teapot() -> StreamingResponse:
    return StreamingResponse(iter([b"teapot"]), status_code=418)


class Basket(BaseModel):
    """A body."""

    count: Any = None


def test_a_bad_parameter_is_a_422_without_its_value(router: APIRouter) -> None:
    """A flow that has not started has no record; one whose function met the error has."""

    @flow
    def relay(count: Any) -> float:
        return invert(count).execute().return_value

    @router.post("/direct")
    def post_direct(basket: Basket) -> FlowRun[float]:
        return invert(basket.count).execute().flow_run

    @router.post("/nested")
    def post_nested(basket: Basket) -> FlowRun[float]:
        return relay(basket.count).execute().flow_run

    client = client_of(router)
    direct = client.post("/direct", json={"count": SECRET})
    assert direct.status_code == 422
    assert direct.json()["detail"][0]["loc"] == ["invert", "number"]
    assert "integer" in direct.json()["detail"][0]["msg"]
    assert SECRET not in direct.text
    nested = client.post("/nested", json={"count": "many"})
    assert (nested.status_code, nested.json()["flow_name"]) == (422, "relay")


def test_dependencies_with_yield_see_the_exception(router: APIRouter) -> None:
    """A session rolls back, though the client gets a record."""
    seen: list[object] = []

    def session() -> Iterator[str]:
        try:
            yield "session"
        except ZeroDivisionError as error:
            seen.append(error)
            raise
        else:
            seen.append("commit")

    @router.get("/{number}")
    def get(number: int, _session: Annotated[str, Depends(session)]) -> FlowRun[float]:
        return invert(number).execute().flow_run

    client = client_of(router)
    assert client.get("/4").status_code == 200
    assert seen == ["commit"]
    assert client.get("/0").status_code == 500
    assert isinstance(seen[1], ZeroDivisionError)


def test_the_fields_that_a_route_leaves_out_are_left_out_of_failed_records_too(router: APIRouter) -> None:
    """Tracebacks and configs need not leave the server."""

    @router.get("/{number}", response_model_exclude={"config": True, "error": {"traceback"}, "tasks": True})
    def get(number: int) -> FlowRun[float]:
        return invert(number).execute().flow_run

    record = client_of(router).get("/0").json()
    assert record.keys().isdisjoint({"config", "tasks"})
    assert "traceback" not in record["error"]
    assert record["error"]["message"] == "division by zero"


def test_a_response_that_has_started_is_not_answered_twice(router: APIRouter) -> None:
    """An error amid a stream ends the stream."""

    @router.get("/")
    def get() -> StreamingResponse:
        def parts() -> Iterator[bytes]:
            yield b"first"
            invert(0).execute()

        return StreamingResponse(parts())

    with pytest.raises(ZeroDivisionError):
        client_of(router).get("/")


def test_the_handler_answers_with_the_record() -> None:
    """For one class without a second life of the exception; for `Exception` Starlette raises it once more."""
    app = FastAPI()
    app.add_exception_handler(ZeroDivisionError, flow_error_handler)

    @app.get("/{number}")
    def get(number: int) -> FlowRun[float]:
        return invert(number).execute().flow_run

    assert Client(app).get("/0").json()["flow_name"] == "invert"

    app.add_exception_handler(Exception, flow_error_handler)

    @app.get("/other/flow")
    def get_other() -> None:
        raise LookupError("no flow")

    client = Client(app, raises=False)
    assert (client.get("/other/flow").status_code, client.get("/other/flow").text) == (500, "Internal Server Error")
    with pytest.raises(LookupError):
        Client(app).get("/other/flow")


def test_requests_at_the_same_time_get_their_own_records_and_nothing_is_logged(
    router: APIRouter, caplog: pytest.LogCaptureFixture
) -> None:
    """On a real server: each failed request has the record of its own flow, and the server logs no traceback."""

    @flow
    async def echo(number: int) -> None:
        print("number", number)
        await asyncio.sleep(0)
        raise ValueError(current_flow().flow_id)

    @router.get("/{number}")
    async def get(number: int) -> FlowRun[None]:
        return (await echo(number)).flow_run

    app = FastAPI()
    app.include_router(router)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
        port = server.servers[0].sockets[0].getsockname()[1]

        async def ask_all() -> list[httpx.Response]:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                return await asyncio.gather(*(client.get(f"/{number}") for number in range(50)))

        with caplog.at_level(logging.WARNING):
            answers = asyncio.run(ask_all())
    finally:
        server.should_exit = True
        thread.join()
    for number, answer in enumerate(answers):
        record = FlowRun[None].model_validate_json(answer.content)
        assert answer.status_code == 500
        assert record.error is not None
        assert record.error.message == record.flow_id
        assert [entry.message for entry in record.logs if entry.source == "stdout"] == [f"number {number}"]
    assert caplog.records == []


def test_a_flow_that_keeps_its_error_is_answered_as_the_handler_says(router: APIRouter) -> None:
    """A returned failed flow is the handler's own answer."""

    @flow(flow_config=FlowConfig(raise_flow_error=False))
    def tolerant() -> float:
        return divide(0)

    @router.get("/")
    def get() -> FlowRun[float]:
        executed: Flow[float] = tolerant().execute()
        return executed.flow_run

    answer = client_of(router).get("/")
    assert (answer.status_code, answer.json()["status"]) == (200, "failed")
