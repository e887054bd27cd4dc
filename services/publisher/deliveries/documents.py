"""Publications as documents of the database, and back."""

from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from services.publisher.deliveries.model import Delivery
from services.publisher.deliveries.publication import Permission, Publication, TombstoneRecord
from services.publisher.deliveries.retry_policy import LANES, lane_of
from shared.events import DeliveryState, Snapshot
from shared.retention.model import marked
from shared.storage.document import Document

_DELIVERY = TypeAdapter(Delivery)
_PERMISSION = TypeAdapter(Permission)
_TOMBSTONE = TypeAdapter(TombstoneRecord)

FOR_A_PERSON: frozenset[DeliveryState] = frozenset({"needs_human", "residue"})
"""States in which nothing goes on until somebody has looked."""


def to_document(publication: Publication, now: datetime) -> Document:
    """The fields of the document, all but `_id` and the outbox."""
    tombstone, permission = publication.tombstone, publication.permission
    document: Document = {
        "version": publication.version,
        "case_version": publication.case_version,
        "decided": publication.decided,
        "permission": None if permission is None else _PERMISSION.dump_python(permission),
        "snapshots": {str(r): s.model_dump(mode="json") for r, s in publication.snapshots.items()},
        "grave": None if tombstone is None else _TOMBSTONE.dump_python(tombstone),
        "deliveries": [_DELIVERY.dump_python(each) for each in publication.deliveries],
        "due": due_of(publication),
        "changed_at": now,
    }
    waiting = [each.since or now for each in publication.deliveries if each.state in FOR_A_PERSON]
    document["person_since"] = min(waiting, default=None)
    if (end := publication.end) is not None and publication != publication.blank:
        document |= marked(end)
    return document


def from_document(document: Document) -> Publication:
    """The publication in a document."""
    tombstone, permission = document["grave"], document["permission"]
    return Publication(
        submission_id=document["_id"],
        version=document["version"],
        case_version=document["case_version"],
        decided=document["decided"],
        permission=None if permission is None else _PERMISSION.validate_python(permission),
        snapshots={int(r): Snapshot.model_validate(s) for r, s in document["snapshots"].items()},
        tombstone=None if tombstone is None else _TOMBSTONE.validate_python(tombstone),
        deliveries=tuple(_DELIVERY.validate_python(each) for each in document["deliveries"]),
    )


def due_of(publication: Publication) -> dict[str, Any]:
    """When the next thing is due, by channel and lane; what is not due is absent."""
    due: dict[str, dict[str, datetime]] = {}
    for each in publication.deliveries:
        lane = lane_of(each.state)
        if lane is None or each.due_at is None:
            continue
        lanes = due.setdefault(each.channel, {})
        lanes[lane] = min(each.due_at, lanes.get(lane, each.due_at))
    return due


def due_field(channel: str, lane: str) -> str:
    """The indexed field that tells when something is due in a lane."""
    assert lane in LANES  # noqa: S101 - lanes are ours
    return f"due.{channel}.{lane}"


def due_in(document: Document, channel: str, lane: str) -> datetime:
    """When something is due in a lane, by a document that says so."""
    moment: datetime = document["due"][channel][lane]
    return moment
