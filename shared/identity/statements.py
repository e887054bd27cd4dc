"""Small facts that a service signs: a statement is what it is about, and fields that are text or numbers. Pure."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.identity.tokens import key_id


class StatementRefused(ValueError):
    """The statement is not what its signer said. The text says in which way."""


@dataclass(frozen=True, slots=True)
class Seal:
    """An Ed25519 signature over the canonical JSON (RFC 8785) of a statement."""

    kid: str
    value: str
    """Base64url without padding."""

    def document(self) -> dict[str, str]:
        """As it is stored and exported."""
        return {"kid": self.kid, "value": self.value}

    @classmethod
    def of(cls, document: Any) -> Self:
        """The seal in a stored document. Raises `StatementRefused` when there is none."""
        if (
            not isinstance(document, Mapping)
            or sorted(document) != ["kid", "value"]
            or not all(isinstance(each, str) for each in document.values())
        ):
            raise StatementRefused("it has no signature")
        return cls(document["kid"], document["value"])


def sealed(about: str, fields: Mapping[str, str | int], key: Ed25519PrivateKey) -> Seal:
    """The signature of a statement. `about` names its kind, so that one kind never passes for another."""
    value = base64.urlsafe_b64encode(key.sign(_bytes(about, fields))).decode().rstrip("=")
    return Seal(key_id(key.public_key()), value)


def check(
    about: str, fields: Mapping[str, str | int], seal: Seal, keys: Mapping[str, Ed25519PublicKey]
) -> None:
    """Return when one of `keys` (by id) signed exactly this. Raises `StatementRefused`."""
    key = keys.get(seal.kid)
    if key is None:
        text = f"no key {seal.kid[:16]!r} is known"
        raise StatementRefused(text)
    try:
        value = base64.urlsafe_b64decode(seal.value + "=" * (-len(seal.value) % 4))
        key.verify(value, _bytes(about, fields))
    except (InvalidSignature, rfc8785.CanonicalizationError, TypeError, ValueError):
        raise StatementRefused("its signature does not fit") from None
    # Another spelling of the same bytes is a change too.
    if base64.urlsafe_b64encode(value).decode().rstrip("=") != seal.value:
        raise StatementRefused("its signature does not fit")


def _bytes(about: str, fields: Mapping[str, str | int]) -> bytes:
    return rfc8785.dumps({"about": about, "fields": dict(fields)})
