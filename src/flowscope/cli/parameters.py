"""From `--param name=value` to a flow that is set up: the flow's own signature decides what is right.

A value is given as text first, which Pydantic coerces. Where that is refused and the text is JSON, what it says is
given instead.
"""

import inspect
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from ..engine.injection import FLOW_NAMES, is_marker
from ..engine.live import Flow
from ..errors import ParameterError
from .errors import CommandError
from .target import Target

__all__ = ["read_params", "set_up"]


def read_params(texts: Iterable[str]) -> dict[str, str]:
    """The parameters by name.

    Raises:
        CommandError: One is not `name=value`, or is given twice.
    """
    params: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (equals and name.isidentifier()):
            raise CommandError(f"--param wants name=value, found {text!r}" if not equals else f"{name!r} is not a name")
        if name in params:
            raise CommandError(f"parameter {name!r} is given twice")
        params[name] = value
    return params


def set_up(target: Target, params: Mapping[str, str]) -> Flow[Any]:
    """The flow with its parameters, ready to be executed.

    Raises:
        CommandError: A parameter is bad, unknown or missing.
    """
    values: dict[str, Any] = dict(params)
    texts = dict(params)
    while True:
        try:
            return _build(target, values)
        except ParameterError as error:
            refused, reason = _refused(target, error, texts), str(error)
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False, include_input=False)
            refused = {str(problem["loc"][0]) for problem in problems if problem["loc"]}
            reason = "; ".join(_told(problem["loc"], problem["msg"]) for problem in problems)
        except TypeError as error:
            raise CommandError(f"{error}. {_known_params(target)}") from error
        except CommandError:
            raise
        except Exception as error:
            raise CommandError(f"the flow cannot be set up: {type(error).__qualname__}: {error}") from error
        parsed = dict(_parsed({name: text for name, text in texts.items() if name in refused}))
        if not parsed:
            raise CommandError(reason)
        values.update(parsed)
        texts = {name: text for name, text in texts.items() if name not in parsed}


def _build(target: Target, values: Mapping[str, Any]) -> Flow[Any]:
    if isinstance(target, Flow):
        _check_names(type(target).__name__, values, _own_fields(type(target)))
        for name, value in values.items():
            setattr(target, name, value)
        return target
    if isinstance(target, type):
        if target.model_config.get("extra") != "allow":
            _check_names(target.__name__, values, _accepted(target))
        return target(**values)
    return target(**values)


def _check_names(flow: str, values: Mapping[str, Any], known: Iterable[str]) -> None:
    """Pydantic ignores what it does not know."""
    names = list(known)
    for name in values:
        if name not in names:
            raise CommandError(f"{flow} has no parameter {name!r}. {_listed(names)}")


def _own_fields(flow: type[Flow[Any]]) -> list[str]:
    return [name for name in flow.model_fields if name not in Flow.model_fields]


def _accepted(flow: type[Flow[Any]]) -> list[str]:
    """The names that the constructor takes; the inputs that the subclass declares come first."""
    aliases = [field.alias for field in flow.model_fields.values() if field.alias is not None]
    return [*_own_fields(flow), *aliases, *Flow.model_fields]


def _refused(target: Target, error: ParameterError, texts: Mapping[str, str]) -> set[str]:
    """The names whose values did not fit; `**options` is refused as a whole."""
    if error.parameter in texts or not callable(target):
        return {error.parameter}
    return texts.keys() - inspect.signature(target).parameters.keys()


def _parsed(texts: Mapping[str, str]) -> Iterable[tuple[str, Any]]:
    for name, text in texts.items():
        try:
            yield name, json.loads(text)
        except (ValueError, RecursionError):
            continue


def _told(place: tuple[int | str, ...], message: str) -> str:
    return f"parameter {'.'.join(map(str, place))!r}: {message}" if place else message


def _known_params(target: Target) -> str:
    if isinstance(target, Flow) or not callable(target):
        return ""
    hidden = frozenset(FLOW_NAMES)
    parameters = inspect.signature(target).parameters.values()
    return _listed([one.name for one in parameters if one.name not in hidden and not is_marker(one.default)])


def _listed(names: list[str]) -> str:
    return f"Parameters: {', '.join(names)}" if names else "It takes no parameters"
