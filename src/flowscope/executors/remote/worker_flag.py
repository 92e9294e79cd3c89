"""What this process is: a worker, in which tasks run for another process, or one with a main module of its own."""

import sys
from typing import Final

__all__ = ["MAIN_FILE", "become_worker", "in_worker"]

MAIN_FILE: Final[str | None] = getattr(sys.modules.get("__main__"), "__file__", None)
"""Where the main module is; read early, for a script that has ended does not say so any more."""

_mark: Final[list[bool]] = []


def become_worker() -> None:
    """This process works for another one, from now on."""
    _mark.append(True)


def in_worker() -> bool:
    """Whether this process works for another one."""
    return bool(_mark)
