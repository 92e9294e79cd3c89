"""A sales report from five flows that depend on each other, one of them optional.

    python docs/examples/reporting.py
    python docs/examples/reporting.py --rates-up

    orders ---> clean ---> totals ---> report
                            :           :
    rates ..................:...........:

The orders are read in a thread, the totals made in a worker process. Exchange rates come from a service that is down,
unless told otherwise. That flow fails, and the report is made without it, in the currencies of the orders.
"""

import asyncio
import csv
import io
import sys
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from flowscope import INJECTED, current_flow, flow, task
from flowscope.coordination import DependencyType, FlowCoordinator, FlowType

ORDERS = """\
customer,amount,currency
Ada,120.00,EUR
Grace,80.00,USD
Alan,not a number,EUR
Ada,30.00,USD
"""

RATES = {"EUR": 1.0, "USD": 0.5}


class Order(NamedTuple):
    """What somebody has paid."""

    customer: str
    amount: float
    currency: str


@flow(flow_id="orders")
def orders(text: str) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    return list(csv.DictReader(io.StringIO(text)))


@task(raise_on_error=False)
def parse(row: dict[str, str]) -> Order:
    """One order; a row that is none is recorded as a failed task, and left out."""
    return Order(row["customer"], float(row["amount"]), row["currency"])


@flow(flow_id="clean")
def clean(rows: list[dict[str, str]] = INJECTED) -> list[Order]:
    """The rows that are orders."""
    return [order for row in rows if (order := parse(row)) is not None]


@flow(flow_id="rates")
async def rates(*, up: bool) -> dict[str, float]:
    """Ask a service for exchange rates."""
    await asyncio.sleep(0)
    if not up:
        raise ConnectionError("the exchange rate service is down")
    return RATES


@flow(flow_id="totals")
def totals(paid: list[Order] = INJECTED, known: Mapping[str, float] | None = None) -> dict[str, float]:
    """What each customer has paid: in euros where rates are known, else by currency."""
    sums: defaultdict[str, float] = defaultdict(float)
    for order in paid:
        if known is None:
            sums[f"{order.customer} ({order.currency})"] += order.amount
        else:
            sums[f"{order.customer} (EUR)"] += order.amount * known[order.currency]
    return dict(sums)


@flow(flow_id="report")
def report(upstream: Mapping[str, dict[str, float]] = INJECTED) -> list[str]:
    """The lines of the report; `upstream` holds what has been made, by flow id."""
    if "rates" not in upstream:
        current_flow().log_warning("no exchange rates")
    return [f"{who:12} {amount:8.2f}" for who, amount in sorted(upstream["totals"].items())]


async def main(*, rates_up: bool) -> None:
    """Wire the flows, run them, and show what came of it."""
    async with FlowCoordinator(max_concurrency=4) as coordinator:
        coordinator.register_flow(orders(ORDERS), flow_type=FlowType.THREAD)
        coordinator.register_flow(clean())
        coordinator.register_flow(rates(up=rates_up), timeout=5, retries=1)
        coordinator.register_flow(totals(), flow_type=FlowType.PROCESS)
        coordinator.register_flow(report())
        coordinator.register_dependency("orders", "clean", param="rows")
        coordinator.register_dependency("clean", "totals", param="paid")
        coordinator.register_dependency("rates", "totals", DependencyType.OPTIONAL, param="known")
        coordinator.register_dependency("totals", "report")
        coordinator.register_dependency("rates", "report", DependencyType.OPTIONAL)
        records = await coordinator.execute_all()
        print("\n".join(records["report"].return_value or []))
        print()
        for name, record in records.items():
            reason = "" if record.error is None else f": {record.error.message}"
            print(f"{name:8} {record.status}{reason}")
        summary = coordinator.summary()
        print(f"\n{summary.completed} of {summary.total} flows completed\n")
        print(coordinator.to_mermaid())


if __name__ == "__main__":
    asyncio.run(main(rates_up="--rates-up" in sys.argv[1:]))
