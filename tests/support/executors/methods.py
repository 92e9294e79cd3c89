"""Classes of every kind with tasks for methods, where worker processes can import them."""

import os
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field

from flowscope import INJECTED, Flow, Inject, current_flow, submit, task

__all__ = ["METHODS", "Calculation", "Counter", "Kiosk", "Ledger", "Point", "Shelf", "Shop", "Sums", "Tally"]

X = TypeVar("X")


class Counter:
    """A plain class."""

    start = 1

    def __init__(self, step: int) -> None:
        self.step = step

    @task
    def at(self, count: int, *, offset: int = 0) -> int:
        return self.start + self.step * count + offset

    @task
    async def at_async(self, count: int, *, offset: int = 0) -> int:
        return self.start + self.step * count + offset


class Tally(Counter):
    """A subclass that overrides a task."""

    start = 1000

    @task
    def at(self, count: int, *, offset: int = 0) -> int:
        return super().at(count, offset=offset)


@dataclass
class Point:
    """A dataclass."""

    step: int
    others: list[int] = field(default_factory=list[int])

    @task
    def at(self, count: int, *, offset: int = 0) -> int:
        return 1 + self.step * count + offset

    @task
    async def at_async(self, count: int, *, offset: int = 0) -> int:
        return 1 + self.step * count + offset


@dataclass(frozen=True, slots=True)
class Ledger:
    """A frozen dataclass with slots."""

    step: int

    @task
    def at(self, count: int, *, offset: int = 0) -> int:
        return 1 + self.step * count + offset

    @task
    async def at_async(self, count: int, *, offset: int = 0) -> int:
        return 1 + self.step * count + offset


class Sums(BaseModel):
    """A Pydantic model."""

    step: int

    @task
    def at(self, count: int, *, offset: int = 0) -> int:
        return 1 + self.step * count + offset

    @task
    async def at_async(self, count: int, *, offset: int = 0) -> int:
        return 1 + self.step * count + offset


class Shelf(Generic[X]):
    """A generic class."""

    def __init__(self, step: X) -> None:
        self.step = step

    @task
    def at(self, count: int, *, offset: int = 0) -> X:
        value: Any = self.step
        found: X = 1 + value * count + offset
        return found

    @task
    async def at_async(self, count: int, *, offset: int = 0) -> X:
        value: Any = self.step
        found: X = 1 + value * count + offset
        return found


class Shop:
    """A class with tasks that belong to the class."""

    name = "shop"

    @classmethod
    @task
    def label(cls, number: int) -> str:
        return f"{cls.name} {number}"

    @classmethod
    @task
    async def label_async(cls, number: int) -> str:
        return f"{cls.name} {number}"

    @classmethod
    @task(validate=True, task_name="labelling")
    def label_checked(cls, number: int = Field(default=0)) -> str:
        return f"{cls.name} {number}"

    @staticmethod
    @task
    def plain(number: int) -> str:
        return f"plain {number}"


class Kiosk(Shop):
    """A subclass that inherits them."""

    name = "kiosk"


METHODS = (Counter(2), Tally(2), Point(2), Ledger(2), Sums(step=2), Shelf(2))
"""An object of each."""


def open_pid() -> int:
    """A provider."""
    return os.getpid()


class Calculation(Flow[Any]):
    """A flow whose methods are its tasks."""

    step: int
    asks: str = "at"

    @task
    def at(self, count: int) -> int:
        self.log_info(f"at {count}")
        self.add_flow_result("count", value=count)
        return self.step * count

    @task
    async def at_async(self, count: int) -> int:
        self.log_info(f"at {count}")
        self.add_flow_result("count", value=count)
        return self.step * count

    @task
    def same(self) -> tuple[bool, str, Any]:
        return current_flow() is self, self.flow_id, self.flow_data["given"]

    @task
    def injected(self, this_flow: Flow[Any] = INJECTED, opened: int = Inject(open_pid)) -> tuple[bool, bool]:
        return this_flow is self, opened == os.getpid()

    def run(self) -> Any:
        self.flow_data["given"] = [1, 2]
        return submit(getattr(self, self.asks), *([3] if self.asks.startswith("at") else [])).result()
