"""Events in, cases out: the wiring of moderation's handlers."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from faststream.nats import NatsBroker, TestNatsBroker

from services.moderation.cases import handlers
from services.moderation.screening.service import Scanner
from shared.events import (
    DELIVERY_CHANGED,
    SUBMISSION_RECEIVED,
    SUBMISSION_WITHDRAWN,
    DeliveryChanged,
    SubmissionReceived,
    SubmissionWithdrawn,
)
from shared.observability.telemetry import processing_spans, start_tracing
from shared.storage.mongo import connect
from tests.support.builders.moderation_stores import Stage
from tests.support.builders.submissions import NOW, POLICY, sensitive, submission


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
    for name, value in (("cases", stage.cases), ("database_clock", stage.clock)):
        real.context.set_global(name, value)
    async with TestNatsBroker(real) as in_memory:
        yield in_memory


async def screened(stage: Stage, *events: SubmissionReceived) -> None:
    scanner = Scanner(POLICY)
    await handlers.screen([*enumerate(events)], cases=stage.cases, clock=stage.clock, scanner=scanner)


async def test_submissions_are_screened_together_and_wait(stage: Stage) -> None:
    events = [sensitive(), submission(), sensitive()]

    for _ in range(3):
        await screened(stage, *events)

    cases = [await stage.cases.get(event.subject_id) for event in events]
    assert [case.standing.classes for case in cases if case] == [("minors",), (), ("minors",)]
    for event in events:
        assert len(await stage.told(event.subject_id)) == 1


async def test_each_case_goes_on_in_the_trace_of_its_submission(stage: Stage) -> None:
    start_tracing("moderation", None)
    events = [submission() for _ in range(3)]
    traces = [f"00-{number:032x}-{number:016x}-01" for number in range(1, 4)]

    with processing_spans([(SUBMISSION_RECEIVED.subject, trace) for trace in traces]):
        await screened(stage, *events)

    for event, trace in zip(events, traces, strict=True):
        document = await stage.cases.document(event.subject_id)
        assert document is not None
        [told] = [each for each in stage.published if document["_id"] in each["body"]]
        assert document["trace"][:35] == told["traceparent"][:35] == trace[:35]


async def test_a_withdrawal_ends_it(broker: NatsBroker, stage: Stage) -> None:
    event = sensitive()
    withdrawal = SubmissionWithdrawn(
        event_id=uuid4(), occurred_at=NOW, subject_id=event.subject_id, version=2
    )

    await screened(stage, event)
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

    await screened(stage, event)
    await broker.publish(delivery, DELIVERY_CHANGED.subject, stream=DELIVERY_CHANGED.stream)

    case = await stage.cases.get(event.subject_id)
    assert case is not None
    assert [(each.channel, each.state, each.url) for each in case.deliveries] == [
        ("site", "posted", "http://x/1")
    ]
