"""Recording can never fail a run: values that resist being looked at are described, and left as they were."""

from asyncio import CancelledError
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import pytest
from pydantic import BaseModel, computed_field, model_serializer
from pydantic_core import PydanticSerializationError

from support.model.recorded_values import Box, Parcel, held, is_description, keep, written


class Abort(BaseException):
    """An error that `except Exception` does not catch."""


def refuse(*_: object, **__: object) -> NoReturn:
    """What every hostile method does."""
    raise RuntimeError("hands off")


class NoRepr:
    """Cannot be shown."""

    __repr__ = refuse


class WrongRepr:
    """Shows itself as a number."""

    def __repr__(self) -> str:
        answer: Any = 5
        return answer  # type: ignore[no-any-return] # as hostile code may


class EndlessRepr:
    """Never ends showing itself."""

    def __repr__(self) -> str:
        return repr(self)


class AbortingRepr:
    """Shows itself with an error that is no ordinary one."""

    def __repr__(self) -> str:
        raise Abort


class NoComparison:
    """Has neither equality, order, truth, length nor hash."""

    __eq__ = __ne__ = __lt__ = __bool__ = __len__ = __hash__ = refuse
    __iter__ = __contains__ = __getitem__ = __call__ = refuse


class NoConversion:
    """Cannot become a number, text or bytes."""

    __int__ = __float__ = __complex__ = __index__ = __bytes__ = __str__ = __format__ = refuse
    __array__ = __fspath__ = __iter__ = __next__ = refuse


class AskingRaises:
    """Has no attributes that it admits to."""

    __getattr__ = refuse


class AskingAlwaysRaises:
    """Has no attributes at all."""

    __getattribute__ = refuse


class ClassRaises:
    """Does not tell its class."""

    @property
    def __class__(self) -> Any:
        return refuse()

    @__class__.setter
    def __class__(self, value: object) -> None:
        refuse()


class ClassLies:
    """Pretends to be a dict."""

    @property
    def __class__(self) -> Any:
        return dict

    @__class__.setter
    def __class__(self, value: object) -> None:
        refuse()


class DictRaises:
    """Does not tell its contents."""

    @property
    def __dict__(self) -> Any:  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride] # as hostile code may
        return refuse()


class HasEverything:
    """Has every attribute that anybody asks for."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *args: object, **kwargs: object) -> Any:
        return self


class Copies:
    """Cannot be copied or pickled."""

    __copy__ = __deepcopy__ = __reduce__ = __reduce_ex__ = __getstate__ = refuse


class NoName(type):
    """The class of classes whose module cannot be told."""

    @property
    def __module__(cls) -> Any:  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride] # as hostile code may
        return refuse()


class NoClassHash(type):
    """The class of classes that cannot be looked up."""

    __hash__ = __eq__ = refuse


class NoClassAttribute(type):
    """The class of classes that refuse to be asked."""

    __getattr__ = refuse


class EveryClassAttribute(type):
    """The class of classes that have every attribute."""

    def __getattr__(cls, name: str) -> Any:
        return cls


class Unnamed(metaclass=NoName):
    """Its class does not tell its module."""


class Unhashable(metaclass=NoClassHash):
    """Its class cannot be hashed."""


class Unasked(metaclass=NoClassAttribute):
    """Its class refuses to be asked."""


class Overasked(metaclass=EveryClassAttribute):
    """Its class has every attribute."""


HOSTILE: Final[list[type]] = [
    NoRepr,
    WrongRepr,
    EndlessRepr,
    AbortingRepr,
    NoComparison,
    NoConversion,
    AskingRaises,
    AskingAlwaysRaises,
    ClassRaises,
    ClassLies,
    DictRaises,
    HasEverything,
    Copies,
    Unnamed,
    Unhashable,
    Unasked,
    Overasked,
]
NAMES: Final = [type.__getattribute__(kind, "__name__") for kind in HOSTILE]


@pytest.mark.parametrize("kind", HOSTILE, ids=NAMES)
def test_a_hostile_value_is_described(kind: Any) -> None:
    """Whatever a value does when it is looked at, it is described, with the name of its type."""
    found = written(kind())
    assert is_description(found)
    if kind is not Unnamed:
        assert found["__type__"] == f"{__name__}.{kind.__name__}"


@pytest.mark.parametrize("kind", HOSTILE, ids=NAMES)
def test_a_hostile_value_does_not_hurt_what_is_around_it(kind: Any) -> None:
    """The neighbours of a hostile value, and the containers that it is in, are written as ever."""
    listed = written([1, kind(), {"a": 2}])
    assert (listed[0], listed[2], is_description(listed[1])) == (1, {"a": 2}, True)
    keyed = written({"before": 1, "bad": kind(), "after": (2,)})
    assert (keyed["before"], keyed["after"], is_description(keyed["bad"])) == (1, [2], True)
    for container in (Box, Parcel):
        boxed = written(container(content=[kind()]))
        assert (boxed["other"], is_description(boxed["content"][0])) == (1, True)
        direct = written(container(content=kind()))
        assert (direct["other"], is_description(direct["content"])) == (1, True)


@pytest.mark.parametrize("kind", HOSTILE, ids=NAMES)
def test_a_hostile_value_is_held_as_the_very_object(kind: Any) -> None:
    """Without a secret in sight, records hold the very object, and so does a container that holds it."""
    for value in (kind(), [kind()], {"a": kind()}, Box(content=kind()), Parcel((kind(),))):
        made = keep(value).execute()
        assert made.return_value is value
        assert all(place is value for place in held(made.flow_run))


@pytest.mark.parametrize(
    "kind", [NoRepr, ClassRaises, AskingRaises, HasEverything], ids=lambda kind: str(kind.__name__)
)
def test_hostile_keys_are_described(kind: Any) -> None:
    """A key that cannot be text is described in its place, and the other keys are as ever."""
    value = {"before": 1, kind(): 2, "after": 3}
    found = written(value)
    assert (found["before"], found["after"], sorted(found.values())) == (1, 3, [1, 2, 3])
    assert all(place is value for place in held(keep(value).execute().flow_run))


@pytest.mark.parametrize(
    "kind",
    [NoRepr, WrongRepr, EndlessRepr, AbortingRepr],
    ids=["raises", "gives no text", "recurses", "aborts"],
)
def test_a_repr_that_raises_is_reported(kind: Any) -> None:
    """The description says that the repr failed, and with what."""
    expected = {
        NoRepr: "RuntimeError",
        WrongRepr: "TypeError",
        EndlessRepr: "RecursionError",
        AbortingRepr: f"{__name__}.Abort",
    }[kind]
    assert expected in written(kind())["__repr__"]


@pytest.mark.parametrize("error", [Abort, GeneratorExit, CancelledError], ids=lambda error: str(error.__name__))
@pytest.mark.parametrize("where", ["repr", "dataclass field", "model serialiser", "computed field", "key"])
def test_what_a_value_raises_never_escapes(where: str, error: type[BaseException]) -> None:
    """Whatever kind of error looking at a value raises, its neighbours are written and the run is as ever."""

    def fail(self: object) -> str:
        raise error

    made: dict[str, Callable[[], Any]] = {
        "repr": lambda: type("Shy", (), {"__repr__": fail})(),
        "dataclass field": lambda: sly_dataclass(fail),
        "model serialiser": lambda: sly_model(model_serializer(mode="plain")(fail)),
        "computed field": lambda: sly_model(computed_field(return_type=str)(property(fail))),
        "key": lambda: {type("Shy", (), {"__repr__": fail})(): 1},
    }
    value = [1, made[where](), 2]
    assert written(value)[::2] == [1, 2]
    assert keep(value).execute().return_value is value


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interruption_while_a_value_is_written_is_one(error: type[BaseException]) -> None:
    """Ctrl-C and the exit of the interpreter end the writing of a record, and are not taken for a part of it."""

    armed = False

    def stop(_: object) -> str:
        if armed:
            raise error(error.__name__)
        return "<slow>"

    record = keep(type("Slow", (), {"__repr__": stop})()).execute().flow_run
    armed = True
    try:
        with pytest.raises((error, PydanticSerializationError), match=error.__name__):
            record.model_dump_json()
    finally:
        armed = False


def sly_dataclass(fail: Callable[[object], str]) -> Any:
    """A dataclass that does not tell its field."""

    @dataclass
    class Sly:
        field: int

    made = Sly(1)
    Sly.field = property(fail)  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue] # as hostile code may
    return made


def sly_model(part: Any) -> Any:
    """A model with a part that fails."""
    return type("Sly", (BaseModel,), {"__module__": __name__, "part": part})()


class ListRaises(list[int]):
    """A list that cannot be iterated."""

    __iter__ = __len__ = __getitem__ = __reversed__ = refuse


class DictOfItsOwn(dict[str, int]):
    """A dict whose methods are not to be trusted."""

    __iter__ = __len__ = __getitem__ = keys = values = items = get = copy = refuse


class TupleOfOthers(tuple[int, ...]):
    """A tuple that shows other items than it has."""

    __slots__ = ()

    def __iter__(self) -> Iterator[int]:
        return iter((9, 9))


class SetRaises(set[int]):
    """A set that cannot be iterated."""

    __iter__ = __len__ = refuse


class DequeRaises(deque[int]):
    """A deque that cannot be iterated."""

    __iter__ = __len__ = __getitem__ = refuse


class TextRaises(str):
    """Text whose methods raise."""

    __slots__ = ()
    isascii = encode = lower = replace = __add__ = __str__ = __hash__ = refuse


class IntRaises(int):
    """A number whose methods raise."""

    __add__ = __lt__ = __gt__ = __int__ = __sub__ = __neg__ = __str__ = refuse


class FloatRaises(float):
    """A number whose methods raise."""

    __slots__ = ()
    __add__ = __lt__ = __gt__ = __float__ = __sub__ = __eq__ = __str__ = refuse


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ListRaises([1, 2]), [1, 2]),
        (DictOfItsOwn(a=1), {"a": 1}),
        (TupleOfOthers((1, 2)), [1, 2]),
        (TextRaises("text"), "text"),
        (IntRaises(5), 5),
        (FloatRaises(1.5), 1.5),
    ],
    ids=lambda value: type(value).__name__,
)
def test_subclasses_of_native_types_are_written_by_what_they_hold(value: Any, expected: Any) -> None:
    """A subclass of a native type is written as Pydantic does: by its contents, not by its overridden methods."""
    assert written([value])[0] == expected
    assert written(Box(content=value))["content"] == expected
    assert all(place is value for place in held(keep(value).execute().flow_run))


@pytest.mark.parametrize("value", [SetRaises({1}), DequeRaises([1])], ids=["set", "deque"])
def test_collections_that_cannot_be_read_do_not_fail_the_record(value: Any) -> None:
    """What not even Pydantic can read stays the very object, and the values beside it are written."""
    assert all(place is value for place in held(keep(value).execute().flow_run))
    assert written([1, value, 2])[::2] == [1, 2]
    assert written(Box(content=value))["other"] == 1
