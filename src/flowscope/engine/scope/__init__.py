"""The scope that code runs in, and the live call inside it."""
