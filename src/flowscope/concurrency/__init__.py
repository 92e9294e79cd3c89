"""Thread and event loop primitives, which know nothing of flows."""
