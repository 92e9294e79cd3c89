from collections.abc import Callable
from typing import TypeVar

_F = TypeVar("_F", bound=Callable[..., object])

def task(**task_kwargs: object) -> Callable[[_F], _F]: ...
