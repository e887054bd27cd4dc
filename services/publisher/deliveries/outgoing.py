"""What the publisher tells the others: its deliveries' changes and its channels' figures, as events. Pure."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from services.publisher.deliveries.model import Delivery
from services.publisher.deliveries.publication import Publication, Reading, TombstoneRecord
from services.publisher.deliveries.sampling import key_of
from services.publisher.deliveries.short_links import fact_id
from shared.events import DeliveryChanged, MediaType, ReachSampled, Snapshot
from shared.text.short_codes import short_code

Target = Callable[[Snapshot], str]
"""Where the short link of what is shown leads."""


def changed(
    publication: Publication, delivery: Delivery, target: Target, now: datetime, cause: UUID | None
) -> DeliveryChanged:
    """The event that tells a delivery's new state."""
    snapshot = publication.snapshot_of(delivery)
    types: tuple[MediaType, ...] = tuple(dict.fromkeys(media.type for media in snapshot.media))
    tombstone = publication.tombstone if delivery.retired is not None else None
    return DeliveryChanged(
        event_id=fact_id(delivery.id, delivery.version, delivery.state),
        occurred_at=now,
        subject_id=delivery.id,
        version=delivery.version,
        caused_by=cause,
        submission_id=publication.submission_id,
        channel=delivery.channel,
        kind=delivery.kind,
        language=delivery.language,
        revision=delivery.revision,
        state=delivery.state,
        url=delivery.url,
        code=short_code(delivery.id),
        target=target(snapshot),
        country=snapshot.country,
        section=snapshot.section,
        hashtags=snapshot.hashtags,
        media_types=types,
        failure=delivery.failure,
        tombstone=tombstone.kind if tombstone else None,
        recall_reason=_recall_reason(tombstone),
    )


def _recall_reason(tombstone: TombstoneRecord | None) -> str | None:
    match tombstone:
        case TombstoneRecord("recalled", _, reason):
            return reason or None
        case _:
            return None


def sampled(reading: Reading, now: datetime) -> ReachSampled:
    """The event that tells a channel's figure."""
    sample, delivery = reading.sample, reading.delivery
    return ReachSampled(
        event_id=fact_id(delivery.id, reading.version, key_of(sample)),
        occurred_at=now,
        subject_id=delivery.id,
        version=reading.version,
        submission_id=delivery.submission_id,
        channel=delivery.channel,
        kind=sample.kind,
        metric=sample.metric,
        value=sample.value,
        observed_at=sample.observed_at,
        day=sample.day,
        source=sample.source,
        audience_country=sample.audience_country,
    )
