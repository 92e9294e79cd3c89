"""A graph as JSON."""
