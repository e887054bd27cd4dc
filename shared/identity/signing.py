"""Signed decisions: access to the bus alone approves nothing.

The signature is Ed25519 over the canonical JSON (RFC 8785) of the event without its `signature`. Only the
fields that were written into the event are signed, so that a consumer whose model has a new optional field
still verifies.
"""

import base64
from collections.abc import Mapping
from typing import TypeVar

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.events import ModerationDecided, Signature
from shared.identity.tokens import key_id

D = TypeVar("D", bound=ModerationDecided)


class SignatureError(ValueError):
    """The event must not be acted on. `code` is `unsigned`, `unknown_key` or `altered`."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def canonical(event: ModerationDecided) -> bytes:
    """The bytes that are signed. Raises `SignatureError` (`altered`) when there are none, as with NaN."""
    try:
        return rfc8785.dumps(event.model_dump(mode="json", exclude_unset=True, exclude={"signature"}))
    except rfc8785.CanonicalizationError as error:
        raise SignatureError("altered", f"the decision has no canonical form: {error}") from error


def sign(event: D, key: Ed25519PrivateKey) -> D:
    """The event with a signature by `key`; what was signed before is signed anew."""
    whole = type(event).model_validate_json(event.model_dump_json(exclude={"signature"}))
    value = base64.urlsafe_b64encode(key.sign(canonical(whole))).decode().rstrip("=")
    return whole.model_copy(update={"signature": Signature(kid=key_id(key.public_key()), value=value)})


def verify(event: ModerationDecided, keys: Mapping[str, Ed25519PublicKey]) -> None:
    """Return when the event carries a good signature by one of `keys` (by id). Raises `SignatureError`."""
    signature = event.signature
    if signature is None:
        raise SignatureError("unsigned", "the decision carries no signature")
    key = keys.get(signature.kid)
    if key is None:
        raise SignatureError("unknown_key", f"no key {signature.kid!r} is known")
    try:
        value = base64.urlsafe_b64decode(signature.value + "=" * (-len(signature.value) % 4))
        key.verify(value, canonical(event))
    except (InvalidSignature, ValueError) as error:
        raise SignatureError("altered", "the signature does not fit the decision") from error
