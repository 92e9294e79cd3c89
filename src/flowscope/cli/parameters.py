"""From `--param name=value` to a flow that is set up: the flow's own signature decides what is right.

A value is given as text first, which Pydantic coerces. Where that is refused and the text is JSON, what it says is
given instead.
"""

import json
from collections.abc import Iterable, Mapping, Set
from typing import Any

from pydantic import ValidationError

from ..engine.live import Flow
from ..errors import ParameterError
from .errors import CommandError
from .flow_targets import Target

__all__ = ["read_params", "set_up"]


def read_params(texts: Iterable[str]) -> dict[str, str]:
    """The parameters by name.

    Raises:
        CommandError: One is not `name=value`, or is given twice.
    """
    params: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise CommandError(f"--param wants name=value, found {text!r}")
        if name in params:
            raise CommandError(f"parameter {name!r} is given twice")
        params[name] = value
    return params


def set_up(target: Target, params: Mapping[str, str]) -> Flow[Any]:
    """The flow with its parameters, ready to be executed.

    Raises:
        CommandError: A parameter is bad, unknown or missing, or the flow refuses to be set up.
    """
    values: dict[str, Any] = dict(params)
    texts = dict(params)
    while True:
        try:
            return target.build(values)
        except ParameterError as error:
            refused, reason = _refused(target, error, texts.keys()), str(error)
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False, include_input=False)
            refused = {str(problem["loc"][0]) for problem in problems if problem["loc"]}
            reason = "; ".join(_told(problem["loc"], problem["msg"]) for problem in problems)
        except (TypeError, CommandError) as error:
            raise CommandError(f"{error}. {_listed(target.parameters)}") from error
        except Exception as error:
            raise CommandError(f"the flow cannot be set up: {type(error).__qualname__}: {error}") from error
        parsed = dict(_parsed({name: text for name, text in texts.items() if name in refused}))
        if not parsed:
            raise CommandError(reason)
        values.update(parsed)
        texts = {name: text for name, text in texts.items() if name not in parsed}


def _refused(target: Target, error: ParameterError, names: Set[str]) -> Set[str]:
    """The names whose values did not fit; what `**options` collects is refused as a whole."""
    return {error.parameter} if error.parameter in names else names - set(target.parameters)


def _parsed(texts: Mapping[str, str]) -> Iterable[tuple[str, Any]]:
    for name, text in texts.items():
        try:
            yield name, json.loads(text)
        except (ValueError, RecursionError):
            continue


def _told(place: tuple[int | str, ...], message: str) -> str:
    return f"parameter {'.'.join(map(str, place))!r}: {message}" if place else message


def _listed(names: list[str]) -> str:
    return f"Parameters: {', '.join(names)}" if names else "It takes no parameters"
