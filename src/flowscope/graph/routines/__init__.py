"""Routines: slots, events, merges, conditions, stock routines."""
