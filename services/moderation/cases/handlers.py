"""What moderation does when something happened elsewhere."""

from typing import Annotated

from faststream import Context
from faststream.nats import NatsBroker

from services.moderation import telemetry
from services.moderation.cases.store import Cases
from services.moderation.screening.rules import Policy, assess
from shared.bus.consuming import consume
from shared.events import (
    DELIVERY_CHANGED,
    SUBMISSION_RECEIVED,
    SUBMISSION_WITHDRAWN,
    DeliveryChanged,
    SubmissionReceived,
    SubmissionWithdrawn,
)
from shared.storage.clock import DatabaseClock

CasesContext = Annotated[Cases, Context("cases")]
ClockContext = Annotated[DatabaseClock, Context("database_clock")]


async def screen(
    submission: SubmissionReceived,
    cases: CasesContext,
    database_clock: ClockContext,
    policy: Annotated[Policy, Context("policy")],
) -> None:
    """A submission came in, or a new revision of it: look at it, and let it wait for people."""
    finding = assess(submission, policy)
    await cases.open(submission, finding, now=await database_clock.now())
    telemetry.screened(submission.subject_id, finding.risk, finding.classes)


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
    """Register the handlers."""
    consume(broker, SUBMISSION_RECEIVED, service="moderation")(screen)
    consume(broker, SUBMISSION_WITHDRAWN, service="moderation")(withdraw)
    consume(broker, DELIVERY_CHANGED, service="moderation")(follow)
