"""Attempts in worker processes: requests, messages, the worker, and the replay of its messages."""
