"""What metrics does when something happened elsewhere."""

from typing import Annotated

from faststream import Context
from faststream.nats import NatsBroker

from services.metrics import telemetry
from services.metrics.census.store import Roll
from services.metrics.clicks.link_cache import Links
from services.metrics.counting.model import click_of, delivery_of, sample_of
from services.metrics.counting.service import Counts
from shared.bus.consuming import Batch, consume
from shared.events import (
    DELIVERY_CHANGED,
    PERSON_REGISTERED,
    SUBMISSION_RECEIVED,
    SUBMISSION_WITHDRAWN,
    DeliveryChanged,
    PersonRegistered,
    SubmissionReceived,
    SubmissionWithdrawn,
)
from shared.failures import Unprocessable

RollContext = Annotated[Roll, Context("roll")]


async def join(person: PersonRegistered, roll: RollContext) -> None:
    """Somebody joined: one member more."""
    await roll.joined(person)


async def receive(submission: SubmissionReceived, roll: RollContext) -> None:
    """A submission came in: one more, unless it is a revision."""
    await roll.received(submission)


async def withdraw(withdrawal: SubmissionWithdrawn, roll: RollContext) -> None:
    """Its author took it back. It was accepted all the same; what is visible follows from its deliveries."""
    await roll.withdrawn(withdrawal)


async def follow(
    delivery: DeliveryChanged,
    roll: RollContext,
    counts: Annotated[Counts, Context("counts")],
    links: Annotated[Links, Context("links")],
) -> None:
    """A delivery got somewhere: its link leads, its reach can be broken down, it is visible or not."""
    await links.learn(delivery)
    if await counts.know(delivery_of(delivery)):
        telemetry.delivery_known(delivery.subject_id, delivery.channel)
    await roll.delivered(delivery)


async def count_clicks(batch: Batch, counts: Counts) -> None:
    """Count short links that were followed."""
    clicks = [click_of(event) for _, event in batch]
    await counts.count(clicks, first=batch[0][0], last=batch[-1][0])


async def count_samples(batch: Batch, counts: Counts) -> None:
    """Count what channels say when asked. Raises `Unprocessable` when one says what cannot be counted."""
    try:
        samples = [sample_of(event) for _, event in batch]
    except ValueError as error:
        raise Unprocessable(str(error)) from error
    await counts.count(samples, first=batch[0][0], last=batch[-1][0])


def wire(broker: NatsBroker) -> None:
    """Register the handlers of single events."""
    consume(broker, PERSON_REGISTERED, service="metrics")(join)
    consume(broker, SUBMISSION_RECEIVED, service="metrics")(receive)
    consume(broker, SUBMISSION_WITHDRAWN, service="metrics")(withdraw)
    consume(broker, DELIVERY_CHANGED, service="metrics")(follow)
