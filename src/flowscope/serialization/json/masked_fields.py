"""What tells the writer of a record that the JSON of its values has to be masked."""

from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["MaskedFields"]


class MaskedFields(set[str]):
    """The fields of a record whose values have classes with a say in their JSON, which is masked once it is written."""

    def __init__(self, names: Iterable[str], mask: Callable[[Any], Any]) -> None:
        super().__init__(names)
        self.mask = mask
        """Takes the JSON, and gives it without secrets."""

    def __reduce__(self) -> tuple[Any, ...]:
        return MaskedFields, (tuple(self), self.mask)
