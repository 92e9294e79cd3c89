"""The options of `@flow` and `@task`: their names and types, checked when a function is decorated."""

from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any, Final, SupportsIndex

from ...errors import DefinitionError
from ...model.config import FlowConfig
from ...serialization.json_leaves import safe_repr

__all__ = ["check_names", "check_types", "tags_of"]

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
"""What people call options who come from elsewhere."""


def check_names(decorator: str, function: str, unknown: Iterable[str], known: Iterable[str]) -> None:
    """Refuse options that there are not.

    Args:
        decorator: "flow" or "task".
        function: The name of the function that is decorated.
        unknown: The names of the options that nobody knows.
        known: The names that there are.

    Raises:
        DefinitionError: There is an unknown one.
    """
    for name in unknown:
        from difflib import get_close_matches  # noqa: PLC0415 - nobody needs it who knows the names

        options = sorted(known)
        meant = _OTHER_NAMES[decorator].get(name) or next(iter(get_close_matches(name, options, 1)), None)
        advice = f"use {meant}= instead" if meant else f"the options are {', '.join(options)}"
        raise DefinitionError(f"{decorator} {function!r}", f"@{decorator} has no option {name!r}; {advice}.")


def check_types(what: str, options: Mapping[str, object]) -> None:
    """Refuse options of a type that cannot work.

    Raises:
        DefinitionError: There is one; `what` says whose it is.
    """
    for name, value in options.items():
        fits, wanted = _WANTED[name]
        if not fits(value):
            raise DefinitionError(what, f"{name} is {safe_repr(value)}, wanted {wanted}.")


def tags_of(tags: object) -> tuple[str, ...]:
    """Tags as they are kept: a text is one tag.

    Raises:
        TypeError: It is neither a text nor an iterable of texts.
    """
    if isinstance(tags, str):
        return (tags,)
    given: Any = tags
    made = tuple(given)
    if not all(isinstance(tag, str) for tag in made):
        raise TypeError("a tag is no text")
    return made


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, _REAL) and not isinstance(value, bool)


def _are_tags(value: object) -> bool:
    try:
        tags_of(value)
    except TypeError:
        return False
    return True


_REAL: Any = Real
_NAME: Final = (_is_text, "a text, or None")
_YES_OR_NO: Final = (_is_bool, "True or False")
_WANTED: Final[Mapping[str, tuple[Callable[[object], bool], str]]] = {
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
    "retry_delay": (_is_number, "a number of seconds"),
    "retry_backoff": (_is_number, "a number"),
    "retry_jitter": (_is_number, "a number"),
    "timeout": (
        lambda value: value is None or _is_number(value),
        "a number of seconds above 0, or None for no limit",
    ),
    "tags": (_are_tags, "a text, or a tuple of texts"),
}
