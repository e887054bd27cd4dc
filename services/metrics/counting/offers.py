"""Batches that share an entry of the journal, and how many of its events each brought. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.metrics.counting.delivery_reach import JournalEntry
from services.metrics.counting.model import CountedClick, CountedSample

E = TypeVar("E", CountedClick, CountedSample)


@dataclass(frozen=True, slots=True)
class Offer(Generic[E]):
    """One batch, with the sequences of its first and last event in the stream."""

    events: Sequence[E]
    first: int
    last: int


def shares(offers: Sequence[Offer[E]], entry: JournalEntry | None) -> list[int]:
    """How many new events each of the offers brought. One that several brought is the first's."""
    new = set() if entry is None else {event.id for event in entry.events}
    found = []
    for offer in offers:
        own = new.intersection(event.id for event in offer.events)
        new -= own
        found.append(len(own))
    return found
