"""The attributes of an object, those of its slots included, read without asking its class."""

from types import MemberDescriptorType
from typing import Any

from .introspection import bases_of, class_of

__all__ = ["attributes_of", "slots_of"]


def attributes_of(value: Any) -> dict[str, Any]:
    """Name to value; a slot that is not set is left out.

    Raises:
        TypeError: The object has neither slots nor a dict.
    """
    held = slots_of(value)
    return {**held, **vars(value)} if hasattr(value, "__dict__") or not held else held


def slots_of(value: Any) -> dict[str, Any]:
    """Name to value of the slots that are set."""
    slots = {
        name: slot
        for base in reversed(bases_of(class_of(value)))
        for name, slot in vars(base).items()
        if isinstance(slot, MemberDescriptorType)
    }
    held: dict[str, Any] = {}
    for name, slot in slots.items():
        try:
            held[name] = slot.__get__(value)
        except AttributeError:
            continue
    return held
