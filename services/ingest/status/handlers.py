"""What the other services tell, into the ledger."""

from typing import Annotated

from faststream import Context
from faststream.nats import NatsBroker

from services.ingest import telemetry
from services.ingest.status.rules import Told, submission_of
from services.ingest.status.store import Ledger
from shared.bus.consuming import Batch, consume
from shared.events import (
    MODERATION_DECIDED,
    MODERATION_RECALLED,
    REACH_TOTALLED,
    ModerationDecided,
    ModerationRecalled,
    ReachTotalled,
)

KnownLedger = Annotated[Ledger, Context("ledger")]


async def decided(event: ModerationDecided, ledger: KnownLedger) -> None:
    """Moderation decided."""
    await _tell(event, ledger)


async def recalled(event: ModerationRecalled, ledger: KnownLedger) -> None:
    """Moderation took its approval back."""
    await _tell(event, ledger)


async def reach_totalled(event: ReachTotalled, ledger: KnownLedger) -> None:
    """Reach was counted."""
    await _tell(event, ledger)


async def moved(batch: Batch, *, ledger: Ledger) -> None:
    """Cases or deliveries moved: what happens to every submission, several times."""
    events: list[Told] = [event for _, event in batch]
    for event, changed in zip(events, await ledger.tell_all(events), strict=True):
        telemetry.ledger_told(type(event).__name__, submission_of(event), changed=changed)


async def _tell(event: Told, ledger: Ledger) -> None:
    changed = await ledger.tell(event)
    telemetry.ledger_told(type(event).__name__, submission_of(event), changed=changed)


def wire(broker: NatsBroker) -> None:
    """Register the handlers of single events. They ask for a `ledger` in the broker's context."""
    consume(broker, MODERATION_DECIDED, service="ingest")(decided)
    consume(broker, MODERATION_RECALLED, service="ingest")(recalled)
    consume(broker, REACH_TOTALLED, service="ingest")(reach_totalled)
