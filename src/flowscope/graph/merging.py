"""What a handler gets of the messages of its slot: the merge as of its own message, as a snapshot."""

from typing import Any

from .ports import MergeStrategy

__all__ = ["merged", "snapshot"]


def merged(strategy: MergeStrategy, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The merge with one more message; `old` stays as it is."""
    if strategy == "override":
        return new
    if strategy == "append":
        return {**old, **{key: [*old.get(key, ()), value] for key, value in new.items()}}
    return strategy(snapshot(old), new)


def snapshot(data: dict[str, Any]) -> dict[str, Any]:
    """The same data in containers of its own, so that nobody's change reaches anybody else."""
    return {key: _own(value) for key, value in data.items()}


def _own(value: Any) -> Any:
    if type(value) is list:
        return [_own(item) for item in value]
    if type(value) is dict:
        return {key: _own(item) for key, item in value.items()}
    return value
