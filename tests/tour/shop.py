"""Routines of a shop, in a module, so that a graph of them can be written down and made again."""

from typing import Any

from flowscope.graph import Routine, RoutineGraph, event, slot


class Order(Routine):
    ordered = event("item")

    @slot
    def trigger(self, items: list[str]) -> None:
        for item in items:
            self.emit("ordered", item=item)


class Price(Routine):
    prices: dict[str, int]
    priced = event("item", "price")

    @slot(name="input")
    def look_up(self, item: str) -> None:
        price = self.prices[item]
        print(item, price)
        self.emit("priced", item=item, price=price)


def add_up(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {"items": old.get("items", 0) + 1, "total": old.get("total", 0) + new["price"]}


class Bill(Routine):
    @slot(name="input", merge_strategy=add_up)
    def write(self, items: int, total: int) -> None:
        self.job.update_shared_data("bill", {"items": items, "sum": total})


def build(price: Price | None = None) -> RoutineGraph:
    graph = RoutineGraph("shop")
    graph.add_routine(Order(), "order")
    graph.add_routine(price or Price(prices={"tea": 3, "cake": 4}), "price")
    graph.add_routine(Bill(), "bill")
    graph.connect("order", "ordered", "price", "input")
    graph.connect("price", "priced", "bill", "input")
    return graph
