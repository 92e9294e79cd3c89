"""What can be decorated, and what it looks like afterwards."""

import asyncio
import inspect
import pickle
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from flowscope import Flow, flow, task


@task
def shout(text: str, times: int = 1) -> str:
    """Say it louder."""
    return text.upper() * times


@task(task_name="renamed")
async def shout_later(text: str) -> str:
    """Say it louder, later."""
    return text.upper()


@flow
def shouting(text: str) -> str:
    """Say it in a flow."""
    return shout(text)


@flow(flow_name="named")
async def shouting_later(text: str) -> str:
    """Say it in an async flow."""
    return await shout_later(text)


@task
def letters(text: str) -> Iterator[str]:
    """One by one."""
    yield from text


@task
async def letters_later(text: str) -> AsyncIterator[str]:
    """One by one, later."""
    for letter in text:
        yield letter


class Greeter:
    """A plain class."""

    def __init__(self, greeting: str) -> None:
        self.greeting = greeting

    @task
    def greet(self, name: str) -> str:
        return f"{self.greeting} {name}"

    @task
    async def greet_later(self, name: str) -> str:
        await asyncio.sleep(0)
        return f"{self.greeting} {name}"

    @flow
    def greeting_flow(self, name: str) -> str:
        return self.greet(name)

    @flow
    async def greeting_flow_later(self, name: str) -> str:
        return await self.greet_later(name)

    @classmethod
    @task
    def polite(cls, name: str) -> str:
        return f"{cls.__name__}: dear {name}"

    @staticmethod
    @task
    def plain(name: str) -> str:
        return f"just {name}"

    @classmethod
    @flow
    def class_flow(cls, name: str) -> str:
        return cls.polite(name)

    @staticmethod
    @flow
    def static_flow(name: str) -> str:
        return Greeter.plain(name)


@dataclass(frozen=True)
class Point:
    """A dataclass."""

    x: int

    @task
    def moved(self, by: int) -> int:
        return self.x + by

    @flow
    def moving(self, by: int) -> int:
        return self.moved(by)


class Account(BaseModel):
    """A Pydantic model."""

    balance: int

    @task
    def after(self, payment: int) -> int:
        return self.balance + payment

    @flow
    def paying(self, payment: int) -> int:
        return self.after(payment)


class Adder:
    """A callable object."""

    def __init__(self, base: int) -> None:
        self.base = base

    def __call__(self, x: int) -> int:
        return self.base + x


class LaterAdder(Adder):
    """An async callable object."""

    async def __call__(self, x: int) -> int:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride] # as async
        await asyncio.sleep(0)
        return self.base + x


def in_flow(call: Callable[[], object]) -> Flow[Any]:
    """The finished flow that has called a task."""
    return Flow[Any]().setup(call).execute()


@pytest.mark.parametrize(
    ("decorated", "name"),
    [(shout, "shout"), (shout_later, "shout_later"), (shouting, "shouting"), (shouting_later, "shouting_later")],
)
def test_decorated_functions_keep_their_face(decorated: Callable[..., Any], name: str) -> None:
    """Names, docstring, module, annotations and signature are the function's own; `__wrapped__` is the function."""
    original: Any = inspect.unwrap(decorated)
    assert inspect.isfunction(decorated)
    assert decorated.__name__ == decorated.__qualname__ == name
    assert decorated.__doc__ == original.__doc__
    assert decorated.__module__ == __name__
    assert decorated.__annotations__ == original.__annotations__
    signature: inspect.Signature = vars(decorated)["__signature__"]
    assert signature == inspect.signature(original) == inspect.signature(decorated)
    assert vars(decorated)["__wrapped__"] is original
    assert original is not decorated


def test_the_undecorated_function_needs_no_flow() -> None:
    """`__wrapped__` is the plain function, for unit tests without a flow."""
    plain: Callable[..., str] = vars(shout)["__wrapped__"]
    assert plain("a", times=2) == "AA"


def test_decorated_tasks_are_of_the_kind_of_the_original() -> None:
    """`inspect` says of a task what it says of its function."""
    questions = (
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
        inspect.isfunction,
    )
    for decorated in (shout, shout_later, letters, letters_later, Greeter.greet_later):
        original = inspect.unwrap(decorated)
        assert [ask(decorated) for ask in questions] == [ask(original) for ask in questions]
    assert inspect.iscoroutinefunction(shout_later)
    assert inspect.isgeneratorfunction(letters)
    assert inspect.isasyncgenfunction(letters_later)


def test_attributes_of_the_function_are_kept() -> None:
    """What somebody hung on a function is found on the decorated one."""

    def marked() -> None: ...

    vars(marked)["mark"] = 7
    assert vars(task(marked))["mark"] == 7
    assert vars(flow(marked))["mark"] == 7


@pytest.mark.parametrize("decorated", [shout, shout_later, shouting, shouting_later, letters, letters_later])
def test_decorated_functions_pickle_by_reference(decorated: object) -> None:
    """A decorated module-level function pickles as a reference to itself."""
    assert pickle.loads(pickle.dumps(decorated)) is decorated


def test_bound_methods_of_picklable_objects_pickle() -> None:
    """A decorated method bound to an object that pickles comes back bound to a copy, and works."""
    bound = pickle.loads(pickle.dumps(Greeter("hi").greet))
    assert in_flow(lambda: bound("you")).return_value == "hi you"


async def test_methods_of_plain_classes_bind() -> None:
    """Tasks and flows bind as methods, sync or async, and records show neither `self` nor `cls`."""
    greeter = Greeter("hi")
    made = greeter.greeting_flow("you").execute()
    assert made.return_value == "hi you"
    assert made.flow_run.params == {"name": "you"}
    assert [t.input_args for t in made.flow_run.tasks] == [["you"]]
    later = await greeter.greeting_flow_later("you")
    assert later.return_value == "hi you"
    assert later.flow_name == "greeting_flow_later"
    assert [t.input_args for t in later.flow_run.tasks] == [["you"]]
    assert Greeter.greeting_flow(greeter, "me").execute().return_value == "hi me"


def test_class_and_static_methods_work_with_the_decorator_inside() -> None:
    """`@classmethod` and `@staticmethod` above the decorator give class methods and static functions."""
    made = Greeter.class_flow("you").execute()
    assert made.return_value == "Greeter: dear you"
    assert made.flow_run.params == {"name": "you"}
    assert [t.input_args for t in made.flow_run.tasks] == [["you"]]
    assert Greeter.static_flow("you").execute().return_value == "just you"
    assert Greeter("x").class_flow("me").execute().return_value == "Greeter: dear me"


def test_methods_of_dataclasses_bind() -> None:
    """Tasks and flows are methods of a frozen dataclass, and no fields of it."""
    made = Point(1).moving(2).execute()
    assert made.return_value == 3
    assert made.flow_run.params == {"by": 2}
    assert Point(1) == Point(x=1)


def test_methods_of_pydantic_models_bind() -> None:
    """Tasks and flows are methods of a Pydantic model, and no fields of it."""
    made = Account(balance=5).paying(2).execute()
    assert made.return_value == 7
    assert made.flow_run.params == {"payment": 2}
    assert Account(balance=5).model_dump() == {"balance": 5}


def test_bound_methods_can_be_set_up_and_decorated() -> None:
    """An undecorated bound method is a target like a function, named after the method, with all its arguments."""

    class Plain:
        def work(self, x: int) -> int:
            return x + 1

    made = Flow[int]().setup(Plain().work, 1).execute()
    assert (made.flow_name, made.return_value, made.flow_run.params) == ("work", 2, {"x": 1})
    bound = task(Plain().work)
    inside = in_flow(lambda: bound(2))
    assert inside.return_value == 3
    assert [(t.task_name, t.input_args) for t in inside.flow_run.tasks] == [("work", [2])]


async def test_callable_objects_are_named_after_their_class() -> None:
    """A callable object is a flow and a task under the name of its class; its `__call__` may be async."""
    made = flow(Adder(1))(2).execute()
    assert (made.flow_name, made.return_value, made.flow_run.params) == ("Adder", 3, {"x": 2})
    tasked = task(Adder(10))
    assert getattr(tasked, "__name__") == "Adder"
    inside = in_flow(lambda: tasked(1))
    assert inside.return_value == 11
    assert [(t.task_name, t.input_args) for t in inside.flow_run.tasks] == [("Adder", [1])]
    made_later = Flow[int]().setup(LaterAdder(5), 1)
    assert (await made_later).return_value == 6
    assert made_later.flow_name == "LaterAdder"


async def test_async_callable_objects_are_async_tasks() -> None:
    """A task made of an object with an async `__call__` is awaited, and recorded to its end."""
    later: Any = task(LaterAdder(20))

    async def work() -> int:
        value: int = await later(1)
        return value

    made = await Flow[int]().setup(work)
    assert made.return_value == 21
    assert [(t.task_name, t.return_value) for t in made.flow_run.tasks] == [("LaterAdder", 21)]
