"""Signatures on what travels: access to the bus alone approves nothing, and ends nothing.

A decision is signed within, because it is kept with its signature: Ed25519 over the canonical JSON (RFC 8785) of the event
without its `signature`. Only the fields that were written into the event are signed, so that a consumer whose model has a
new optional field still verifies.

A fact that ends something is signed as a message: Ed25519 over its subject, a line feed and its bytes, in a header beside
them. So a consumer verifies before it reads, and one of an older version verifies what has fields that it does not know.
"""

import base64
from collections.abc import Mapping
from typing import Final, TypeVar

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.events import ModerationDecided, Signature
from shared.identity.tokens import key_id

D = TypeVar("D", bound=ModerationDecided)

HEADER: Final = "Konullu-Signature"
"""The message's header: the key's id, a full stop, the signature in Base64url without padding."""


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
    value = _written(key.sign(canonical(whole)))
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
        key.verify(_read(signature.value), canonical(event))
    except (InvalidSignature, ValueError) as error:
        raise SignatureError("altered", "the signature does not fit the decision") from error


def sign_message(subject: str, body: bytes, key: Ed25519PrivateKey) -> str:
    """What `HEADER` says of a message that `key`'s holder publishes: the same at every try."""
    return f"{key_id(key.public_key())}.{_written(key.sign(_signed_bytes(subject, body)))}"


def key_id_in(header: str) -> str:
    """The id of the key that a message says it is signed with."""
    return header.partition(".")[0]


def verify_message(
    subject: str, body: bytes, header: str | None, keys: Mapping[str, Ed25519PublicKey]
) -> None:
    """Return when `header` is a good signature of the message by one of `keys` (by id). Raises `SignatureError`."""
    if header is None:
        raise SignatureError("unsigned", f"the message on {subject} carries no signature")
    kid, _, value = header.partition(".")
    key = keys.get(kid)
    if key is None:
        raise SignatureError("unknown_key", f"no key {kid[:40]!r} is known that may sign {subject}")
    try:
        key.verify(_read(value), _signed_bytes(subject, body))
    except (InvalidSignature, ValueError) as error:
        raise SignatureError("altered", f"the signature does not fit the message on {subject}") from error


def _signed_bytes(subject: str, body: bytes) -> bytes:
    """No token and no canonical JSON, which the same keys sign, begins like this."""
    return subject.encode() + b"\n" + body


def _written(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _read(value: str) -> bytes:
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
