"""Values in records."""
