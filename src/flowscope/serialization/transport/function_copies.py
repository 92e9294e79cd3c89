"""Functions that are copies of functions with names: how other processes make them again.

This module does not import pickle, which a program without other processes does not need.
"""

from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

__all__ = ["COPIES", "arguments_of_copy", "remember_copy"]

COPIES: Final["WeakKeyDictionary[Callable[..., Any], tuple[Callable[..., Any], tuple[Any, ...]]]"] = WeakKeyDictionary()
"""How functions are made again that are copies of functions with names."""


def remember_copy(function: Callable[..., Any], rebuild: Callable[..., Any], *arguments: Any) -> None:
    """Let a function pickle as `rebuild(*arguments)`: no name leads to it."""
    COPIES[function] = rebuild, arguments


def arguments_of_copy(function: Callable[..., Any]) -> tuple[Any, ...] | None:
    """The arguments with which a copy is made again; None for another function."""
    known = COPIES.get(function)
    return None if known is None else known[1]
