"""What is hard to send to another process, where worker processes can import it; and tasks that send it."""

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from pydantic import BaseModel, PrivateAttr, SecretStr

from flowscope import INJECTED, FlowConfig, current_task, task

from .process_tasks import Boom, leaf

__all__ = ["ODDITIES", "Chained", "Coded", "Edgy", "Fussy", "OnlyHere", "OnlyThere", "OnlyThereError", "Wordy"]


def read_in(where: str, pid: int, made: Callable[[], Any]) -> Any:
    """Read something that can only be read where it was made, or only elsewhere.

    Raises:
        LookupError: It cannot be read here.
    """
    if (os.getpid() == pid) is not (where == "here"):
        raise LookupError("it cannot be read on this side")
    return made()


def shift(number: int, by: int = 1) -> int:
    """A plain function, of which tasks are made under other names."""
    return number + by


@dataclass
class Shift:
    """A callable object, which is sent with its state."""

    by: int

    def __call__(self, number: int) -> int:
        return number + self.by


shifted_plain = task(task_name="shifted", validate=True)(shift)
shifted_partial = task(partial(shift, by=10))
shifted_object = task(Shift(100))


@dataclass
class OnlyHere:
    """Can be written everywhere, and read only in the process in which it was written."""

    pid: int = field(default_factory=os.getpid)

    def __reduce__(self) -> Any:
        return read_in, ("here", self.pid, OnlyHere)


class OnlyThere:
    """Is made in a worker, which can read it, as opposed to the flow's process."""

    def __init__(self) -> None:
        self.pid = os.getpid()

    def __reduce__(self) -> Any:
        return read_in, ("here", self.pid, OnlyThere)


class OnlyThereError(Exception):
    """An exception like that."""

    def __reduce__(self) -> Any:
        return read_in, ("here", os.getpid(), OnlyThereError)


class RefusesToPickle:
    """Raises when it is written."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> Any:
        raise self.error

    def __repr__(self) -> str:
        return "<refuses>"


class Fussy(Exception):
    """Cannot be made again from its args."""

    def __init__(self, *, needed: str) -> None:
        super().__init__(f"needs {needed}")
        self.needed = needed


class Coded(Exception):
    """Makes its text of what it was given."""

    def __init__(self, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code


class Wordy(Exception):
    """Has a text of its own, and attributes that were set later."""

    def __str__(self) -> str:
        return f"wordy {self.args[0]}"


class Edgy(Exception):
    """Holds what does not pickle."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lock = threading.Lock()


class Chained(Exception):
    """Has a cause."""


def make_error(kind: str) -> Exception:
    """An exception of a kind that is hard to send."""
    error: Exception
    match kind:
        case "fussy":
            return Fussy(needed="a keyword")
        case "coded":
            return Coded(5)
        case "wordy":
            error = Wordy("text")
            error.later = [1, 2]  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
            return error
        case "edgy":
            return Edgy("with a lock")
        case "local":

            class LocalError(Exception):
                pass

            return LocalError("of a function")
        case "only there":
            return OnlyThereError("there")
        case "noted":
            error = Boom("with notes")
            error.add_note("first note")
            error.add_note("second note")
            return error
        case "group":
            return ExceptionGroup("several", [Boom("one"), ExceptionGroup("inner", [ValueError("two")])])
        case "group of locals":
            return ExceptionGroup("several", [Boom("one"), make_error("local")])
        case "unpicklable args":
            return Boom(lambda: 1)
        case "str raises":
            return StrRaises("unspeakable")
        case _:
            return Boom(kind)


class StrRaises(Exception):
    """Cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


@task
def raise_kind(kind: str) -> None:
    raise make_error(kind)


@task
def raise_chain() -> None:
    try:
        try:
            raise LookupError("the root")
        except LookupError as error:
            error.add_note("noted at the root")
            raise Boom("in between") from error
    except Boom:
        raise Chained("at the end")


@task
def raise_base(kind: str) -> None:
    """Raise what is no `Exception`."""
    kinds = {"exit": SystemExit(3), "interrupt": KeyboardInterrupt("pressed"), "generator": GeneratorExit("closed")}
    raise kinds[kind]


@task
async def raise_base_async(kind: str) -> None:
    kinds = {"exit": SystemExit(3), "interrupt": KeyboardInterrupt("pressed"), "generator": GeneratorExit("closed")}
    raise kinds[kind]


@task
def leave(code: int) -> None:
    sys.exit(code)


@task
def return_kind(kind: str) -> Any:
    """Return what is hard to send."""
    match kind:
        case "lambda":
            return lambda: 1
        case "lock":
            return [threading.Lock()]
        case "generator":
            return (one for one in range(3))
        case "deep":
            found: Any = []
            for _ in range(100_000):
                found = [found]
            return found
        case "only there":
            return {"it": OnlyThere()}
        case "refuses":
            return RefusesToPickle(Boom("not me"))
        case _:
            return kind


@task
def record_there() -> str:
    """Record what only this process can read, in every way, and go on."""
    running = current_task()
    running.add_artifact(key="artifact", data=OnlyThere())
    running.add_result("result", value=[OnlyThere()])
    take_and_give(OnlyThere(), named=OnlyThere())
    print("and goes on")
    return "mine"


@task
def take_and_give(value: Any, *, named: Any = None) -> Any:
    return value


@task(raise_on_error=False)
def fail_there() -> None:
    raise OnlyThereError("there")


@task
def fail_inside_there() -> str:
    fail_there()
    return "mine"


class Node(BaseModel):
    """A model with a private attribute."""

    name: str
    secret: SecretStr = SecretStr("hidden")
    _private: int = PrivateAttr(default=1)


@dataclass
class Ring:
    """Contains itself."""

    name: str
    inner: list[Any] = field(default_factory=list[Any])


class Unspeakable:
    """Has a repr that raises."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def oddities() -> dict[str, Any]:
    """Values of many kinds, some of which do not pickle, by name."""
    ring = Ring("ring")
    ring.inner.append(ring)
    own: list[Any] = []
    own.append(own)
    deep: Any = []
    for _ in range(150):
        deep = [deep]
    return {
        "nothing": None,
        "numbers": [1, -2.5, 2**80, float("nan"), float("inf"), 1 + 2j, True],
        "text": "a\x00b\ud800",
        "bytes": b"\x00\xff",
        "tuple": (1, (2, 3)),
        "set": {3},
        "keys": {1: "one", None: "none", (1, 2): "pair"},
        "lambda": lambda: 1,
        "lock": threading.Lock(),
        "in a list": [1, threading.Lock(), 3],
        "generator": (one for one in range(3)),
        "iterator": iter([1, 2, 3]),
        "class": Node,
        "function": oddities,
        "module": os,
        "model": Node(name="n"),
        "ring": ring,
        "own": own,
        "deep": deep,
        "unspeakable": Unspeakable(),
        "refuses": RefusesToPickle(Boom("not me")),
        "error": Boom("an error"),
        "token": "not shown",
        "mapping": {"password": "not shown", "user": "shown"},
    }


ODDITIES: Final = tuple(oddities())


@task
def record_oddity(name: str) -> None:
    """Record a value as an artifact, a result, an argument and the value of a nested task."""
    value = oddities()[name]
    current_task().add_artifact(key=name, data=value)
    current_task().add_result(name, value=value)
    take_and_give(value, named=value)


class Config(FlowConfig):
    """A config with a field of its own."""

    extra: Any = None


@task
def read_config() -> Any:
    return current_task().flow.flow_config.extra  # type: ignore[attr-defined] # pyright: ignore


@task
def read_data(key: str, flow_data: dict[str, Any] = INJECTED) -> Any:
    return flow_data[key]


@task
def get_data(key: str, flow_data: dict[str, Any] = INJECTED) -> Any:
    return flow_data.get(key, "default")


@task
def need_nothing(provided: Any = "default") -> Any:
    return leaf(1)


@task
def need_provided(provided: Any = INJECTED) -> Any:
    return provided


class Slow:
    """Takes its time to be read."""

    def __reduce__(self) -> Any:
        return slowly_read, ()


def slowly_read() -> Any:
    """Burn some time."""
    total = 0
    for number in range(3_000_000):
        total += number
    return Slow()


class ExitsWhenRead:
    """Ends the process that reads it, unless that is the one in which it was written."""

    def __reduce__(self) -> Any:
        return exit_elsewhere, (os.getpid(),)


def exit_elsewhere(pid: int) -> Any:
    """End this process if it is another one."""
    if os.getpid() != pid:
        os._exit(5)
    return ExitsWhenRead()


class RaisesWhenRead:
    """Raises something in the process that reads it, unless that is the one in which it was written."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> Any:
        return raise_elsewhere, (os.getpid(), self.error)


def raise_elsewhere(pid: int, error: BaseException) -> Any:
    """Raise it if this is another process."""
    if os.getpid() != pid:
        raise error
    return RaisesWhenRead(error)


@task
def return_raising(error: BaseException) -> Any:
    return RaisesWhenRead(error)
