"""A small stationer's shop over HTTP, whose answers show how they came about.

    uvicorn fastapi_app:app --app-dir docs/examples

`POST /quotes` answers with the whole run: the sum, and every task, print and log line on the way. `POST /orders` does
so too, also for an order that fails, with a status code that fits. `GET /prices/{item}` answers with the price alone.
The schema of it all is at `/docs`.
"""

import asyncio
from typing import Annotated, Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from flowscope import INJECTED, Flow, FlowConfig, FlowRun, flow, task

PRICES: Final = {"pen": 120, "ink": 950, "paper": 480}
STOCK: Final = {"pen": 100, "ink": 2, "paper": 0}

Count = Annotated[int, Field(gt=0)]


class Basket(BaseModel):
    """What a customer wants: items and how many of each."""

    customer: str
    items: dict[str, Count]


class UnknownItemError(Exception):
    """The shop does not sell it."""


class OutOfStockError(Exception):
    """The shop does not have enough of it."""


STATUS_CODES: Final[dict[type, int]] = {UnknownItemError: 404, OutOfStockError: 409}


@task
async def price(item: str, count: int = 1) -> int:
    """What so many of an item cost, in cents."""
    print(f"{count} x {item}")
    await asyncio.sleep(0)  # a real shop asks its database here
    if item not in PRICES:
        raise UnknownItemError(item)
    return PRICES[item] * count


@task
def reserve(item: str, count: int) -> None:
    """Make sure that there is enough of an item."""
    if STOCK[item] < count:
        raise OutOfStockError(item)


@flow
async def quote(basket: Basket, this_flow: Flow[int] = INJECTED) -> int:
    """What the basket costs, in cents; the items are looked up at the same time."""
    this_flow.log_info(f"a quote for {basket.customer}")
    return sum(await asyncio.gather(*(price(item, count) for item, count in basket.items.items())))


@flow(flow_config=FlowConfig(raise_flow_error=False))
async def order(basket: Basket) -> int:
    """What the basket costs, in cents, if there is enough of everything; its error stays in the flow."""
    total = (await quote(basket)).return_value
    for item, count in basket.items.items():
        reserve(item, count)
    return total


app = FastAPI(title="Stationer")


@app.post("/quotes")
async def post_quote(basket: Basket) -> FlowRun[int]:
    """The run of the quote."""
    return (await quote(basket)).flow_run


@app.post("/orders", status_code=201, responses={code: {"model": FlowRun[int]} for code in STATUS_CODES.values()})
async def post_order(basket: Basket, response: Response) -> FlowRun[int]:
    """The run of the order, whether it succeeded or failed."""
    run = await order(basket)
    if not run.succeeded:
        response.status_code = STATUS_CODES.get(type(run.flow_error), 500)
    return run.flow_run


@app.get("/prices/{item}")
async def get_price(item: str, count: Count = 1) -> int:
    """The price alone."""
    return (await quote(Basket(customer="anonymous", items={item: count}))).return_value


@app.exception_handler(UnknownItemError)
async def unknown_item(_: Request, error: UnknownItemError) -> JSONResponse:
    """Flows raise the very exceptions of their tasks, so FastAPI handles them as any other."""
    return JSONResponse({"detail": f"no such item: {error}"}, status_code=404)
