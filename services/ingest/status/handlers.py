"""What the other services tell, into the ledger."""

from typing import Annotated

from faststream import Context
from faststream.nats import NatsBroker

from services.ingest import telemetry
from services.ingest.status.rules import Told, submission_of
from services.ingest.status.store import Ledger
from shared.bus.consuming import consume
from shared.events import (
    CASE_CHANGED,
    DELIVERY_CHANGED,
    MODERATION_DECIDED,
    MODERATION_RECALLED,
    REACH_TOTALLED,
    CaseChanged,
    DeliveryChanged,
    ModerationDecided,
    ModerationRecalled,
    ReachTotalled,
)

KnownLedger = Annotated[Ledger, Context("ledger")]


async def case_changed(event: CaseChanged, ledger: KnownLedger) -> None:
    """Moderation's case moved."""
    await _tell(event, ledger)


async def decided(event: ModerationDecided, ledger: KnownLedger) -> None:
    """Moderation decided."""
    await _tell(event, ledger)


async def recalled(event: ModerationRecalled, ledger: KnownLedger) -> None:
    """Moderation took its approval back."""
    await _tell(event, ledger)


async def delivery_changed(event: DeliveryChanged, ledger: KnownLedger) -> None:
    """A delivery moved."""
    await _tell(event, ledger)


async def reach_totalled(event: ReachTotalled, ledger: KnownLedger) -> None:
    """Reach was counted."""
    await _tell(event, ledger)


async def _tell(event: Told, ledger: Ledger) -> None:
    changed = await ledger.tell(event)
    telemetry.ledger_told(type(event).__name__, submission_of(event), changed=changed)


def wire(broker: NatsBroker) -> None:
    """Register the handlers. They ask for a `ledger` in the broker's context."""
    consume(broker, CASE_CHANGED, service="ingest")(case_changed)
    consume(broker, MODERATION_DECIDED, service="ingest")(decided)
    consume(broker, MODERATION_RECALLED, service="ingest")(recalled)
    consume(broker, DELIVERY_CHANGED, service="ingest")(delivery_changed)
    consume(broker, REACH_TOTALLED, service="ingest")(reach_totalled)
