"""Slots and events, and handlers as they are bound to slots."""
