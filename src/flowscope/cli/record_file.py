"""The file that the run JSON goes to."""

import os
from pathlib import Path

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
        is_special = path.exists() and not path.is_file()  # a pipe may have no name of its own
        self._real = path if is_special else path.resolve()
        folder = self._real.parent
        if not folder.is_dir():
            raise CommandError(f"cannot write {str(path)!r}: there is no directory {str(folder)!r}")
        if self._real.is_dir():
            raise CommandError(f"cannot write {str(path)!r}: it is a directory")
        if not os.access(folder if self._is_replaced else self._real, os.W_OK):
            raise CommandError(f"cannot write {str(path)!r}: it is not permitted")

    @property
    def _is_replaced(self) -> bool:
        """A pipe or device is written to; a file is replaced, so that it is never seen half written."""
        return self._real.is_file() or not self._real.exists()

    def write(self, record: FlowRun[object]) -> None:
        """Write the record as JSON.

        Raises:
            CommandError: It could not be written; a file that was there before is as it was.
        """
        text = record.model_dump_json(indent=2) + "\n"
        target = self._real.with_name(f".{self._real.name}.{new_token()}") if self._is_replaced else self._real
        try:
            target.write_text(text, encoding="utf-8")
            if target is not self._real:
                target.replace(self._real)
        except OSError as error:
            raise CommandError(f"cannot write {str(self.path)!r}: {error.strerror or error}") from error
        finally:
            if target is not self._real:
                target.unlink(missing_ok=True)
