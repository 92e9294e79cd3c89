"""Prints and standard logging of the code that runs inside flows."""
