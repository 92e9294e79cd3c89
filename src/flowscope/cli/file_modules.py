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

__all__ = ["module_name"]

__path__: list[str] = []


def module_name(file: Path) -> str:
    """The full name of the module that the file is, once it is an entry of `sys.path`."""
    return f"{__name__}.{file.stem.replace('.', '_')}"


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
        return None if file is None else spec_from_file_location(name, file)


_finder: Final = _Finder()
sys.meta_path.append(_finder)
