"""The texts of exceptions, which show what they were made of: arguments, attributes, inputs that Pydantic refused."""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from ..introspection import INTERRUPTIONS, class_of, has_base
from ..shown_parts import attributes_shown, causes_of, objects_in, parts_shown

__all__ = ["masked_error_text", "masked_inner_errors"]


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

    def text(self, text: str) -> str:
        """A text without the passwords of URLs and the secrets that were noted so far."""
        ...


def masked_error_text(error: BaseException, masks: _Masks) -> str | None:
    """The text of an exception with the secrets masked that it, its parts or its causes hold; None if it shows none."""
    if has_base(class_of(error), ValidationError):
        whole: Any = error
        masked = _masked_validation_text(whole, masks)
        if masked is not None:
            return masks.text(masked)
    try:
        text = str(error)
    except Exception:  # which the caller tells
        return None
    masked = masks.text(masks.mask_texts(masked_inner_errors(text, error, masks), masks.texts_in(error)))
    return None if masked == text else masked


def masked_inner_errors(text: str, value: Any, masks: _Masks) -> str:
    """A text without the inputs in the texts of the validation errors that a value is or holds."""
    for error in _validation_errors_in(value):
        masked = _masked_validation_text(error, masks)
        if masked is not None:
            plain = str(error)
            text = text.replace(plain, masked).replace(repr(plain)[1:-1], repr(masked)[1:-1])
    return text


def _validation_errors_in(value: Any) -> Iterator[ValidationError]:
    for found in objects_in(value, lambda part: parts_shown(part) or attributes_shown(part)):
        if has_base(class_of(found), BaseException):
            yield from (link for link in causes_of(found) if has_base(class_of(link), ValidationError))


def _masked_validation_text(error: ValidationError, masks: _Masks) -> str | None:
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
        name = next(filter(masks.hides, reversed(problem["loc"])), None)
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
