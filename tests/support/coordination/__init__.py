"""Flows to coordinate, where worker processes can import them."""
