"""Short names that follow from a longer one, so that two services know them without asking each other. Pure."""

from base64 import b32encode
from hashlib import sha256
from typing import Final

CODE_LENGTH: Final = 10
"""Characters of five bits each: 50 bits."""
ID_LENGTH: Final = 26
"""130 bits: no two names share one."""


def base32_of(name: str, length: int) -> str:
    """The first `length` characters of SHA-256 of a name in base32 (RFC 4648), in small letters."""
    return b32encode(sha256(name.encode()).digest()).decode().lower()[:length]


def short_code(name: str) -> str:
    """The code of a short link by its delivery's id, and of a page by its submission's."""
    return base32_of(name, CODE_LENGTH)
