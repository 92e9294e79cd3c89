"""Names of runs and calls, made of their parameters."""

import logging
from collections.abc import Callable, Iterable, Mapping
from string import Formatter
from typing import Any, Final

from ...errors import DefinitionError
from ...serialization.json.json_leaves import clean_text

__all__ = ["RunName"]

_log: Final = logging.getLogger("flowscope")


class RunName:
    """A template over the parameters, such as "ingest {day}", or a function that gets them as keywords.

    Raises:
        DefinitionError: The template is invalid, or names something that is no parameter.
    """

    __slots__ = ("_make", "_owner")

    def __init__(self, name: str | Callable[..., str], parameters: Iterable[str], owner: str) -> None:
        self._owner = owner
        if isinstance(name, str):
            _check(name, set(parameters), owner)
            self._make: Callable[..., str] = name.format
        else:
            self._make = name

    def of(self, parameters: Mapping[str, Any]) -> str | None:
        """The name for these parameters; None, with a warning, if it cannot be made."""
        try:
            return clean_text(str(self._make(**parameters)))
        except Exception:
            _log.warning("the run name of %s cannot be made", self._owner, exc_info=True)
            return None


def _check(template: str, parameters: set[str], owner: str) -> None:
    try:
        fields = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise DefinitionError(owner, f"run_name is {template!r}, which is no template: {error}.") from None
    for field in fields:
        name = field.partition(".")[0].partition("[")[0]
        if name not in parameters:
            known = ", ".join(sorted(parameters)) or "none"
            raise DefinitionError(owner, f"run_name has the field {field!r}; the parameters are: {known}.")
