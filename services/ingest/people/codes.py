"""Codes: submission ids and receipts, derived; recovery codes and sign-in links, random and kept hashed.

People copy receipts and recovery codes by hand, so these use Crockford's alphabet, which has no I, L, O and U;
what is typed back may be in small letters, with or without dashes.
"""

import hashlib
import secrets
from typing import Final

from shared.text.short_codes import ID_LENGTH, base32_of

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MISREAD: Final = str.maketrans({"O": "0", "I": "1", "L": "1"})
GROUP: Final = 5
RECOVERY_LENGTH: Final = 20
"""Characters of five bits each: 100 bits."""
RECEIPT_LENGTH: Final = 10


def submission_id(author_id: str, key: str) -> str:
    """The id of the submission that an author sends under an idempotency key: the same key, the same id."""
    return base32_of(f"submission\0{author_id}\0{key}", ID_LENGTH)


def receipt(submission: str) -> str:
    """The short code by which people speak of a submission."""
    bits = int.from_bytes(hashlib.sha256(f"receipt\0{submission}".encode()).digest())
    return _grouped("".join(ALPHABET[(bits >> (5 * place)) % 32] for place in range(RECEIPT_LENGTH)))


def new_recovery_code() -> str:
    """A fresh recovery code."""
    return _grouped("".join(secrets.choice(ALPHABET) for _ in range(RECOVERY_LENGTH)))


def new_secret() -> str:
    """A fresh secret for a sign-in link: 256 bits."""
    return secrets.token_urlsafe(32)


def new_session() -> str:
    """A fresh session id."""
    return secrets.token_urlsafe(12)


def hash_of_code(typed: str) -> str:
    """The hash under which a recovery code is kept, however it was typed."""
    kept = "".join(character for character in typed.upper() if character.isalnum()).translate(MISREAD)
    return hash_of(kept)


def hash_of(secret: str) -> str:
    """The hash under which a secret of at least 100 random bits is kept. Such a secret needs no salt."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _grouped(code: str) -> str:
    return "-".join(code[start : start + GROUP] for start in range(0, len(code), GROUP))
