"""Whether this process is a worker, in which tasks run for another process."""

from typing import Final

__all__ = ["become_worker", "in_worker"]

_mark: Final[list[bool]] = []


def become_worker() -> None:
    """This process works for another one, from now on."""
    _mark.append(True)


def in_worker() -> bool:
    """Whether this process works for another one."""
    return bool(_mark)
