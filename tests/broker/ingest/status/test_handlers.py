"""What the other services tell reaches the ledger."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from faststream.nats import NatsBroker, TestNatsBroker

from services.ingest.status import handlers
from services.ingest.status.rules import Told
from services.ingest.status.store import Ledger
from shared.events import (
    MODERATION_DECIDED,
    MODERATION_RECALLED,
    REACH_TOTALLED,
    Topic,
)
from shared.storage.mongo import Database
from tests.support.builders import submission_lives as told

MESSAGES = [
    (MODERATION_DECIDED, told.decided(2, "approve")),
    (MODERATION_RECALLED, told.recalled(3)),
    (REACH_TOTALLED, told.reach(1, 4)),
]


@pytest.fixture
async def ledger(database: Database) -> Ledger:
    return Ledger(database["ledger"])


@pytest.fixture
async def broker(ledger: Ledger) -> AsyncIterator[NatsBroker]:
    broker = NatsBroker()
    broker.context.set_global("ledger", ledger)
    handlers.wire(broker)
    async with TestNatsBroker(broker) as running:
        yield running


@pytest.mark.parametrize(("topic", "event"), MESSAGES, ids=lambda value: getattr(value, "subject", ""))
async def test_each_event_is_taken_into_the_ledger(
    broker: NatsBroker, ledger: Ledger, topic: Topic[Any], event: Told
) -> None:
    for _ in range(2):
        await broker.publish(event.model_dump_json().encode(), topic.subject, stream=topic.stream)

    assert await ledger.of(told.SUBMISSION) == told.fold([event])


async def test_a_batch_of_moves_is_taken_into_the_ledger_whole(ledger: Ledger) -> None:
    events: list[Told] = [told.case(1, "screened"), told.delivery(1, "planned"), told.case(2, "in_review")]
    for _ in range(2):
        await handlers.moved(list(enumerate(events)), ledger=ledger)

    assert await ledger.of(told.SUBMISSION) == told.fold(events)
