"""The openings of `scope="flow"` providers, and the openings that each waits for: none waits for itself."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from ...errors import InjectionError
from ..definitions.injection_plan import Provider

__all__ = ["OpeningWaits"]


class OpeningWaits:
    """The providers of one run whose openings wait for others.

    An opening is known by its context, which the asyncio tasks and submitted tasks that it starts share: the opening
    counts as waiting for all that they wait for while it lasts.
    """

    __slots__ = ("_lock", "_waits")

    def __init__(self) -> None:
        self._waits: dict[Callable[..., Any], list[Callable[..., Any]]] = {}
        """The functions of providers that are being opened, and of those that each waits for."""
        self._lock = threading.RLock()

    @contextmanager
    def opening(self, provider: Provider) -> Generator[None]:
        """A block in which the present context opens a provider."""
        opening = _Opening(self, provider.function)
        _present.set(opening)
        try:
            yield
        finally:
            opening.waits = None

    @contextmanager
    def waiting_for(self, provider: Provider) -> Generator[None]:
        """A block that waits for the value of a provider.

        Raises:
            InjectionError: It is part of the opening of a provider that this one waits for, or of its own.
        """
        opening = _present.get()
        if opening is None or opening.waits is not self:
            yield
            return
        with self._lock:
            if self._reaches(provider.function, opening.function, set()):
                reason = "its own opening waits for it. Let the provider open without tasks and providers that need it."
                raise InjectionError(provider.definition.name, "yield", reason)
            self._waits.setdefault(opening.function, []).append(provider.function)
        try:
            yield
        finally:
            with self._lock:
                self._waits[opening.function].remove(provider.function)

    def _reaches(self, waiting: Callable[..., Any], wanted: Callable[..., Any], seen: set[Callable[..., Any]]) -> bool:
        """Whether a provider is another one, or waits for it, directly or through others."""
        if waiting == wanted:
            return True
        if waiting in seen:
            return False
        seen.add(waiting)
        return any(self._reaches(each, wanted, seen) for each in self._waits.get(waiting, ()))


class _Opening:
    """One opening of a provider."""

    __slots__ = ("function", "waits")

    def __init__(self, waits: OpeningWaits, function: Callable[..., Any]) -> None:
        self.waits: OpeningWaits | None = waits
        """None after its end."""
        self.function = function


_present: Final[ContextVar[_Opening | None]] = ContextVar("flowscope_opening", default=None)
