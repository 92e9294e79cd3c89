"""Bridges to frameworks, one module each; nothing inside the library imports them."""
