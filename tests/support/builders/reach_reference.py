"""Reach worked out the plain way: all events in memory, one pass, nothing remembered between."""

from collections import Counter
from collections.abc import Sequence
from itertools import product
from typing import Any

from shared.events import DeliveryChanged, Event, ReachClicked, ReachSampled

Totals = Counter[tuple[tuple[str, ...], str, str]]
"""By values of the dimensions asked for, metric and kind."""


def reference(events: Sequence[Event], by: Sequence[str]) -> Totals:
    """What the counters must say. Independent of the order of the events and of their repetition."""
    deliveries = {event.code: event for event in events if isinstance(event, DeliveryChanged)}
    totals: Totals = Counter()

    def add(delivery: DeliveryChanged | None, metric: str, kind: str, value: int, audience: str = "") -> None:
        if delivery is not None and metric != "reached":
            given: dict[str, Any] = {**dict(delivery), "audience_country": audience}
            options = [
                delivery.hashtags or ("",) if name == "hashtag" else (given[name] or "",) for name in by
            ]
            totals.update({(values, metric, kind): value for values in product(*options)})

    latest: dict[tuple[str, str, str, str], dict[str, ReachSampled]] = {}
    for event in {event.event_id: event for event in events}.values():
        if isinstance(event, ReachClicked):
            add(deliveries.get(event.code), "clicks", "delta", 1)
        elif isinstance(event, ReachSampled):
            span = latest.setdefault((event.subject_id, event.metric, event.kind, event.day or ""), {})
            known = span.get(event.audience_country or "")
            if known is None or (event.observed_at, event.value) > (known.observed_at, known.value):
                span[event.audience_country or ""] = event
    by_id = {delivery.subject_id: delivery for delivery in deliveries.values()}
    for (delivery_id, metric, kind, _), figures in latest.items():
        parts = {audience: one for audience, one in figures.items() if audience}
        total = {audience: one for audience, one in figures.items() if not audience}
        for audience, one in ((parts or total) if "audience_country" in by else (total or parts)).items():
            add(by_id.get(delivery_id), metric, kind, one.value, audience)
    return +totals
