"""Ids and short links of deliveries, derived so that they are known before anything is stored. Pure."""

from base64 import b32encode
from hashlib import sha256
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

CODE_BITS: Final = 50
CODE_LENGTH: Final = CODE_BITS // 5
ID_LENGTH: Final = 26
"""130 bits: no two deliveries share one."""

_FACTS: Final = uuid5(NAMESPACE_URL, "urn:konullu:delivery-facts")


def delivery_id(submission_id: str, channel: str, language: str, revision: int) -> str:
    """The id of the one delivery of this revision to this channel in this language."""
    return _base32("\0".join((submission_id, channel, language, str(revision))))[:ID_LENGTH]


def code_of(delivery: str) -> str:
    """The short link's code: the first 50 bits of SHA-256(delivery id), base32, lower case."""
    return _base32(delivery)[:CODE_LENGTH]


def short_link(public_url: str, delivery: str) -> str:
    """The address that counts a click and leads to the target."""
    return f"{public_url}/r/{code_of(delivery)}"


def fact_id(delivery: str, version: int, fact: str) -> UUID:
    """The constant id of the event that tells one fact of a delivery."""
    return uuid5(_FACTS, f"{delivery}/{version}/{fact}")


def _base32(text: str) -> str:
    return b32encode(sha256(text.encode()).digest()).decode().lower().rstrip("=")
