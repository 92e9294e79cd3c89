"""How a flow runs: context, injection, capture, events, lifecycle, flows and tasks."""
