"""Decisions about the attempts of a call, one rule a file."""
