"""The decisions of a coordinator: dependencies, order, outcomes."""
