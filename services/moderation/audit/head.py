"""The head of the audit: the newest checkpoint's number, time and hash, signed. Small enough to be printed or mailed.

Whoever keeps one can show later that nothing before it was rewritten: every checkpoint carries the hash of the one before.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.identity.statements import Seal, StatementRefused, check, sealed

ABOUT: Final = "konullu audit head 1"
FIELDS: Final = ("about", "at", "hash", "number", "signature")


class HeadRefused(ValueError):
    """What was given is no exported head. The text says why."""


def seal_of(number: int, at: str, hashed: str, key: Ed25519PrivateKey) -> Seal:
    """The signature of a checkpoint."""
    return sealed(ABOUT, {"number": number, "at": at, "hash": hashed}, key)


@dataclass(frozen=True, slots=True)
class Head:
    """A checkpoint as outsiders keep it."""

    number: int
    """Counts from 1."""
    at: str
    """RFC 3339 in UTC."""
    hash: str
    """SHA-256 of the checkpoint, in hexadecimal."""
    seal: Seal

    @classmethod
    def of(cls, checkpoint: Mapping[str, Any]) -> Self:
        """The head that a stored checkpoint is. Raises `HeadRefused` when it is not signed."""
        try:
            seal = Seal.of(checkpoint.get("signature"))
        except StatementRefused as refused:
            text = f"checkpoint {checkpoint['_id']}: {refused}"
            raise HeadRefused(text) from None
        return cls(checkpoint["_id"], checkpoint["at"], checkpoint["hash"], seal)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The head in an exported file. Raises `HeadRefused`."""
        try:
            found = json.loads(text)
        except (RecursionError, ValueError):
            raise HeadRefused("it is no JSON") from None
        if not isinstance(found, dict) or sorted(found) != sorted(FIELDS) or found["about"] != ABOUT:
            raise HeadRefused(
                f"it is not what `konullu audit head` prints: an object with {', '.join(FIELDS)}"
            )
        number, at, hashed = found["number"], found["at"], found["hash"]
        if type(number) is not int or number < 1 or not isinstance(at, str) or not isinstance(hashed, str):
            raise HeadRefused("a field is of another kind than `konullu audit head` prints")
        try:
            return cls(number, at, hashed, Seal.of(found["signature"]))
        except StatementRefused as refused:
            raise HeadRefused(str(refused)) from None

    def document(self) -> dict[str, Any]:
        """As it is exported."""
        return {
            "about": ABOUT,
            "number": self.number,
            "at": self.at,
            "hash": self.hash,
            "signature": self.seal.document(),
        }

    def check(self, keys: Mapping[str, Ed25519PublicKey]) -> None:
        """Return when one of `keys` signed it. Raises `StatementRefused`."""
        check(ABOUT, {"number": self.number, "at": self.at, "hash": self.hash}, self.seal, keys)
