"""The records: frozen Pydantic models without behaviour."""
