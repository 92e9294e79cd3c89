"""The text of Pydantic's validation errors, which show the input that was refused."""

from collections.abc import Iterable
from typing import Any, Protocol

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from .introspection import INTERRUPTIONS

__all__ = ["masked_validation_text"]


class _Masks(Protocol):
    """The part of a redactor that is needed here."""

    def hides(self, name: object) -> bool:
        """Whether a name is that of a secret."""
        ...

    def mask_named(self, name: object, value: Any) -> Any:
        """The value with its secrets masked, or all of it, if its name says that it is one."""
        ...

    def texts_in(self, value: Any) -> set[str]:
        """The secret texts that a value holds."""
        ...

    def mask_texts(self, text: str, secrets: Iterable[str]) -> str:
        """The text without secrets."""
        ...


def masked_validation_text(error: ValidationError, masks: _Masks) -> str | None:
    """The text with each input masked by its place; None if there is nothing to mask.

    An input under the name of a secret is masked as a whole, and a secret of any input also where a message repeats it.
    """
    try:
        return _text(error, masks)
    except INTERRUPTIONS:
        raise
    except Exception:  # inputs that defend themselves against being read
        return f"{error.error_count()} validation errors for {error.title}"


def _text(error: ValidationError, masks: _Masks) -> str | None:
    problems = error.errors(include_url=False, include_context=False)
    secrets: set[str] = set()
    masked: list[InitErrorDetails] = []
    is_masked = False
    for problem in problems:
        name = next(filter(masks.hides, problem["loc"]), None)
        found = masks.texts_in({name: problem["input"]} if name is not None else problem["input"])
        shown = masks.mask_named(name, problem["input"])
        is_masked = is_masked or bool(found) or shown is not problem["input"]
        secrets |= found
        masked.append(InitErrorDetails(type=problem["type"], loc=problem["loc"], input=shown))
    if not is_masked:
        return None
    for problem, line in zip(problems, masked, strict=True):
        message = masks.mask_texts(problem["msg"], secrets)
        kind: Any = problem["type"]
        line["type"] = PydanticCustomError(kind, "{message}", {"message": message})
    return masks.mask_texts(str(ValidationError.from_exception_data(error.title, masked)), secrets)
