from collections.abc import Callable
from typing import ParamSpec

from ..Flow import Flow

_P = ParamSpec("_P")

def flow(**flow_kwargs: object) -> Callable[[Callable[_P, object]], Callable[_P, Flow]]: ...
