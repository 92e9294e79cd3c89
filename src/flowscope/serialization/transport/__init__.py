"""Values, functions and exceptions on their way to other processes."""
