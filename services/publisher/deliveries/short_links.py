"""Ids and short links of deliveries, derived so that they are known before anything is stored. Pure."""

from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from shared.text.short_codes import ID_LENGTH, base32_of, short_code

_FACTS: Final = uuid5(NAMESPACE_URL, "urn:konullu:delivery-facts")


def delivery_id(submission_id: str, channel: str, language: str, revision: int) -> str:
    """The id of the one delivery of this revision to this channel in this language."""
    return base32_of("\0".join((submission_id, channel, language, str(revision))), ID_LENGTH)


def short_link(public_url: str, delivery: str) -> str:
    """The address that counts a click and leads to the target."""
    return f"{public_url}/r/{short_code(delivery)}"


def fact_id(delivery: str, version: int, fact: str) -> UUID:
    """The constant id of the event that tells one fact of a delivery."""
    return uuid5(_FACTS, f"{delivery}/{version}/{fact}")
