"""Events in, deliveries out: the wiring of the publisher's handlers."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from faststream.nats import NatsBroker, TestNatsBroker

from services.publisher.deliveries import handlers
from services.publisher.deliveries.publication import Outlet
from services.publisher.deliveries.store import Deliveries
from services.publisher.deliveries.verification import Trust
from shared.events import (
    MODERATION_DECIDED,
    MODERATION_RECALLED,
    SUBMISSION_WITHDRAWN,
    ModerationRecalled,
    SubmissionWithdrawn,
)
from shared.failures import Unprocessable
from shared.identity import signing
from shared.identity.tokens import OwnKeys
from shared.storage.mongo import connect
from tests.support.builders.publications import NOON, approval_of

KEY = Ed25519PrivateKey.generate()


@pytest.fixture
async def deliveries(mongo_url: str) -> AsyncIterator[Deliveries]:
    client, name = connect(mongo_url), f"test_{uuid4().hex[:12]}"
    outlets = (Outlet("site", "website"),)
    yield Deliveries(
        client[name]["publications"], outlets, lambda _: "https://c.example/", clock=lambda: NOON
    )
    await client.drop_database(name)
    await client.close()


@pytest.fixture
async def broker(deliveries: Deliveries) -> AsyncIterator[NatsBroker]:
    real = NatsBroker()
    handlers.wire(real)
    trust = Trust(OwnKeys(KEY.public_key()), {})
    for name, value in (("deliveries", deliveries), ("trust", trust), ("present", lambda: NOON)):
        real.context.set_global(name, value)
    async with TestNatsBroker(real) as in_memory:
        yield in_memory


async def test_a_signed_decision_is_planned_once_however_often_it_comes(
    broker: NatsBroker, deliveries: Deliveries
) -> None:
    decision = signing.sign(approval_of(), KEY)

    for _ in range(3):
        await broker.publish(decision, MODERATION_DECIDED.subject, stream=MODERATION_DECIDED.stream)

    publication = await deliveries.read("s")
    assert [each.state for each in publication.deliveries] == ["planned"]
    assert publication.version == 1


async def test_an_unsigned_decision_is_unprocessable(broker: NatsBroker, deliveries: Deliveries) -> None:
    with pytest.raises(Unprocessable, match="unsigned"):
        await broker.publish(approval_of(), MODERATION_DECIDED.subject, stream=MODERATION_DECIDED.stream)

    assert (await deliveries.read("s")).version == 0


async def test_a_recall_and_a_withdrawal_each_end_in_the_tombstone(
    broker: NatsBroker, deliveries: Deliveries
) -> None:
    recalled = ModerationRecalled(
        event_id=uuid4(), occurred_at=NOON, subject_id="r", version=2, reason="rights", by="m"
    )
    withdrawn = SubmissionWithdrawn(event_id=uuid4(), occurred_at=NOON, subject_id="w", version=2)

    await broker.publish(recalled, MODERATION_RECALLED.subject, stream=MODERATION_RECALLED.stream)
    await broker.publish(withdrawn, SUBMISSION_WITHDRAWN.subject, stream=SUBMISSION_WITHDRAWN.stream)

    graves = [(await deliveries.read(each)).tombstone for each in ("r", "w")]
    assert [(each.kind, each.by) for each in graves if each] == [("recalled", "m"), ("withdrawn", "author")]
