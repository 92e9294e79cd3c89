"""One run: its calls, log, children and records."""
