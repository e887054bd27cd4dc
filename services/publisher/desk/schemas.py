"""Deliveries and channels as the API shows them."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from services.publisher.channels.port import Capabilities
from services.publisher.channels.registry import spec_of
from services.publisher.deliveries.ids import short_link
from services.publisher.deliveries.model import Attempt, Delivery
from services.publisher.deliveries.publication import Publication
from services.publisher.dispatch.health import Finding
from services.publisher.dispatch.rate_limit import Account
from shared.campaign.model import Channel as ChannelEntry
from shared.events import as_utc

Json = dict[str, Any]


def delivery_json(delivery: Delivery, public_url: str) -> Json:
    """A delivery with its evidence."""
    found: Mapping[str, Any] = {
        "delivery_id": delivery.id,
        "submission_id": delivery.submission_id,
        "channel": delivery.channel,
        "kind": delivery.kind,
        "language": delivery.language,
        "revision": delivery.revision,
        "state": delivery.state,
        "url": delivery.url,
        "short_link": short_link(public_url, delivery.id),
        "attempts": [_attempt_json(each) for each in delivery.attempts],
        "updated_at": as_utc(delivery.since or delivery.planned_at),
        "due_at": as_utc(delivery.due_at) if delivery.due_at else None,
        "failure": delivery.failure.model_dump() if delivery.failure else None,
        "proof": delivery.proof,
        "retired": delivery.retired,
    }
    return {key: value for key, value in found.items() if value is not None}


def publication_json(publication: Publication, public_url: str) -> Json:
    """A submission's deliveries, and whether it was taken back."""
    grave = publication.grave
    taken_back = (
        None if grave is None else {"kind": grave.kind, "at": as_utc(grave.at), "reason": grave.reason}
    )
    return {
        "submission_id": publication.submission_id,
        "taken_back": taken_back,
        "items": [delivery_json(each, public_url) for each in publication.deliveries],
        "next": None,
    }


def channel_json(
    entry: ChannelEntry,
    capabilities: Capabilities,
    account: Account,
    finding: Finding | None,
    public_url: str,
) -> Json:
    """A channel with its address, health and budget."""
    return {
        "id": entry.id,
        "kind": entry.kind,
        "url": spec_of(entry).public_url(entry, public_url),
        "languages": entry.languages,
        "health": {
            "ok": finding.health.ok if finding else None,
            "detail": finding.health.detail if finding else "not asked yet",
            "facts": dict(finding.health.facts) if finding else {},
            "checked_at": as_utc(finding.at) if finding else None,
        },
        "budget": {
            "rate_per_second": capabilities.rate_per_second,
            "paused_until": as_utc(account.paused_until) if account.paused_until else None,
            "reason": account.reason or None,
        },
        "capabilities": asdict(capabilities),
    }


def _attempt_json(attempt: Attempt) -> Json:
    return {
        "number": attempt.number,
        "at": as_utc(attempt.at),
        "outcome": attempt.outcome,
        "code": attempt.code or None,
        "detail": attempt.detail or None,
    }
