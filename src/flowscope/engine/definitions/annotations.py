"""The annotations of a function, resolved in its own scope: with local names, closures and type parameters."""

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from types import CodeType, FrameType
from typing import Any, Final, ForwardRef, cast, get_args, get_type_hints

__all__ = ["Annotations"]

_NAME: Final = re.compile(r"[^\W\d]\w*")


class Annotations:
    """The annotations of one function, and the names around it that they may mention.

    Local names are those of the scopes that are being executed when this is made, as where a decorator is applied. No
    frame is kept, and of the local names only classes and those that annotations mention.
    """

    __slots__ = ("_function", "_local_names", "hints")

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._local_names = around = _local_names_of(function)
        self.hints: Mapping[str, Any] = self._resolvable()
        """The annotations by parameter, and of the return value, as far as their names are defined by now."""
        if around:
            mentioned = {name for text in _texts_in(_annotations_of(function).values()) for name in _NAME.findall(text)}
            self._local_names = {
                name: value for name, value in around.items() if name in mentioned or isinstance(value, type)
            }

    def resolve(self, name: str, owner: object = None) -> Any:
        """The annotation of one parameter.

        Args:
            name: The parameter.
            owner: The object, or class, that a method is called on: its class has a name too, where it is local.

        Raises:
            Exception: It mentions a name that is not defined, or is no valid Python.
        """
        lone = type("_Lone", (), {"__annotations__": {name: _annotations_of(self._function)[name]}})
        return self._evaluated(lone, owner)[name]

    def namespace(self, owner: object = None) -> dict[str, Any]:
        """The names around the function that are not global: of closures, of local scopes, and its type parameters."""
        written = _written(self._function)
        parameters = {each.__name__: each for each in getattr(written, "__type_params__", ())}
        own_class = _own_class(written, getattr(self._function, "__self__", owner))
        return {**own_class, **_closure_of(written), **self._local_names, **parameters}

    def _resolvable(self) -> Mapping[str, Any]:
        """All at once, or one by one: an undefined name affects its own parameter alone."""
        try:
            return self._evaluated(self._function)
        except Exception:
            return dict(self._resolvable_one_by_one())

    def _resolvable_one_by_one(self) -> Iterator[tuple[str, Any]]:
        for name in _annotations_of(self._function):
            try:
                yield name, self.resolve(name)
            except Exception:  # noqa: S112 - it is resolved when there is a value to check
                continue

    def _evaluated(self, holder: Any, owner: object = None) -> dict[str, Any]:
        global_names = getattr(_written(self._function), "__globals__", {})
        return get_type_hints(holder, global_names, self.namespace(owner), include_extras=True)


def _written(function: Callable[..., Any]) -> Any:
    """The function whose source has the annotations: inside wrappers."""
    return inspect.unwrap(function)


def _annotations_of(function: Callable[..., Any]) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", getattr(function, "__annotations__", {}))


def _closure_of(function: Any) -> dict[str, Any]:
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    variables: dict[str, Any] = {}
    for name, cell in zip(names, getattr(function, "__closure__", None) or (), strict=False):
        with suppress(ValueError):  # the variable is not defined yet
            variables[name] = cell.cell_contents
    return variables


def _own_class(written: Any, owner: object) -> dict[str, Any]:
    """The class that a method was written in, by its name."""
    qualname, module = getattr(written, "__qualname__", ""), getattr(written, "__module__", None)
    for each in (owner if isinstance(owner, type) else type(owner)).__mro__:
        if qualname == f"{each.__qualname__}.{written.__name__}" and each.__module__ == module:
            return {each.__name__: each}
    return {}


def _texts_in(annotations: Any) -> Iterator[str]:
    """The parts of annotations that are text."""
    for annotation in annotations:
        if isinstance(annotation, ForwardRef):
            yield annotation.__forward_arg__
        elif isinstance(annotation, str):
            yield annotation
        elif not isinstance(annotation, type) or get_args(annotation):
            yield from _texts_in(annotation if isinstance(annotation, list) else get_args(annotation))


def _local_names_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The local names of the scopes around a function that are being executed, where an annotation is text."""
    written = _written(function)
    code = getattr(written, "__code__", None)
    if code is None or "." not in written.__qualname__ or not any(_texts_in(_annotations_of(function).values())):
        return {}
    names: dict[str, Any] = {}
    for frame in _scopes_around(code, written.__globals__):
        names = {**frame.f_locals, **names}
    return {**names, **_names_of_class(written.__qualname__, {**written.__globals__, **names})}


def _names_of_class(qualname: str, around: Mapping[str, Any]) -> Mapping[str, Any]:
    """The names in the class of a method, once the class is there."""
    owner: Any = None
    for part in qualname.rpartition("<locals>.")[2].split(".")[:-1]:
        owner = around.get(part)
        if not isinstance(owner, type):
            return {}
        around = vars(owner)
    return {} if owner is None else vars(owner)


def _scopes_around(code: CodeType, global_names: Mapping[str, Any]) -> list[FrameType]:
    """The frames of the function or class in which code was written, and of the functions around that, from inside."""
    scopes: list[FrameType] = []
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] # the documented way
    while frame is not None:
        scope = frame.f_code
        is_function = bool(scope.co_flags & inspect.CO_OPTIMIZED)
        if (
            frame.f_globals is global_names
            and scope.co_name != "<module>"
            and (is_function or not scopes)  # the names of a class are not seen from scopes deeper inside
            and all(scope is not known.f_code for known in scopes)
            and _contains(scope, code)
        ):
            scopes.append(frame)
        frame = frame.f_back
    return scopes


def _contains(outer: CodeType, code: CodeType) -> bool:
    inner = [each for each in outer.co_consts if isinstance(each, CodeType)]
    return any(each is code or _contains(each, code) for each in inner)
