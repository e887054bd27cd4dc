"""The census: who takes part and what there is. Members, submissions, what is visible now; each counted once. Pure.

A fact says something of one person, submission or delivery, and may come any number of times and in any order: taking it
in twice changes nothing, and of a delivery the latest version holds.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from json import dumps, loads
from typing import Final, NamedTuple

from services.metrics.counting.model import milliseconds, moment
from services.metrics.counting.sums import values_of
from shared.events import (
    DeliveryChanged,
    PersonRegistered,
    SubmissionReceived,
    SubmissionWithdrawn,
    is_visible,
)
from shared.storage.document import Document

VIDEO: Final = "video/mp4"


class Joined(NamedTuple):
    """Somebody became a member. Times in milliseconds since 1970, here and below."""

    person: str
    country: str
    at: int


class Received(NamedTuple):
    """A submission came in, in any revision."""

    submission: str
    at: int


class Withdrawn(NamedTuple):
    """Its author took a submission back. It was accepted all the same."""

    submission: str
    at: int


class Delivered(NamedTuple):
    """A delivery got somewhere."""

    submission: str
    code: str
    version: int
    visible: bool
    video: bool
    at: int


Fact = Joined | Received | Withdrawn | Delivered
_KINDS: Final = {"joined": Joined, "received": Received, "withdrawn": Withdrawn, "delivered": Delivered}
_NAMES: Final = {kind: name for name, kind in _KINDS.items()}


class CensusTally(NamedTuple):
    """A count and the time of the latest event in it; no time when there was none."""

    value: int
    as_of: datetime | None


class Seen(NamedTuple):
    """What is known of one delivery."""

    version: int
    visible: bool
    video: bool


def joined(event: PersonRegistered) -> Joined:
    """The fact in an event."""
    return Joined(event.subject_id, event.country, milliseconds(event.occurred_at))


def received(event: SubmissionReceived) -> Received:
    """The fact in an event."""
    return Received(event.subject_id, milliseconds(event.occurred_at))


def withdrawn(event: SubmissionWithdrawn) -> Withdrawn:
    """The fact in an event."""
    return Withdrawn(event.subject_id, milliseconds(event.occurred_at))


def delivered(event: DeliveryChanged) -> Delivered:
    """The fact in an event."""
    return Delivered(
        event.submission_id,
        event.code,
        event.version,
        is_visible(event.state, event.url),
        VIDEO in event.media_types,
        milliseconds(event.occurred_at),
    )


def published(deliveries: Mapping[str, Seen]) -> tuple[int, int]:
    """Whether a submission counts as published, and whether as a published video: each 0 or 1."""
    shown = [one for one in deliveries.values() if one.visible]
    return int(bool(shown)), int(any(one.video for one in shown))


class CensusCount:
    """What all facts add up to. Taking in one costs the same however many there were."""

    def __init__(self) -> None:
        self._members: set[str] = set()
        self._countries: set[str] = set()
        self._received: set[str] = set()
        self._withdrawn: set[str] = set()
        self._deliveries: dict[str, dict[str, Seen]] = {}
        self._published = self._videos = 0
        self._at: dict[type[Fact], int] = {}

    def is_news(self, fact: Fact) -> bool:
        """Whether taking it in changes anything."""
        match fact:
            case Joined():
                return fact.person not in self._members
            case Received():
                return fact.submission not in self._received
            case Withdrawn():
                return fact.submission not in self._withdrawn
            case Delivered():
                before = self._deliveries.get(fact.submission, {}).get(fact.code)
                return before is None or before.version < fact.version

    def take(self, facts: Iterable[Fact]) -> list[Fact]:
        """Take in facts; those that were news."""
        news = []
        for fact in facts:
            if self.is_news(fact):
                self._take(fact)
                self._at[type(fact)] = max(self._at.get(type(fact), fact.at), fact.at)
                news.append(fact)
        return news

    def _take(self, fact: Fact) -> None:
        match fact:
            case Joined():
                self._members.add(fact.person)
                self._countries.add(fact.country)
            case Received():
                self._received.add(fact.submission)
            case Withdrawn():
                self._withdrawn.add(fact.submission)
            case Delivered():
                of_submission = self._deliveries.setdefault(fact.submission, {})
                shown, video = published(of_submission)
                of_submission[fact.code] = Seen(fact.version, fact.visible, fact.video)
                shown_now, video_now = published(of_submission)
                self._published += shown_now - shown
                self._videos += video_now - video

    def _as_of(self, *kinds: type[Fact]) -> datetime | None:
        """When the latest fact of the first of these kinds was, of which there is one."""
        return next((moment(self._at[kind]) for kind in kinds if kind in self._at), None)

    def members(self) -> tuple[CensusTally, CensusTally]:
        """How many members, from how many countries."""
        as_of = self._as_of(Joined)
        return CensusTally(len(self._members), as_of), CensusTally(len(self._countries), as_of)

    def submissions(self) -> dict[str, CensusTally]:
        """How many were received, and are visible now, and are visible videos; and since when there are deliveries."""
        shown_at = self._as_of(Delivered, Received)
        return {
            "submissions": CensusTally(len(self._received), self._as_of(Received)),
            "published": CensusTally(self._published, shown_at),
            "videos": CensusTally(self._videos, shown_at),
            "deliveries": CensusTally(sum(map(len, self._deliveries.values())), self._as_of(Delivered)),
        }


def newest(facts: Iterable[Fact]) -> list[Fact]:
    """Of several facts about one thing, the one that holds; in the order in which the things were first heard of."""
    latest: dict[tuple[object, ...], Fact] = {}
    for fact in facts:
        key = (_NAMES[type(fact)], *fact[: 2 if isinstance(fact, Delivered) else 1])
        before = latest.get(key)
        if not isinstance(before, Delivered) or not isinstance(fact, Delivered):
            latest.setdefault(key, fact)
        elif before.version < fact.version:
            latest[key] = fact
    return list(latest.values())


def text_of(facts: Sequence[Fact]) -> str:
    """Facts as one text: the database takes it in faster than fields, and never looks into it."""
    return dumps([[_NAMES[type(fact)], *fact] for fact in facts], separators=(",", ":"))


def facts_in(text: str) -> list[Fact]:
    """What `text_of` was given."""
    return [_KINDS[name](*values) for name, *values in loads(text)]


def facts_of_people(document: Document) -> list[Fact]:
    """What a document of the version before says, which kept members in 64 documents."""
    at = milliseconds(document["as_of"]) if document.get("as_of") else 0
    return [Joined(values_of(key)[0], country, at) for key, country in document.get("people", {}).items()]


def facts_of_items(document: Document) -> list[Fact]:
    """What a document of the version before says, which kept submissions in 64 documents."""
    at = {
        name: milliseconds(document[name]) if document.get(name) else 0
        for name in ("received_at", "withdrawn_at", "delivered_at")
    }
    found: list[Fact] = []
    for key, item in document.get("items", {}).items():
        (submission,) = values_of(key)
        if item.get("received"):
            found.append(Received(submission, at["received_at"]))
        if item.get("withdrawn"):
            found.append(Withdrawn(submission, at["withdrawn_at"]))
        for code, (version, visible, video) in item.get("deliveries", {}).items():
            found.append(
                Delivered(submission, values_of(code)[0], version, visible, video, at["delivered_at"])
            )
    return found
