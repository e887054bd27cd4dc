"""Seeded histories of reach: deliveries, clicks and samples as they come over the bus."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from services.metrics.counting.model import code_of
from shared.events import DeliveryChanged, Event, ReachClicked, ReachSampled

START = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
CHANNELS = ("site", "partners", "tg")
LANGUAGES = ("az", "tr", "ru", "ka", "en")
COUNTRIES = ("TR", "CA", "NL", "PL", "MD", "IT")
HASHTAGS = ("heritage", "carpets.2026", "$pring", "muğam", "a|b")


def identifier(chance: Random) -> UUID:
    return UUID(int=chance.getrandbits(128), version=4)


def delivery(chance: Random, number: int, **given: Any) -> DeliveryChanged:
    delivery_id = f"delivery-{number}"
    fields: dict[str, Any] = {
        "event_id": identifier(chance),
        "occurred_at": START,
        "subject_id": delivery_id,
        "version": 1,
        "submission_id": f"submission-{number // 3}",
        "channel": chance.choice(CHANNELS),
        "kind": "website",
        "language": chance.choice(LANGUAGES),
        "revision": 1,
        "state": "planned",
        "code": code_of(delivery_id),
        "target": f"https://example.org/{number}",
        "country": chance.choice(COUNTRIES),
        "section": chance.choice(("youth", None)),
        "hashtags": tuple(sorted(chance.sample(HASHTAGS, chance.randrange(3)))),
    }
    return DeliveryChanged(**{**fields, **given})


def click(chance: Random, of: DeliveryChanged, **given: Any) -> ReachClicked:
    event_id = identifier(chance)
    fields = {
        "event_id": event_id,
        "occurred_at": START + timedelta(seconds=chance.randrange(200_000)),
        "subject_id": str(event_id),
        "version": 1,
        "code": of.code,
    }
    return ReachClicked(**{**fields, **given})


def sample(chance: Random, of: DeliveryChanged, **given: Any) -> ReachSampled:
    observed = START + timedelta(seconds=chance.randrange(200_000))
    kind = given.get("kind") or chance.choice(("cumulative", "cumulative", "period"))
    fields = {
        "event_id": identifier(chance),
        "occurred_at": observed,
        "subject_id": of.subject_id,
        "version": 1,
        "submission_id": of.submission_id,
        "channel": of.channel,
        "kind": kind,
        "metric": chance.choice(("views", "reached", "reactions", "shares")),
        "value": chance.randrange(1, 5000),
        "observed_at": observed,
        "day": observed.date().isoformat() if kind == "period" else None,
        "source": chance.choice(("website:log", "website:report")),
        "audience_country": chance.choice((None, None, "AZ", "DE")),
    }
    return ReachSampled(**{**fields, **given})


def history(seed: int, *, deliveries: int = 12, events: int = 300, repeated: float = 0.3) -> list[Event]:
    """Everything in some order: clicks before their delivery, samples out of turn, events again."""
    chance = Random(seed)
    known = [delivery(chance, number) for number in range(deliveries)]
    reach: list[Event] = [
        click(chance, chance.choice(known)) if chance.random() < 0.6 else sample(chance, chance.choice(known))
        for _ in range(events)
    ]
    everything = [*known, *reach, *(one for one in reach if chance.random() < repeated)]
    chance.shuffle(everything)
    return everything
