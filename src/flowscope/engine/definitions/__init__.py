"""Functions as they were decorated: their kind, parameters, injection and options."""
