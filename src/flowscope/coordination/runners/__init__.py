"""The runs of a coordinator's flows: inline, in threads, in worker processes."""
