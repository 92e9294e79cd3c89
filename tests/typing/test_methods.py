"""Decorated methods of plain classes, dataclasses and Pydantic models: `self` is bound and the types are kept."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

from pydantic import BaseModel
from typing_extensions import Self, assert_type, override

from flowscope import Flow, flow, task

T = TypeVar("T")


class Plain:
    """A class like any other."""

    def __init__(self, factor: int) -> None:
        self.factor = factor

    @task
    def scale(self, x: int) -> int:
        return x * self.factor

    @task()
    async def scale_async(self, x: int) -> int:
        return x * self.factor

    @task(raise_on_error=False)
    def try_scale(self, x: int) -> int:
        return x * self.factor

    @task(raise_on_error=False)
    async def try_scale_async(self, x: int) -> int:
        return x * self.factor

    @flow
    def run(self, x: int) -> int:
        return self.scale(x)

    @flow()
    async def run_async(self, x: int) -> int:
        return await self.scale_async(x)


@dataclass
class Data:
    """A dataclass."""

    factor: int

    @task
    def scale(self, x: int) -> int:
        return x * self.factor

    @task()
    async def scale_async(self, x: int) -> int:
        return x * self.factor

    @task(raise_on_error=False)
    def try_scale(self, x: int) -> int:
        return x * self.factor

    @task(raise_on_error=False)
    async def try_scale_async(self, x: int) -> int:
        return x * self.factor

    @flow
    def run(self, x: int) -> int:
        return self.scale(x)

    @flow()
    async def run_async(self, x: int) -> int:
        return await self.scale_async(x)


class Model(BaseModel):
    """A Pydantic model."""

    factor: int

    @task
    def scale(self, x: int) -> int:
        return x * self.factor

    @task()
    async def scale_async(self, x: int) -> int:
        return x * self.factor

    @task(raise_on_error=False)
    def try_scale(self, x: int) -> int:
        return x * self.factor

    @task(raise_on_error=False)
    async def try_scale_async(self, x: int) -> int:
        return x * self.factor

    @flow
    def run(self, x: int) -> int:
        return self.scale(x)

    @flow()
    async def run_async(self, x: int) -> int:
        return await self.scale_async(x)


async def test_methods_of_a_plain_class_are_typed() -> None:
    """On an instance, tasks and flows take what follows `self`."""
    owner = Plain(2)
    with Flow():
        assert assert_type(owner.scale(1), int) == 2
        assert assert_type(owner.scale(x=1), int) == 2
        assert assert_type(await owner.scale_async(1), int) == 2
        assert assert_type(owner.try_scale(1), int | None) == 2
        assert assert_type(await owner.try_scale_async(1), int | None) == 2
    assert assert_type(owner.run(1), Flow[int]).execute().return_value == 2
    assert assert_type(await owner.run_async(x=1), Flow[int]).return_value == 2


async def test_methods_of_a_dataclass_are_typed() -> None:
    """A decorated method is no field: the constructor takes the fields alone."""
    owner = Data(2)
    with Flow():
        assert assert_type(owner.scale(1), int) == 2
        assert assert_type(await owner.scale_async(1), int) == 2
        assert assert_type(owner.try_scale(1), int | None) == 2
        assert assert_type(await owner.try_scale_async(1), int | None) == 2
    assert assert_type(owner.run(1), Flow[int]).execute().return_value == 2
    assert assert_type(await owner.run_async(x=1), Flow[int]).return_value == 2


async def test_methods_of_a_pydantic_model_are_typed() -> None:
    """A decorated method is no field: the constructor takes the fields alone."""
    owner = Model(factor=2)
    with Flow():
        assert assert_type(owner.scale(1), int) == 2
        assert assert_type(await owner.scale_async(1), int) == 2
        assert assert_type(owner.try_scale(1), int | None) == 2
        assert assert_type(await owner.try_scale_async(1), int | None) == 2
    assert assert_type(owner.run(1), Flow[int]).execute().return_value == 2
    assert assert_type(await owner.run_async(x=1), Flow[int]).return_value == 2


def test_on_the_class_a_method_takes_self() -> None:
    """`Class.method(instance, …)` is typed as well."""
    with Flow():
        assert assert_type(Plain.scale(Plain(2), 1), int) == 2
        assert assert_type(Data.scale(Data(2), 1), int) == 2
        assert assert_type(Model.scale(Model(factor=2), 1), int) == 2
    assert assert_type(Plain.run(Plain(2), 1), Flow[int]).execute().return_value == 2
    assert assert_type(Model.run(Model(factor=2), 1), Flow[int]).execute().return_value == 2


class Shapes:
    """Methods of every other shape."""

    sides: int = 4

    @staticmethod
    @task
    def static_task(x: int) -> str:
        return str(x)

    @staticmethod
    @task(raise_on_error=False)
    async def tolerant_static_task(x: int) -> str:
        return str(x)

    @classmethod
    @task
    def class_task(cls, x: int) -> str:
        return str(x * cls.sides)

    @classmethod
    @task(raise_on_error=False)
    def tolerant_class_task(cls, x: int) -> str:
        return str(x * cls.sides)

    @staticmethod
    @flow
    def static_flow(x: int) -> str:
        return str(x)

    @classmethod
    @flow(flow_name="sided")
    async def class_flow(cls, x: int) -> str:
        return str(x * cls.sides)

    @property
    @task
    def area(self) -> int:
        return self.sides**2

    @task
    def itself(self) -> Self:
        return self

    @task
    def pair(self, item: T) -> tuple[T, int]:
        return item, self.sides


class Triangles(Shapes):
    """A subclass that overrides a task with a task."""

    sides: int = 3

    @classmethod
    @override
    @task(task_name="triangular")
    def class_task(cls, x: int) -> str:
        return super().class_task(x) + "!"


async def test_static_and_class_methods_are_typed() -> None:
    """`@staticmethod` and `@classmethod` go above; on the class and on an instance they take the same arguments."""
    with Flow():
        assert assert_type(Shapes.static_task(1), str) == assert_type(Shapes().static_task(1), str) == "1"
        assert assert_type(await Shapes.tolerant_static_task(1), str | None) == "1"
        assert assert_type(Shapes.class_task(1), str) == assert_type(Shapes().class_task(1), str) == "4"
        assert assert_type(Shapes.tolerant_class_task(1), str | None) == "4"
    assert assert_type(Shapes.static_flow(1), Flow[str]).execute().return_value == "1"
    assert assert_type(await Shapes.class_flow(1), Flow[str]).return_value == "4"
    assert assert_type(await Triangles().class_flow(1), Flow[str]).return_value == "3"


def test_properties_and_generic_methods_are_typed() -> None:
    """A task may be a property, return `Self` and be generic."""
    with Flow():
        assert assert_type(Shapes().area, int) == 16
        assert assert_type(Triangles().itself(), Triangles).sides == 3
        assert assert_type(Shapes().pair("a"), tuple[str, int]) == ("a", 4)


def test_a_task_overrides_a_task() -> None:
    """A subclass may override a decorated method, and call the one it overrides."""
    with Flow() as run:
        assert assert_type(Triangles.class_task(2), str) == "6!"
    assert [call.task_name for call in run.executed_tasks] == ["triangular", "class_task"]


class Scaler(Protocol):
    """What all three classes are."""

    def scale(self, x: int) -> int: ...

    def run(self, x: int) -> Flow[int]: ...


def test_decorated_methods_satisfy_protocols() -> None:
    """A class with a decorated method has the method that a protocol asks for."""
    scalers: list[Scaler] = [Plain(1), Data(2), Model(factor=3)]
    assert [scaler.run(1).execute().return_value for scaler in scalers] == [1, 2, 3]
    with Flow():
        assert [scaler.scale(1) for scaler in scalers] == [1, 2, 3]
