"""The file of a job while it runs: a base document, then one line for each checkpoint with what has changed.

The first line says up to which byte the file is valid. It is rewritten in place after a line has been appended, so a
process that is killed amid an append leaves the state before it, and a file that is cut short is noticed.
"""

import json
import os
from collections.abc import Iterator, Mapping
from hashlib import sha256
from io import FileIO
from pathlib import Path
from typing import Any, Final

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
_BY_ITEM: Final = frozenset(
    {"execution_history", "measures", "pause_points", "pending_activations", "routine_states", "shared_log"}
)
"""The fields of a job that are compared item by item; the runs in `finished_runs` are compared deeper."""

Place = tuple[str | int, ...]
"""Keys and indices that lead to a part of the document."""


class JobJournal:
    """Writes the checkpoints of one job into one file; used under the job's lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parts: dict[Place, str] = {}
        """The JSON texts of the document as the file has it."""
        self._state: Any = None
        """The state of the last save."""
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
        known = _known_counts(self._state, state)
        parts = {
            place: text
            for place, text in self._parts.items()
            if place[:-1] in known and place[-1] in range(known[place[:-1]])
        }
        parts.update(_parts_of(json.loads(document(_without(state, known))), known))
        if not self._try_append(parts):
            self._write_base(parts)
        self._parts, self._state = parts, state

    def _write_base(self, parts: Mapping[Place, str]) -> None:
        line, digest = _line(_changes({}, parts), "")
        size = _HEADER_SIZE + len(line)
        file_status = replace_file(self._path, _header(size) + line)
        self._file_id = file_status.st_dev, file_status.st_ino
        self._base_size = self._size = size
        self._digest = digest

    def _try_append(self, parts: Mapping[Place, str]) -> bool:
        """Append the changes; False if a base document is due, or the file is another one by now."""
        if self._file_id is None or self._size - self._base_size > max(self._base_size, _SMALLEST_LIMIT):
            return False
        line, digest = _line(_changes(self._parts, parts), self._digest)
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


def _changes(before: Mapping[Place, str], after: Mapping[Place, str]) -> bytes:
    removed = [part for part in before if part not in after]
    changed = [(part, text) for part, text in after.items() if before.get(part) != text]
    return json.dumps({"removed": removed, "set": changed}).encode()


def _known_counts(before: Any, after: Any) -> dict[Place, int]:
    """How many items at the start of those lists that grow with the history are the same as at the last save."""
    known: dict[Place, int] = {}
    if before is None:
        return known
    for name in ("execution_history", "shared_log"):
        former, present = getattr(before, name), getattr(after, name)
        if (
            former
            and len(present) >= len(former)
            and present[0] is former[0]
            and present[len(former) - 1] is former[-1]
        ):
            known[name,] = len(former)
    number = len(after.finished_runs) - 1
    if number >= 0 and len(before.finished_runs) == number + 1:
        former, present = before.finished_runs[number].tasks, after.finished_runs[number].tasks
        ended = next((index for index, task in enumerate(former) if task.end_time is None), len(former))
        if ended and len(present) >= ended and present[0].task_id == former[0].task_id:
            known["finished_runs", number, "tasks"] = ended
    return known


def _without(state: Any, known: Mapping[Place, int]) -> BaseModel:
    """The state without the items that are known."""
    changes: dict[str, Any] = {}
    for place, count in known.items():
        name: Any = place[0]
        if len(place) == 1:
            changes[name] = getattr(state, name)[count:]
        else:
            *earlier, present = state.finished_runs
            changes[name] = [*earlier, present.model_copy(update={"tasks": present.tasks[count:]})]
    reduced: BaseModel = state.model_construct(state.model_fields_set, **dict(state) | changes)
    return reduced


def _parts_of(state: Mapping[str, Any], known: Mapping[Place, int]) -> Iterator[tuple[Place, str]]:
    """The JSON texts of the parts that are compared, by their places; the items that are known are left out."""
    for name, value in state.items():
        if name in _BY_ITEM:
            yield from _items_of(value, (name,), known.get((name,), 0))
        elif name == "finished_runs" and value:
            for number, run in enumerate(value):
                for field, content in run.items():
                    place = (name, number, field)
                    if isinstance(content, list):
                        yield from _items_of(content, place, known.get(place, 0))  # pyright: ignore[reportUnknownArgumentType] # it is JSON
                    else:
                        yield place, json.dumps(content)
        else:
            yield (name,), json.dumps(value)


def _items_of(value: Any, place: Place, known: int) -> Iterator[tuple[Place, str]]:
    items: Any = value.items() if isinstance(value, dict) else enumerate(value, known)  # pyright: ignore[reportUnknownVariableType] # it is JSON
    if not value and not known:
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
