"""A submitted call, its states, its future, and the port `Executor`."""
