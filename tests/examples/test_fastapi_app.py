"""The FastAPI example on a real server: each answer holds its own run and nothing else, however many there are at once."""

import asyncio
import importlib
import socket
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import uvicorn

from flowscope import FlowRun, LogEntry, RunStatus, TaskRun

EXAMPLES: Final = Path(__file__).parents[2] / "docs" / "examples"
ITEMS: Final = ("pen", "ink", "paper")
PRICES: Final = {"pen": 120, "ink": 950, "paper": 480}


def load_app() -> Any:
    """The application of the example."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(EXAMPLES), *sys.path])
        return importlib.import_module("fastapi_app").app


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a server on loopback; connections wait in the socket until it is ready."""
    config = uvicorn.Config(load_app(), log_level="error", lifespan="off", ws="none", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)
    assert not thread.is_alive()


@pytest.fixture
async def client(address: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a limit of connections."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=address, limits=limits, timeout=30) as found:
        yield found


def printed(record: FlowRun[Any]) -> list[str]:
    """The lines that a run printed."""
    return [entry.message for entry in record.logs if entry.source == "stdout"]


def basket_of(number: int) -> dict[str, Any]:
    """A basket that no other customer has."""
    items = {item: number * 10 + place for place, item in enumerate(ITEMS[: 1 + number % 3], start=1)}
    return {"customer": f"customer {number}", "items": items}


async def test_two_hundred_requests_at_once_never_mix(client: httpx.AsyncClient) -> None:
    """Every answer holds exactly the value, params, logs, prints and tasks of its own request, and fresh ids."""
    baskets = [basket_of(number) for number in range(1, 201)]
    answers = await asyncio.gather(*(client.post("/quotes", json=basket) for basket in baskets))
    records: list[FlowRun[int]] = []
    for basket, answer in zip(baskets, answers, strict=True):
        assert answer.status_code == 200
        record = FlowRun[int].model_validate_json(answer.content)
        records.append(record)
        items: dict[str, int] = basket["items"]
        assert record.status is RunStatus.COMPLETED
        assert record.params == {"basket": basket}
        assert record.return_value == sum(PRICES[item] * count for item, count in items.items())
        assert printed(record) == [f"{count} x {item}" for item, count in items.items()]
        logged = [entry.message for entry in record.logs if entry.source == "log" and entry.level == "INFO"]
        assert logged == [f"a quote for {basket['customer']}"]
        assert [(call.task_name, call.input_args) for call in record.tasks] == [
            ("price", [item, count]) for item, count in items.items()
        ]
        told = {entry.task_id for entry in record.logs if entry.source == "stdout"}
        assert told == {call.task_id for call in record.tasks}
        assert record.model_dump(mode="json") == answer.json()
    assert len({record.flow_id for record in records}) == 200
    assert len({call.task_id for record in records for call in record.tasks}) == sum(len(b["items"]) for b in baskets)


async def test_failures_and_successes_at_once(client: httpx.AsyncClient) -> None:
    """Among many orders at once each gets the status code and the error of its own run."""
    kinds = [({"pen": 1}, 201), ({"unicorn": 1}, 404), ({"paper": 1}, 409), ({"pen": 2, "ink": 3}, 409)]
    wanted = [kinds[number % 4] for number in range(100)]
    answers = await asyncio.gather(
        *(client.post("/orders", json={"customer": str(n), "items": items}) for n, (items, _) in enumerate(wanted))
    )
    assert [answer.status_code for answer in answers] == [code for _, code in wanted]
    errors = {201: None, 404: "UnknownItemError", 409: "OutOfStockError"}
    for number, answer in enumerate(answers):
        record = FlowRun[int].model_validate_json(answer.content)
        assert record.params["basket"]["customer"] == str(number)
        assert (None if record.error is None else record.error.type) == errors[answer.status_code]
        assert record.status is (RunStatus.COMPLETED if answer.status_code == 201 else RunStatus.FAILED)


async def test_a_failed_order_tells_what_happened(client: httpx.AsyncClient) -> None:
    """The record of a failed run has the error with its traceback and the task that failed; there is no value."""
    answer = await client.post("/orders", json={"customer": "ada", "items": {"pen": 2, "ink": 3}})
    record = FlowRun[int].model_validate_json(answer.content)
    assert (answer.status_code, record.flow_name, record.return_value) == (409, "order", None)
    assert record.error is not None
    assert (record.error.type, record.error.message) == ("OutOfStockError", "ink")
    assert "in reserve" in record.error.traceback
    assert [(call.input_args, call.status) for call in record.tasks] == [
        (["pen", 2], RunStatus.COMPLETED),
        (["ink", 3], RunStatus.FAILED),
    ]
    assert [entry.level for entry in record.logs] == ["ERROR", "ERROR"]


async def test_the_value_alone(client: httpx.AsyncClient) -> None:
    """A handler may answer with the value; what its flow raises reaches FastAPI as the very exception."""
    assert (await client.get("/prices/ink", params={"count": 2})).json() == 1900
    unknown = await client.get("/prices/unicorn")
    assert (unknown.status_code, unknown.json()) == (404, {"detail": "no such item: unicorn"})
    assert (await client.get("/prices/ink", params={"count": 0})).status_code == 422


async def test_the_schema_of_the_run_is_whole(client: httpx.AsyncClient) -> None:
    """OpenAPI describes the run as the answer of each handler that gives one, with every record inside it."""
    schema = (await client.get("/openapi.json")).json()
    found = schema["components"]["schemas"]
    reference = {"$ref": "#/components/schemas/FlowRun_int_"}
    assert schema["paths"]["/quotes"]["post"]["responses"]["200"]["content"]["application/json"]["schema"] == reference
    for code in ("201", "404", "409"):
        answer = schema["paths"]["/orders"]["post"]["responses"][code]
        assert answer["content"]["application/json"]["schema"] == reference
    assert set(found["FlowRun_int_"]["properties"]) == set(FlowRun.model_fields)
    assert set(found["TaskRun"]["properties"]) == set(TaskRun.model_fields)
    assert set(found["LogEntry"]["properties"]) == set(LogEntry.model_fields)
    assert {"Artifact", "Dropped", "ErrorInfo", "EventData", "FlowConfig", "FlowEvent", "Result", "RunStatus"} <= set(
        found
    )
    assert found["FlowRun_int_"]["properties"]["return_value"]["anyOf"] == [{"type": "integer"}, {"type": "null"}]
    assert found["RunStatus"]["enum"] == [status.value for status in RunStatus]


def test_nothing_of_the_flows_reaches_the_console(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    """What handlers print is in their records; the server's own output is not touched by it."""
    with httpx.Client(base_url=address) as client:
        assert client.get("/prices/pen").json() == 120
    captured = capfd.readouterr()
    assert "pen" not in captured.out + captured.err
