"""Finding the flow that TARGET names, in a module or in a file, without running anything else."""

import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Final, TypeGuard

from ..engine.decorators import flow
from ..engine.live import Flow
from .errors import CommandError

__all__ = ["FlowFunction", "Target", "find_target"]

FlowFunction = Callable[..., Flow[Any]]
"""What `@flow` returns."""
Target = FlowFunction | type[Flow[Any]] | Flow[Any]


def find_target(text: str) -> Target:
    """The flow function, subclass of `Flow` or `Flow` that `MODULE:FLOW` or `FILE.py:FLOW` names.

    FLOW may be dotted. Modules are also looked for in the current directory; a file finds its neighbours, as a script
    does.

    Raises:
        CommandError: There is no such thing, it cannot be imported, or it is not a flow.
    """
    location, colon, path = text.rpartition(":")
    if not (colon and location and path):
        raise CommandError(f"{text!r} does not name a flow. Wanted MODULE:FLOW or FILE.py:FLOW")
    module = _import_file(Path(location)) if _is_file(location) else _import_module(location)
    found: Any = module
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise CommandError(f"{location!r} has no {path!r}. {_known_flows(module)}") from None
    if not _is_target(found):
        hint = " Decorate it with @flow." if inspect.isfunction(found) else ""
        raise CommandError(f"{text!r} is not a flow but of type {_kind(found)}.{hint} {_known_flows(module)}")
    return found


def _is_file(location: str) -> bool:
    return location.endswith(".py") or Path(location).name != location


def _import_module(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise CommandError(f"cannot import {name!r}: {_told(error)}") from error


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise CommandError(f"there is no file {str(path)!r}")
    path = path.resolve()
    name = path.stem if path.stem not in sys.modules else f"_flowscope_target_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise CommandError(f"{str(path)!r} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise CommandError(f"cannot import {str(path)!r}: {_told(error)}") from error
    return module


def _told(error: BaseException) -> str:
    """The error, and the line of the imported code that raised it."""
    own = (__file__, importlib.__file__, "<frozen ")
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(own)]
    place = f" (in {frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__qualname__}: {error}{place}"


@flow
def _sample() -> None:
    """A flow function to know others by."""


_CODE: Final[CodeType] = getattr(_sample, "__code__")  # noqa: B009 - its type does not say that it is a function
"""What all flow functions run: nothing else on them tells them from functions that must not be called."""


def _is_target(found: object) -> TypeGuard[Target]:
    if isinstance(found, Flow) or (inspect.isclass(found) and issubclass(found, Flow)):
        return True
    inner: Any = found
    while isinstance(inner, partial):
        inner = inner.func
    return getattr(inner, "__code__", None) is _CODE


def _kind(found: object) -> str:
    return f"'{type(found).__qualname__}'"


def _known_flows(module: ModuleType) -> str:
    names = [name for name, value in vars(module).items() if value is not Flow and _is_target(value)]
    return f"Flows there: {', '.join(sorted(names))}" if names else "There are no flows there"
