"""The package of the flow files whose own name no `import` could find: `report.daily.py`, or one like `typer.py`.

Such a file is the module `flowscope.cli.file_modules.report_daily`. The file itself is an entry of `sys.path`, which
worker processes get from `multiprocessing`; so they find it by that name as well. Whoever imports this package, as they
do, installs its finder. No other file can be imported this way.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final

from typing_extensions import override

__all__ = ["file_spec", "module_name"]

__path__: list[str] = []


def module_name(file: Path) -> str:
    """The full name of the module that the file is, once it is an entry of `sys.path`."""
    return f"{__name__}.{file.stem.replace('.', '_')}"


class _FileSpec(ModuleSpec):
    """The spec of a file that is in no package, whatever the name of its module: its relative imports are refused."""

    @property
    @override
    def parent(self) -> str:
        return ""


def file_spec(name: str, file: Path) -> ModuleSpec | None:
    """How to load a file as the module of that name, outside any package; None if it is not a Python file."""
    found = spec_from_file_location(name, file)
    if found is None or found.loader is None:
        return None
    spec = _FileSpec(name, found.loader, origin=found.origin)
    spec.has_location = True
    return spec


class _Finder:
    """Finds the files that are entries of `sys.path`, in this package."""

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """How to load the module; None if it is not one of these files."""
        if not name.startswith(f"{__name__}."):
            return None
        files = (Path(entry) for entry in sys.path if entry.endswith(".py"))
        file = next((file for file in files if module_name(file) == name and file.is_file()), None)
        return None if file is None else file_spec(name, file)


_finder: Final = _Finder()
sys.meta_path.append(_finder)
