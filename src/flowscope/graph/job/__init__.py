"""One job: its options, state, file and record."""
