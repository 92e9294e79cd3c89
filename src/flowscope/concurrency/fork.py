"""The state of a process that its forked children must not share: the one place where modules register its renewal."""

import os
from collections.abc import Callable
from typing import TypeVar

__all__ = ["call_in_forked_children"]

F = TypeVar("F", bound=Callable[[], object])


def call_in_forked_children(function: F) -> F:
    """Call a function in each child that is forked from now on, before its own code runs; usable as a decorator.

    Functions are called in the order of their registration. Where processes do not fork, nothing happens.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=function)
    return function
