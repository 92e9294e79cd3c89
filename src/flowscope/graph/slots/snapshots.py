"""Copies of messages, which share no containers."""

from typing import Any, Final

__all__ = ["CONTAINERS", "snapshot"]

CONTAINERS: Final = frozenset({list, dict, tuple})
"""The types that are copied."""


def snapshot(data: dict[str, Any]) -> dict[str, Any]:
    """The same data, its containers copied, so that nobody's change reaches anybody else."""
    for value in data.values():
        if type(value) in CONTAINERS:
            return {key: _own(value) for key, value in data.items()}
    return data.copy()


def _own(value: Any) -> Any:
    kind: Any = type(value)  # pyright: ignore[reportUnknownVariableType] # it may be anything
    if kind is list:
        plain = CONTAINERS.isdisjoint(map(type, value))  # as long ones mostly are
        return value.copy() if plain else [_own(item) for item in value]
    if kind is dict:
        return {key: _own(item) for key, item in value.items()}
    if kind is tuple:
        return tuple(_own(item) for item in value)
    return value
