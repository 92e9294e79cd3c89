"""Events on their way from a run to its listeners."""
