"""Events in, cases out: the wiring of moderation's handlers."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from faststream.nats import NatsBroker, TestNatsBroker

from services.moderation.cases import handlers
from shared.events import (
    DELIVERY_CHANGED,
    SUBMISSION_RECEIVED,
    SUBMISSION_WITHDRAWN,
    DeliveryChanged,
    SubmissionWithdrawn,
)
from shared.storage.mongo import connect
from tests.support.builders.moderation_stores import Stage
from tests.support.builders.submissions import NOW, POLICY, sensitive


@pytest.fixture
async def stage(mongo_url: str) -> AsyncIterator[Stage]:
    client = connect(mongo_url)
    name = f"test_{uuid4().hex[:12]}"
    yield await Stage.on(client[name])
    await client.drop_database(name)
    await client.close()


@pytest.fixture
async def broker(stage: Stage) -> AsyncIterator[NatsBroker]:
    real = NatsBroker()
    handlers.wire(real)
    for name, value in (("cases", stage.cases), ("database_clock", stage.clock), ("policy", POLICY)):
        real.context.set_global(name, value)
    async with TestNatsBroker(real) as in_memory:
        yield in_memory


async def test_a_submission_is_screened_and_waits(broker: NatsBroker, stage: Stage) -> None:
    event = sensitive()

    for _ in range(3):
        await broker.publish(event, SUBMISSION_RECEIVED.subject, stream=SUBMISSION_RECEIVED.stream)

    case = await stage.cases.get(event.subject_id)
    assert case is not None
    assert (case.standing.state, case.standing.classes) == ("screened", ("minors",))
    assert len(await stage.told(event.subject_id)) == 1


async def test_a_withdrawal_ends_it(broker: NatsBroker, stage: Stage) -> None:
    event = sensitive()
    withdrawal = SubmissionWithdrawn(
        event_id=uuid4(), occurred_at=NOW, subject_id=event.subject_id, version=2
    )

    await broker.publish(event, SUBMISSION_RECEIVED.subject, stream=SUBMISSION_RECEIVED.stream)
    for _ in range(2):
        await broker.publish(withdrawal, SUBMISSION_WITHDRAWN.subject, stream=SUBMISSION_WITHDRAWN.stream)

    case = await stage.cases.get(event.subject_id)
    assert case is not None
    assert case.standing.state == "withdrawn"


async def test_a_delivery_is_remembered(broker: NatsBroker, stage: Stage) -> None:
    event = sensitive()
    delivery = DeliveryChanged(
        event_id=uuid4(),
        occurred_at=NOW,
        subject_id="d1",
        version=4,
        submission_id=event.subject_id,
        channel="site",
        kind="website",
        language="az",
        revision=1,
        state="posted",
        url="http://x/1",
        code="abc",
        target="http://x/1",
        country="AZ",
    )

    await broker.publish(event, SUBMISSION_RECEIVED.subject, stream=SUBMISSION_RECEIVED.stream)
    await broker.publish(delivery, DELIVERY_CHANGED.subject, stream=DELIVERY_CHANGED.stream)

    case = await stage.cases.get(event.subject_id)
    assert case is not None
    assert [(each.channel, each.state, each.url) for each in case.deliveries] == [
        ("site", "posted", "http://x/1")
    ]
