"""Values that a call is given, opened before it and closed after it."""
