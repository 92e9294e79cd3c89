"""Finding the flow that TARGET names, in a module or in a file, without running anything else."""

import importlib
import inspect
import sys
import traceback
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from ..engine.live import Flow
from .errors import CommandError
from .file_modules import file_spec, module_name
from .flow_targets import Target, target_of

__all__ = ["find_target"]


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
    module = _import_file(Path(location), path) if _is_file(location) else _import_module(location)
    found: Any = module
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise CommandError(f"{location!r} has no {path!r}. {_known_flows(module)}") from None
    target = target_of(found)
    if target is None:
        kind = f"the class {found.__name__!r}" if inspect.isclass(found) else f"of type {type(found).__name__!r}"
        hint = " Decorate it with @flow." if inspect.isfunction(found) else ""
        raise CommandError(f"{text!r} is not a flow, it is {kind}.{hint} {_known_flows(module)}")
    return target


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


def _import_file(path: Path, flow_path: str) -> ModuleType:
    if not path.is_file():
        raise CommandError(f"there is no file {str(path)!r}")
    path = path.resolve()
    name = _module_name(path)
    spec = file_spec(name, path)
    if spec is None or spec.loader is None:
        raise CommandError(f"{str(path)!r} is not a Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        hint = _module_hint(path, flow_path) if _is_relative_import(error) else ""
        raise CommandError(f"cannot import {str(path)!r}: {_told(error)}{hint}") from error
    return module


def _module_name(path: Path) -> str:
    """The name under which worker processes can import the file, too; `sys.path` is made to lead there.

    A file with the name of a module that is in use is the last to be found by that name, here and in workers.
    """
    is_taken = path.stem in sys.modules or path.stem in sys.stdlib_module_names
    sys.path.insert(len(sys.path) if is_taken else 0, str(path.parent))
    if not is_taken and "." not in path.stem:
        return path.stem
    sys.path.append(str(path))
    return module_name(path)


def _told(error: BaseException) -> str:
    """The error, and the line of the imported code that raised it."""
    own = (__file__, importlib.__file__, "<frozen ")
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(own)]
    place = f" (in {frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__qualname__}: {error}{place}"


def _is_relative_import(error: BaseException) -> bool:
    return isinstance(error, ImportError) and str(error).startswith("attempted relative import")


def _module_hint(path: Path, flow_path: str) -> str:
    """The next step for a file that belongs to a package: the command that runs it as a module of that package."""
    here, root = Path.cwd(), path.parent
    while (root / "__init__.py").is_file() and root != root.parent:
        root = root.parent
    if root == path.parent:  # a package without `__init__.py`: its name is the way from here
        root = here if here in root.parents else root.parent
    names = [name for name in path.relative_to(root).with_suffix("").parts if name != "__init__"]
    if not all(name.isidentifier() for name in names):
        return ". A file is in no package: import its neighbours without dots"
    place = "" if root == here else f" in {str(root)!r}"
    return f". A file is in no package; run it as a module{place}: flowscope run {'.'.join(names)}:{flow_path}"


def _known_flows(module: ModuleType) -> str:
    names = [
        name for name, value in vars(module).items() if value is not Flow and name.isidentifier() and target_of(value)
    ]
    return f"Flows there: {', '.join(sorted(names))}" if names else "There are no flows there"
