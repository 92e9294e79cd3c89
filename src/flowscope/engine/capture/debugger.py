"""Separates the output of a debugger from the prints of the flow."""

import functools
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any

__all__ = ["hook_debugger", "reads_for_debugger"]


def hook_debugger(bypass: Callable[[], AbstractContextManager[None]]) -> None:
    """Run the interaction of `pdb` and its subclasses in a `bypass()` block. Idempotent.

    It imports nothing: a program without `pdb` in `sys.modules` does not use it.
    """
    kind: Any = getattr(sys.modules.get("pdb"), "Pdb", None)
    interaction = getattr(kind, "interaction", None)
    if interaction is None or getattr(interaction, "_flowscope_bypass", None) is bypass:
        return

    @functools.wraps(interaction)
    def interaction_past_flow(*args: Any, **kwargs: Any) -> Any:
        with bypass():
            return interaction(*args, **kwargs)

    vars(interaction_past_flow)["_flowscope_bypass"] = bypass
    kind.interaction = interaction_past_flow


def reads_for_debugger(frame: FrameType) -> bool:
    """Whether a frame looks up `sys.stdout` for the constructor of a debugger."""
    if frame.f_globals.get("__name__") != "cmd":
        return False
    debugger: Any = getattr(sys.modules.get("bdb"), "Bdb", None)
    return debugger is not None and isinstance(frame.f_locals.get("self"), debugger)
