"""What moderation does when something happened elsewhere."""

from typing import Annotated

from faststream import Context
from faststream.nats import NatsBroker

from services.moderation import telemetry
from services.moderation.cases.store import Arrival, Cases
from services.moderation.screening.service import Scanner
from shared.bus.consuming import Batch, consume
from shared.events import (
    DELIVERY_CHANGED,
    SUBMISSION_WITHDRAWN,
    DeliveryChanged,
    SubmissionReceived,
    SubmissionWithdrawn,
)
from shared.observability.telemetry import batch_traceparents
from shared.storage.clock import DatabaseClock

CasesContext = Annotated[Cases, Context("cases")]
ClockContext = Annotated[DatabaseClock, Context("database_clock")]


async def screen(batch: Batch, *, cases: Cases, clock: DatabaseClock, scanner: Scanner) -> None:
    """Submissions came in, or new revisions of some: look at them, and let them wait for people."""
    events: list[SubmissionReceived] = [event for _, event in batch]
    traces = batch_traceparents() or [None] * len(events)
    findings = await scanner.assess(events)
    arrivals = [Arrival(*each) for each in zip(events, findings, traces, strict=True)]
    await cases.open_all(arrivals, now=await clock.now())
    for event, finding in zip(events, findings, strict=True):
        telemetry.screened(event.subject_id, finding.risk, finding.classes)


async def withdraw(
    withdrawal: SubmissionWithdrawn, cases: CasesContext, database_clock: ClockContext
) -> None:
    """Its author took it back: nobody is to decide on it any more."""
    await cases.withdraw(withdrawal, now=await database_clock.now())
    telemetry.withdrawn(withdrawal.subject_id)


async def follow(delivery: DeliveryChanged, cases: CasesContext) -> None:
    """The publisher got somewhere: remember it for whoever may want to take it back."""
    await cases.deliver(delivery)


def wire(broker: NatsBroker) -> None:
    """Register the handlers of single events."""
    consume(broker, SUBMISSION_WITHDRAWN, service="moderation")(withdraw)
    consume(broker, DELIVERY_CHANGED, service="moderation")(follow)
