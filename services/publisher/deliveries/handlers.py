"""What the publisher does when something happened elsewhere."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from faststream import Context
from faststream.nats import NatsBroker

from services.publisher.deliveries import telemetry
from services.publisher.deliveries.model import Refused
from services.publisher.deliveries.planning import KNOWN, OLD, decide
from services.publisher.deliveries.service import take_back
from services.publisher.deliveries.store import Deliveries
from services.publisher.deliveries.verification import Trust
from shared.bus.consuming import consume
from shared.events import (
    MODERATION_DECIDED,
    MODERATION_RECALLED,
    SUBMISSION_WITHDRAWN,
    ModerationDecided,
    ModerationRecalled,
    SubmissionWithdrawn,
)
from shared.failures import Unprocessable
from shared.observability.telemetry import current_traceparent

DeliveriesContext = Annotated[Deliveries, Context("deliveries")]
ClockContext = Annotated[Callable[[], datetime], Context("present")]


async def plan(
    decision: ModerationDecided,
    deliveries: DeliveriesContext,
    trust: Annotated[Trust, Context("trust")],
    present: ClockContext,
) -> None:
    """Moderation decided: bring the deliveries in line with it."""
    await trust.check(decision)
    trace, now = current_traceparent(), present()
    done = await deliveries.change(
        decision.subject_id,
        lambda known: decide(known, decision, deliveries.outlets, now, trace),
        cause=decision.event_id,
    )
    if not isinstance(done, Refused):
        telemetry.decision_followed(decision, len(done.deliveries))
    elif done in (KNOWN, OLD):
        telemetry.decision_ignored(decision, done.reason)
    else:
        telemetry.decision_refused(decision, done.reason, "another decision has this version")
        raise Unprocessable(f"decision refused ({done.reason}): another decision has this version")


async def recall(recalled: ModerationRecalled, deliveries: DeliveriesContext, present: ClockContext) -> None:
    """Moderation took its decision back: remove everything."""
    await take_back(
        deliveries,
        recalled.subject_id,
        "recalled",
        at=present(),
        reason=recalled.reason,
        by=recalled.by,
        cause=recalled.event_id,
    )


async def withdraw(
    withdrawn: SubmissionWithdrawn, deliveries: DeliveriesContext, present: ClockContext
) -> None:
    """The author took the submission back: remove everything."""
    await take_back(
        deliveries,
        withdrawn.subject_id,
        "withdrawn",
        at=present(),
        reason=withdrawn.reason or "",
        by="author",
        cause=withdrawn.event_id,
    )


def wire(broker: NatsBroker) -> None:
    """Register the handlers."""
    consume(broker, MODERATION_DECIDED, service="publisher")(plan)
    consume(broker, MODERATION_RECALLED, service="publisher")(recall)
    consume(broker, SUBMISSION_WITHDRAWN, service="publisher")(withdraw)
