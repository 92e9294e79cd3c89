"""The options of `@flow` and `@task`: their names and types, checked when a function is decorated."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Real
from operator import index
from typing import Any, Final, SupportsIndex, cast

from ...errors import DefinitionError
from ...model.config import FlowConfig
from ...serialization.json.json_leaves import safe_repr

__all__ = ["check_names", "check_types", "is_number", "tags_of", "whole_number"]

_OTHER_NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    "flow": {
        "name": "flow_name",
        "task_name": "flow_name",
        "id": "flow_id",
        "config": "flow_config",
        "tag": "tags",
        "validate_parameters": "validate",
    },
    "task": {
        "name": "task_name",
        "flow_name": "task_name",
        "tag": "tags",
        "validate_parameters": "validate",
        "retry_delay_seconds": "retry_delay",
        "retry_jitter_factor": "retry_jitter",
        "timeout_seconds": "timeout",
    },
}
"""The names of options in other libraries."""


def check_names(decorator: str, function: str, unknown: Iterable[str], known: Iterable[str]) -> None:
    """Refuse unknown options.

    Args:
        decorator: "flow" or "task".
        function: The name of the function that is decorated.
        unknown: The names of the unknown options.
        known: The names of all options.

    Raises:
        DefinitionError: An option is unknown.
    """
    for name in unknown:
        from difflib import get_close_matches  # noqa: PLC0415 - only an error needs it

        options = sorted(known)
        meant = _OTHER_NAMES[decorator].get(name) or next(iter(get_close_matches(name, options, 1)), None)
        advice = f"use {meant}= instead" if meant else f"the options are {', '.join(options)}"
        raise DefinitionError(f"{decorator} {function!r}", f"@{decorator} has no option {name!r}; {advice}.")


def check_types(owner: str, options: Mapping[str, object]) -> None:
    """Refuse options of a type that cannot work.

    Raises:
        DefinitionError: An option has such a type; the error names the `owner`.
    """
    for name, value in options.items():
        is_valid, expectation = _EXPECTED[name]
        if not is_valid(value):
            raise DefinitionError(owner, f"{name} is {safe_repr(value)}, wanted {expectation}.")


def tags_of(tags: object) -> tuple[str, ...]:
    """The tags as a tuple: a text is one tag.

    Raises:
        TypeError: The value is neither a text nor an iterable of texts.
    """
    if isinstance(tags, str):
        return (tags,)
    iterable: Any = tags
    texts = tuple(iterable)
    if not all(isinstance(tag, str) for tag in texts):
        raise TypeError("a tag is no text")
    return texts


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def is_number(value: object) -> bool:
    """Whether a value is a real number; True and False are none."""
    return isinstance(value, _REAL) and not isinstance(value, bool)


def whole_number(value: object) -> int | None:
    """The number that a value is, as an int; None if it is no whole number, as True and False are none."""
    if not isinstance(value, SupportsIndex) or isinstance(value, bool):
        return None
    try:
        return index(value)
    except TypeError:  # as for arrays, which are numbers only if they have one element
        return None


def _is_delay(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        delays = cast("Sequence[object]", value)
        return bool(delays) and all(map(is_number, delays))
    return is_number(value) or callable(value)


def _are_tags(value: object) -> bool:
    try:
        tags_of(value)
    except TypeError:
        return False
    return True


_REAL: Any = Real
_NAME: Final = (_is_text, "a text, or None")
_YES_OR_NO: Final = (_is_bool, "True or False")
_EXPECTED: Final[Mapping[str, tuple[Callable[[object], bool], str]]] = {
    "flow_name": _NAME,
    "task_name": _NAME,
    "flow_id": (lambda value: _is_text(value) and value != "", "a text that is not empty, or None"),
    "flow_config": (
        lambda value: value is None or isinstance(value, FlowConfig),
        "a FlowConfig, or None for the defaults",
    ),
    "raise_on_error": _YES_OR_NO,
    "validate": _YES_OR_NO,
    "retries": (
        lambda value: isinstance(value, SupportsIndex) and not isinstance(value, bool),
        "a whole number of extra attempts",
    ),
    "retry_delay": (_is_delay, "a number of seconds, a sequence of them, or a function of the attempt"),
    "run_name": (lambda value: _is_text(value) or callable(value), "a text, a function of the parameters, or None"),
    "description": _NAME,
    "retry_backoff": (is_number, "a number"),
    "retry_jitter": (is_number, "a number"),
    "timeout": (
        lambda value: value is None or is_number(value),
        "a number of seconds above 0, or None for no limit",
    ),
    "tags": (_are_tags, "a text, or a tuple of texts"),
}
