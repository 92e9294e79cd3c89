# The part of OSBot-Utils that the benchmarks use; it has no types of its own.
