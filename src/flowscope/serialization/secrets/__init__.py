"""Secrets: found by name, by URL and by value, and masked."""
