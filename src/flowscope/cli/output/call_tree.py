"""Calls counted by name under whatever called them: a tree that grows with the number of names, not of calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from ..._clock import seconds
from ...model.status import FAILED, RunStatus

__all__ = ["Group", "Groups", "Row"]

MAX_GROUPS: Final = 200
MAX_DEPTH: Final = 12
OTHERS: Final = "(others)"

_STOPPED: Final = frozenset({RunStatus.CANCELLED, RunStatus.ABANDONED})


class Group:
    """The calls of one name under one parent."""

    __slots__ = ("children", "depth", "ended", "failed", "longest", "name", "parent", "running", "stopped", "total")

    def __init__(self, name: str, parent: Group | None) -> None:
        self.name: str = name
        self.parent: Group | None = parent
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.children: dict[str, Group] = {}
        self.running: dict[str, int] = {}
        """When those that are running started, in ticks, by id; the oldest first."""
        self.ended: int = 0
        self.failed: int = 0
        self.stopped: int = 0
        """How many were cancelled or abandoned."""
        self.total: float = 0.0
        """Seconds, of those that have ended."""
        self.longest: float = 0.0

    @property
    def path(self) -> str:
        """The names from below the top down to this one."""
        above = "" if self.parent is None or self.parent.parent is None else f"{self.parent.path} > "
        return above + self.name

    def end(self, run_id: str, status: object, duration: float) -> None:
        """Count one that has ended."""
        self.running.pop(run_id, None)
        self.ended += 1
        self.failed += status in FAILED
        self.stopped += status in _STOPPED
        self.total += duration
        self.longest = max(self.longest, duration)


class Row(NamedTuple):
    """A group as of one moment."""

    depth: int
    name: str
    running: int
    ended: int
    failed: int
    stopped: int
    total: float
    longest: float
    """Seconds, including the one that has been running longest."""


class Groups:
    """The tree."""

    def __init__(self) -> None:
        self.root: Group = Group("", None)
        self._count = 1

    def find(self, name: str, parent: Group) -> Group:
        """The group of that name under that parent.

        A recursive call counts with the call that it is inside of. Beyond 12 levels a call counts with its parent, and
        beyond 200 groups with the others.
        """
        above = parent
        while above.parent is not None:
            if above.name == name:
                return above
            above = above.parent
        group = parent.children.get(name)
        if group is not None:
            return group
        if parent.depth >= MAX_DEPTH:
            return parent
        if self._count >= MAX_GROUPS:
            return self.root.children.setdefault(OTHERS, Group(OTHERS, self.root))
        self._count += 1
        group = parent.children[name] = Group(name, parent)
        return group

    def rows(self, now: int) -> list[Row]:
        """All groups as of a tick, from the top."""
        return [_row(group, now) for group in _walk(self.root)]


def _walk(group: Group) -> Iterator[Group]:
    yield group
    for child in tuple(group.children.values()):
        yield from _walk(child)


def _row(group: Group, now: int) -> Row:
    oldest = next(iter(group.running.values()), None)
    longest = group.longest if oldest is None else max(group.longest, seconds(oldest, now))
    running = len(group.running)
    return Row(group.depth, group.name, running, group.ended, group.failed, group.stopped, group.total, longest)
