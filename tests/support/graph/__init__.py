"""Routines and graphs, where other processes can import them."""
