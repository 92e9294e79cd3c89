"""The wiring of routines, its validation and its diagram."""
