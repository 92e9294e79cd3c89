# The part of Routilux 0.10 that the benchmarks use; it has no marker for its types.

from collections.abc import Callable, Mapping, Sequence

class Event: ...
class Slot: ...
class Connection: ...

class JobState:
    execution_history: list[object]

class Routine:
    def define_event(self, name: str, output_params: Sequence[str] | None = None) -> Event: ...
    def define_slot(
        self, name: str, handler: Callable[..., object] | None = None, merge_strategy: str = "override"
    ) -> Slot: ...
    def emit(self, event_name: str, **kwargs: object) -> None: ...

class Flow:
    def __init__(
        self,
        flow_id: str | None = None,
        execution_strategy: str = "sequential",
        max_workers: int = 5,
        execution_timeout: float | None = None,
    ) -> None: ...
    def add_routine(self, routine: Routine, routine_id: str | None = None) -> str: ...
    def connect(
        self,
        source_routine_id: str,
        source_event: str,
        target_routine_id: str,
        target_slot: str,
        param_mapping: Mapping[str, str] | None = None,
    ) -> Connection: ...
    def execute(
        self,
        entry_routine_id: str,
        entry_params: Mapping[str, object] | None = None,
        execution_strategy: str | None = None,
        timeout: float | None = None,
    ) -> JobState: ...
    def wait_for_completion(self, timeout: float | None = None, job_state: JobState | None = None) -> bool: ...
    def shutdown(self, wait: bool = True, timeout: float | None = None) -> None: ...
