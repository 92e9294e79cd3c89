"""What is recorded: frozen Pydantic models without behaviour."""
