from typing import Any

class Flow:
    flow_return_value: Any
    def execute(self) -> Flow: ...
