"""Tasks for worker processes, which import them from this module."""

from typing import Any

from flowscope import INJECTED, task


@task
def count_primes(numbers: range) -> int:
    print("counting in", numbers)
    return sum(all(number % divisor for divisor in range(2, number)) for number in numbers)


@task
def limit(flow_data: dict[str, Any] = INJECTED) -> int:
    found: int = flow_data["limit"]
    flow_data["limit"] = 0
    return found
