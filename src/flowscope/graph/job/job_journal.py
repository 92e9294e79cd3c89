"""The file of a job while it runs: a base document, then one line for each checkpoint with what has changed.

The first line says up to which byte the file is valid. It is rewritten in place after a line has been appended, so a
process that is killed amid an append leaves the state before it, and a file that is cut short is noticed.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import FileIO
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from pydantic import BaseModel

from ...errors import GraphError
from .job_file import document, replace_file

__all__ = ["JobJournal", "is_journal", "read_journal"]

_MAGIC: Final = b"flowscope-job-journal 1 "
_DIGITS: Final = 16
_DIGEST_CHARS: Final = 64
_HEADER_SIZE: Final = len(_MAGIC) + _DIGITS + 1 + _DIGEST_CHARS + 1
_SMALLEST_LIMIT: Final = 64 * 1024
"""A journal may grow to this size at least, in bytes, before a new base document is written."""
_BY_ITEM: Final = frozenset({"measures", "pause_points", "pending_activations", "routine_states"})
"""The fields of a job that are compared item by item."""
_GROWING: Final = ("execution_history", "shared_log")
_GROWING_IN_RUN: Final = ("events", "logs", "tasks")
"""The lists of a job and of its runs that grow with the history: an item that is the same object is not written again."""

Place = tuple[str | int, ...]
"""Keys and indices that lead to a part of the document."""


class JobJournal:
    """Writes the checkpoints of one job into one file; used under the job's lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._saved = _Saved({}, {}, {}, [])
        self._file_id: tuple[int, int] | None = None
        self._base_size = self._size = 0
        self._digest = ""

    def save(self, state: BaseModel) -> None:
        """Append what has changed since the last save, or write a base document where one is due.

        Args:
            state: A job that does not change any more.

        Raises:
            GraphError: Something in the state has no exact JSON form.
            OSError: The file cannot be written.
        """
        changes = _changes(self._saved, state)
        if not self._try_append(changes):
            self._write_base(changes)
        self._saved.take(changes)

    def _write_base(self, changes: "_Changes") -> None:
        line, digest = _line(_body([], {**self._saved.parts_after(changes), **changes.parts}), "")
        size = _HEADER_SIZE + len(line)
        file_status = replace_file(self._path, _header(size) + line)
        self._file_id = file_status.st_dev, file_status.st_ino
        self._base_size = self._size = size
        self._digest = digest

    def _try_append(self, changes: "_Changes") -> bool:
        """Append the changes; False if a base document is due, or the file is another one by now."""
        if self._file_id is None or self._size - self._base_size > max(self._base_size, _SMALLEST_LIMIT):
            return False
        line, digest = _line(_body(changes.removed, changes.parts), self._digest)
        try:
            with self._path.open("r+b", buffering=0) as file:
                if not self._is_own(file):
                    return False
                size = self._size + len(line)
                file.seek(self._size)
                _write_all(file, line)
                file.truncate()
                os.fsync(file.fileno())
                file.seek(0)
                _write_all(file, _header(size))
                os.fsync(file.fileno())
        except (FileNotFoundError, PermissionError):  # a file that may not be written may be replaced
            return False
        self._size, self._digest = size, digest
        return True

    def _is_own(self, file: FileIO) -> bool:
        file_status = os.fstat(file.fileno())
        is_same = (file_status.st_dev, file_status.st_ino) == self._file_id
        return is_same and file.read(_HEADER_SIZE) == _header(self._size)


def is_journal(raw: bytes) -> bool:
    """Whether the content of a file is that of a journal."""
    return raw.startswith(_MAGIC)


def read_journal(raw: bytes, path: Path) -> bytes:
    """The document that a journal leads to, as JSON.

    Raises:
        GraphError: It has been changed or cut since it was written.
    """
    header, size = raw[:_HEADER_SIZE], raw[len(_MAGIC) : len(_MAGIC) + _DIGITS]
    if not size.isdigit() or header != _header(int(size)) or len(raw) < int(size):
        raise _damaged(path)
    parts: dict[Place, str] = {}
    digest = ""
    for line in raw[_HEADER_SIZE : int(size)].splitlines(keepends=True):
        body = line[_DIGEST_CHARS + 1 : -1]
        expected, digest = _line(body, digest)
        if line != expected:
            raise _damaged(path)
        changes = json.loads(body)
        for part in changes["removed"]:
            del parts[tuple(part)]
        for part, text in changes["set"]:
            parts[tuple(part)] = text
    if not parts:
        raise _damaged(path)
    return json.dumps(_joined(parts)).encode()


def _damaged(path: Path) -> GraphError:
    return GraphError(
        f"{str(path)!r} is not the file of a job as it was saved: it has been changed or cut. Take a copy of it."
    )


def _header(size: int) -> bytes:
    digits = b"%0*d" % (_DIGITS, size)
    return _MAGIC + digits + b" " + sha256(digits).hexdigest().encode() + b"\n"


def _line(body: bytes, digest: str) -> tuple[bytes, str]:
    """A line with the checksum of its body and of all lines before it; and that checksum."""
    own = sha256(digest.encode() + body).hexdigest()
    return own.encode() + b" " + body + b"\n", own


def _body(removed: Iterable[Place], parts: Mapping[Place, str]) -> bytes:
    return json.dumps({"removed": list(removed), "set": list(parts.items())}).encode()


class _Changes(NamedTuple):
    """The difference between a state and the state of the last save."""

    removed: list[Place]
    parts: dict[Place, str]
    """The JSON texts of the parts that are new or different."""
    small: dict[Place, str]
    """All parts that are no items of growing lists, and not of a run that is the same object."""
    lists: dict[Place, list[Any]]
    """The growing lists of the state."""
    runs: list[Any]


@dataclass(slots=True)
class _Saved:
    """The document that the file has, and the objects of which it was made."""

    small: dict[Place, str]
    texts: dict[Place, list[str]]
    """The JSON texts of the items of growing lists."""
    lists: dict[Place, list[Any]]
    runs: list[Any]

    def parts_after(self, changes: _Changes) -> dict[Place, str]:
        """The parts that stay the same."""
        removed = set(changes.removed)
        items = {(*place, index): text for place, texts in self.texts.items() for index, text in enumerate(texts)}
        return {place: text for place, text in (self.small | items).items() if place not in removed}

    def take(self, changes: _Changes) -> None:
        """Apply changes that have been written."""
        for place in changes.lists.keys() - self.texts.keys():
            self.texts[place] = []
        for place in self.texts.keys() - changes.lists.keys():
            del self.texts[place]
        for place, items in changes.lists.items():
            del self.texts[place][len(items) :]
        for place, text in changes.parts.items():
            texts = self.texts.get(place[:-1])
            if texts is not None and place[-1] == len(texts):
                texts.append(text)
            elif texts is not None:
                texts[cast("int", place[-1])] = text
        self.small, self.lists, self.runs = changes.small, changes.lists, changes.runs


def _changes(saved: _Saved, state: Any) -> _Changes:
    """What a state has that is not saved; objects that are the same as at the last save are not looked into."""
    runs: list[Any] = state.finished_runs
    fresh_runs = [number for number, run in enumerate(runs) if _at(saved.runs, number) is not run]
    lists: dict[Place, list[Any]] = {(name,): getattr(state, name) for name in _GROWING}
    for number, run in enumerate(runs):
        lists |= {("finished_runs", number, name): getattr(run, name) for name in _GROWING_IN_RUN}
    fresh = {place: _fresh_indices(saved.lists.get(place, ()), items) for place, items in lists.items()}
    reduced = _with_fresh_only(state, fresh_runs, lists, fresh)
    small, items = _parts_of(json.loads(document(reduced)), fresh_runs, lists, fresh)
    parts = items | {place: text for place, text in small.items() if saved.small.get(place) != text}
    kept_runs = set(range(len(runs))).difference(fresh_runs)
    small |= {place: text for place, text in saved.small.items() if len(place) > 1 and _run_of(place) in kept_runs}
    removed = [place for place in saved.small if place not in small]
    for place, texts in saved.texts.items():
        removed += [(*place, index) for index in range(len(lists.get(place, ())), len(texts))]
    return _Changes(removed, parts, small, lists, runs)


_NOTHING: Final = object()


def _at(items: Sequence[Any], index: int) -> object:
    return items[index] if index < len(items) else _NOTHING


def _run_of(place: Place) -> str | int | None:
    return place[1] if place[0] == "finished_runs" else None


def _fresh_indices(saved: Sequence[Any], items: Sequence[Any]) -> list[int]:
    same = [index for index, (former, item) in enumerate(zip(saved, items, strict=False)) if former is not item]
    return [*same, *range(len(saved), len(items))]


def _with_fresh_only(
    state: Any, fresh_runs: Iterable[int], lists: Mapping[Place, Sequence[Any]], fresh: Mapping[Place, Sequence[int]]
) -> BaseModel:
    """The state with those runs and items alone that are not saved."""

    def items(*place: str | int) -> list[Any]:
        return [lists[place][index] for index in fresh[place]]

    runs = [
        state.finished_runs[number].model_copy(
            update={name: items("finished_runs", number, name) for name in _GROWING_IN_RUN}
        )
        for number in fresh_runs
    ]
    changes = {name: items(name) for name in _GROWING} | {"finished_runs": runs}
    reduced: BaseModel = state.model_construct(state.model_fields_set, **dict(state) | changes)
    return reduced


def _parts_of(
    state: Mapping[str, Any],
    fresh_runs: Sequence[int],
    lists: Mapping[Place, Sequence[Any]],
    fresh: Mapping[Place, Sequence[int]],
) -> tuple[dict[Place, str], dict[Place, str]]:
    """The JSON texts of the parts, by their places in the whole document: first the small ones, then items of growing lists."""
    small: dict[Place, str] = {}
    items: dict[Place, str] = {}

    def add_growing(place: Place, content: list[Any]) -> None:
        if not lists[place]:
            small[place] = "[]"
        items.update(((*place, index), json.dumps(item)) for index, item in zip(fresh[place], content, strict=True))

    for name, value in state.items():
        if name in _GROWING:
            add_growing((name,), value)
        elif name in _BY_ITEM:
            small.update(_items_of(value, (name,)))
        elif name == "finished_runs" and lists.keys() > {(each,) for each in _GROWING}:
            for number, run in zip(fresh_runs, value, strict=True):
                for field, content in run.items():
                    place = (name, number, field)
                    if field in _GROWING_IN_RUN:
                        add_growing(place, content)
                    elif isinstance(content, list):
                        small.update(_items_of(content, place))
                    else:
                        small[place] = json.dumps(content)
        else:
            small[name,] = json.dumps(value)
    return small, items


def _items_of(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    items: Any = value.items() if isinstance(value, dict) else enumerate(value)  # pyright: ignore[reportUnknownVariableType] # it is JSON
    if not value:
        yield place, json.dumps(value)
    for key, item in items:
        yield (*place, key), json.dumps(item)


def _joined(parts: Mapping[Place, str]) -> Any:
    """The document again."""
    root: dict[str | int, Any] = {}
    for place, text in parts.items():
        node = root
        for key in place[:-1]:
            node = node.setdefault(key, {})
        node[place[-1]] = json.loads(text)
    return {name: value if (name,) in parts else _with_lists(value) for name, value in root.items()}


def _with_lists(node: Any) -> Any:
    """The same with lists in place of what is keyed by indices."""
    if not isinstance(node, dict) or not node:
        return node  # pyright: ignore[reportUnknownVariableType] # it is JSON
    items: dict[Any, Any] = node  # pyright: ignore[reportUnknownVariableType] # it is JSON
    parts: dict[Any, Any] = {key: _with_lists(part) for key, part in items.items()}
    return [parts[index] for index in sorted(parts)] if isinstance(next(iter(parts)), int) else parts


def _write_all(file: FileIO, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]
