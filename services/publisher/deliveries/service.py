"""Taking a submission back from everywhere: one tombstone, whoever asks for it."""

from datetime import datetime
from uuid import UUID

from services.publisher.deliveries import telemetry
from services.publisher.deliveries.model import Refused
from services.publisher.deliveries.planning import mark_tombstone
from services.publisher.deliveries.publication import TombstoneRecord
from services.publisher.deliveries.store import Deliveries
from shared.events import Tombstone


async def take_back(
    deliveries: Deliveries,
    submission_id: str,
    kind: Tombstone,
    *,
    at: datetime,
    reason: str,
    by: str,
    cause: UUID | None = None,
) -> None:
    """Set the tombstone, which wins over every decision. A second one changes nothing."""
    tombstone = TombstoneRecord(kind, at, reason, by)
    done = await deliveries.change(
        submission_id, lambda known: mark_tombstone(known, tombstone, deliveries.outlets, at), cause=cause
    )
    if not isinstance(done, Refused):
        telemetry.taken_back(submission_id, kind)
