"""The passwords of URLs, in any text."""

import re
from typing import Final

from ..introspection import MASK

__all__ = ["mask_url_passwords"]

_PASSWORD: Final = re.compile(r"""(:\\?/\\?/[^\s/?#@:"<>\\]*:)[^\s/?#"<>]+@""")
"""The user information of a URL as RFC 3986 has it; the slashes may be escaped, as some writers of JSON do."""


def mask_url_passwords(text: str) -> str:
    """The text with the passwords of its URLs masked; the very text if there are none."""
    if "@" not in text or "/" not in text:
        return text
    masked = _PASSWORD.sub(rf"\g<1>{MASK}@", text)
    return text if masked == text else masked
