"""The file that the run JSON goes to."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from pydantic_core import PydanticSerializationError

from .._clock import new_token
from ..model.records import FlowRun
from .errors import CommandError

__all__ = ["RecordFile"]


class RecordFile:
    """Where a record is to be written; found possible before the run."""

    def __init__(self, path: Path) -> None:
        """Check the path.

        Raises:
            CommandError: Nothing can be written there.
        """
        self.path = path
        try:
            self._check()
        except (OSError, RuntimeError, ValueError) as error:  # a name too long, a loop of links, a null character
            raise self._refusal(_reason(error)) from error

    def write(self, record: FlowRun[object]) -> None:
        """Write the record as JSON; a file that is replaced hands on its mode and, where that is permitted, its owner.

        Raises:
            CommandError: It could not be written; a file that was there before is as it was.
        """
        try:
            text = record.model_dump_json(indent=2) + "\n"
            if self._is_replaced:
                self._replace(text)
            else:
                self._real.write_text(text, encoding="utf-8")
        except PydanticSerializationError as error:  # it stands for an interrupt, too
            raise self._refusal(str(error)) from error
        except OSError as error:
            raise self._refusal(_reason(error)) from error

    def _check(self) -> None:
        is_special = self.path.exists() and not self.path.is_file()  # a pipe may have no name of its own
        self._real = self.path if is_special else self.path.resolve()
        folder = self._real.parent
        if not folder.is_dir():
            raise self._refusal(f"there is no directory {str(folder)!r}")
        if not is_special and self._real.is_symlink():
            raise self._refusal("its link leads in a circle")
        with suppress(FileNotFoundError):
            self._real.lstat()
        if self._real.is_dir():
            raise self._refusal("it is a directory")
        if not os.access(folder if self._is_replaced else self._real, os.W_OK):
            raise self._refusal("it is not permitted")

    @property
    def _is_replaced(self) -> bool:
        """A pipe or device is written to; a file is replaced, so that it is never seen half written."""
        return self._real.is_file() or not self._real.exists()

    def _replace(self, text: str) -> None:
        found = self._real.stat() if self._real.exists() else None
        new = self._real.with_name(f".flowscope-{new_token()}.tmp")
        mode = 0o666 if found is None else 0o600  # the umask applies, and a private file is private from the start
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
                file.write(text)
            if found is not None:
                _take_over(new, found)
            new.replace(self._real)
        finally:
            new.unlink(missing_ok=True)

    def _refusal(self, reason: str) -> CommandError:
        return CommandError(f"cannot write {str(self.path)!r}: {reason}")


def _take_over(new: Path, found: os.stat_result) -> None:
    """Give a file the owner, the group and the mode of the one that it replaces."""
    mode = stat.S_IMODE(found.st_mode)
    if hasattr(os, "chown"):
        for owner, group in ((-1, found.st_gid), (found.st_uid, -1)):
            try:
                os.chown(new, owner, group)
            except PermissionError:
                continue
    new.chmod(mode)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
