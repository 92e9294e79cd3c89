"""Values that a call is given, providers before it and closed after it."""
