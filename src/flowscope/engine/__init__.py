"""The execution of flows: context, injection, capture, events, lifecycle, flows and tasks."""
