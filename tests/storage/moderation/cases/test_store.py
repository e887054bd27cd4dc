"""What becomes of a submission, whatever comes twice, late or out of order."""

import asyncio
import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from services.moderation.cases.queue_positions import DECIDED
from services.moderation.cases.rules import Decision, Edits
from services.moderation.cases.store import (
    MOST_WINDOWS,
    WINDOW,
    Arrival,
    Cases,
    NotRecallable,
    NotReopenable,
)
from services.moderation.screening.rules import assess
from shared.events import (
    CaseChanged,
    DeliveryChanged,
    DeliveryState,
    ModerationDecided,
    ModerationRecalled,
    SubmissionReceived,
    SubmissionWithdrawn,
)
from shared.failures import Unavailable
from shared.identity.signing import verify
from shared.identity.tokens import key_id
from shared.storage.document import Document
from tests.support.builders.moderation_stores import KEY, Stage, reader
from tests.support.builders.submissions import NOW, POLICY, photo, sensitive, submission


def withdrawal(of: SubmissionReceived) -> SubmissionWithdrawn:
    return SubmissionWithdrawn(
        event_id=uuid4(), occurred_at=NOW, subject_id=of.subject_id, version=2, reason="fikrimi dəyişdim"
    )


def revision(of: SubmissionReceived, number: int = 2) -> SubmissionReceived:
    return of.model_copy(
        update={"event_id": uuid4(), "revision": number, "version": number, "title": f"Yeni {number}"}
    )


async def test_a_submission_opens_a_case_and_tells_so(stage: Stage) -> None:
    event = sensitive(media=(photo(),), section="youth")

    await stage.open(event)

    case = await stage.cases.get(event.subject_id)
    assert case is not None
    assert (case.standing.state, case.standing.classes, case.risk) == ("screened", ("minors",), "high")
    assert (case.sent.title, case.sent.body, case.section) == (event.title, event.body, "youth")
    [told] = await stage.told(event.subject_id)
    assert isinstance(told, CaseChanged)
    assert (told.state, told.version, told.caused_by) == ("screened", 1, event.event_id)
    assert [each.id for each in await stage.cases.with_media("a" * 64)] == [event.subject_id]


async def test_a_case_whose_opening_could_not_be_published_says_the_same_when_the_submission_comes_again(
    stage: Stage,
) -> None:
    events = [sensitive(section="youth"), submission()]

    async def away(_entries: Sequence[Document]) -> None:
        text = "the broker"
        raise Unavailable(text)

    deaf = Cases(stage.cases.collection, stage.cases.books, lambda *_: None, away)
    arrivals = [Arrival(event, assess(event, POLICY)) for event in events]
    with pytest.raises(Unavailable):
        await deaf.open_all(arrivals, now=await stage.clock.now())
    held = await stage.claims.next(reader())
    assert held is not None
    assert await stage.told(held.case.id) != []  # what came after its opening does not wait for it

    stage.clock.advance(timedelta(hours=1))
    await stage.open_all(*events)

    for event in events:
        case = await stage.cases.get(event.subject_id)
        assert case is not None
        told = [each for each in await stage.told(event.subject_id) if each.version == 1]
        began = datetime.fromisoformat(case.audit[0].at)
        assert [(each.caused_by, each.occurred_at) for each in told] == [(event.event_id, began)]
        assert [each.model_dump(include={"classes", "section", "language"}) for each in told] == [
            {"classes": case.standing.classes, "section": event.section, "language": event.language}
        ]


async def test_the_text_is_kept_exactly(stage: Stage) -> None:
    body = "sətir 1\r\n\tsətir 2\u2028\u200f\u202b عربى\u202c <b>&amp;\u0000$x.y"
    event = submission(body=body)

    await stage.open(event)

    case = await stage.cases.get(event.subject_id)
    assert case is not None
    assert case.sent.body == body


async def test_the_same_submission_again_changes_nothing(stage: Stage) -> None:
    event = submission()

    await stage.open(event)
    before = await stage.cases.document(event.subject_id)
    await stage.open(event, event.model_copy(update={"event_id": uuid4()}))

    assert await stage.cases.document(event.subject_id) == before


async def test_the_same_submission_at_once_from_two_sides_opens_one_case(stage: Stage) -> None:
    event = submission()

    await asyncio.gather(*(stage.open(event) for _ in range(8)))

    assert len(await stage.told(event.subject_id)) == 1


async def test_submissions_that_come_together_wait_in_their_order(stage: Stage) -> None:
    kinds = [("az", "AZ"), ("az", "TR"), ("ru", "AZ")] * 5
    events = [
        submission(title=str(number), language=language, country=country)
        for number, (language, country) in enumerate(kinds)
    ]

    await stage.open_all(*events[:7])
    await stage.open_all(*events)

    for language in ("az", "ru"):
        wanted = [event.title for event in events if event.language == language]
        claims = [await stage.claims.next(reader(languages=frozenset({language}))) for _ in wanted]
        assert [claim.case.sent.title for claim in claims if claim] == wanted


async def test_several_revisions_that_come_together_end_with_the_highest(stage: Stage) -> None:
    first, other = submission(), submission()
    second, third = revision(first), revision(first, 3)

    await stage.open_all(first, other, second, third, second, first)

    case = await stage.cases.get(first.subject_id)
    assert case is not None
    assert (case.revision, case.sent.title) == (3, "Yeni 3")
    assert [each.version for each in await stage.told(first.subject_id)] == [1, 2, 3]


async def test_a_batch_that_comes_twice_at_once_opens_each_case_once(stage: Stage) -> None:
    events = [submission() for _ in range(30)]
    other = await Stage.on(stage.database)

    await asyncio.gather(
        *(side.open_all(*events[start:]) for start in (0, 10, 20) for side in (stage, other))
    )

    for event in events:
        assert len(await stage.told(event.subject_id)) == 1
    found = await stage.cases.collection.find({}, {"place": 1, "country_place": 1}).to_list(None)
    for place in ("place", "country_place"):
        assert len({each[place] for each in found}) == 30


async def test_a_revision_enters_the_queue_again(stage: Stage) -> None:
    event = submission()
    await stage.open(event)
    claim = await stage.claims.next(reader())
    assert claim is not None
    await stage.decide(claim.lease.token, Decision("request_changes", ("quality",)), reader())

    await stage.open(revision(event))
    await stage.open(event)

    again = await stage.claims.next(reader())
    assert again is not None
    assert (again.case.revision, again.case.sent.title) == (2, "Yeni 2")
    assert [each.action for each in again.case.audit] == ["received", "changes_requested", "received"]


async def test_a_revision_takes_the_case_out_of_the_hands_that_hold_the_old_one(stage: Stage) -> None:
    event = submission()
    await stage.open(event)
    claim = await stage.claims.next(reader())
    assert claim is not None

    await stage.open(revision(event))

    assert await stage.claims.mine("one") == []


async def test_a_withdrawn_case_leaves_the_queue_at_once(stage: Stage) -> None:
    event = submission()
    await stage.open(event)
    assert await stage.claims.next(reader()) is not None

    await stage.cases.withdraw(withdrawal(event), now=NOW)

    assert await stage.claims.mine("one") == []
    assert await stage.claims.next(reader("two")) is None
    told = (await stage.told(event.subject_id))[-1]
    assert isinstance(told, CaseChanged)
    assert told.state == "withdrawn"


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_a_withdrawal_wins_in_any_order(stage: Stage, order: tuple[int, ...]) -> None:
    first = submission()
    second, back = revision(first), withdrawal(first)
    steps = [
        lambda: stage.open(first),
        lambda: stage.open(second),
        lambda: stage.cases.withdraw(back, now=NOW),
    ]

    for _ in range(2):
        for number in order:
            await steps[number]()

    case = await stage.cases.get(first.subject_id)
    assert case is not None
    assert case.standing.state == "withdrawn"
    assert await stage.claims.next(reader()) is None
    versions = [each.version for each in await stage.told(first.subject_id)]
    assert versions == sorted(set(versions))


async def approved(stage: Stage) -> str:
    event = submission(media=(photo(),))
    await stage.open(event)
    claim = await stage.claims.next(reader())
    assert claim is not None
    decided = await stage.decide(claim.lease.token, Decision("approve", channels=("site",)), reader())
    assert decided.state == "approved"
    return event.subject_id


async def test_an_approval_is_told_whole_and_signed(stage: Stage) -> None:
    case_id = await approved(stage)

    [told] = [each for each in await stage.told(case_id) if isinstance(each, ModerationDecided)]

    verify(told, {key_id(KEY.public_key()): KEY.public_key()})
    assert told.snapshot is not None
    assert (told.snapshot.title, told.snapshot.channels) == ("Novruz süfrəsi", ("site",))
    assert [each.person_id for each in told.approvals] == ["one"]
    versions = [each.version for each in await stage.told(case_id)]
    assert versions == list(range(1, len(versions) + 1))


async def test_a_recall_is_told_and_is_the_same_again(stage: Stage) -> None:
    case_id = await approved(stage)

    for _ in range(2):
        case = await stage.cases.recall(case_id, actor="two", reason="səhv", now=NOW)
        assert (case.standing.state, case.recall) == ("recalled", "səhv")

    told = [each for each in await stage.told(case_id) if isinstance(each, ModerationRecalled)]
    assert [(each.reason, each.by) for each in told] == [("səhv", "two")]
    assert told[0].version == max(each.version for each in await stage.told(case_id))


async def test_a_recall_told_unsigned_is_told_again(stage: Stage) -> None:
    case_id, other = await approved(stage), await approved(stage)
    await stage.cases.recall(case_id, actor="two", reason="səhv", now=NOW)
    told = await stage.told(case_id)

    for _ in range(2):
        await stage.cases.tell_again(stage.database["marks"])

    [again] = (await stage.told(case_id))[len(told) :]
    assert isinstance(again, ModerationRecalled)
    assert isinstance(told[-1], ModerationRecalled)
    assert again.model_copy(update={"event_id": told[-1].event_id}) == told[-1]
    assert not any(isinstance(each, ModerationRecalled) for each in await stage.told(other))


async def test_what_was_never_approved_is_not_recalled(stage: Stage) -> None:
    event = submission()
    await stage.open(event)

    with pytest.raises(NotRecallable, match="screened"):
        await stage.cases.recall(event.subject_id, actor="two", reason="x", now=NOW)
    with pytest.raises(KeyError):
        await stage.cases.recall("nothing", actor="two", reason="x", now=NOW)


async def test_an_approved_case_that_is_opened_again_waits_and_is_approved_anew(stage: Stage) -> None:
    case_id = await approved(stage)

    for _ in range(2):
        case = await stage.cases.reopen(case_id, actor="two", reason="səhv ad", now=NOW)
        assert (case.standing.state, case.standing.approvals) == ("screened", ())

    assert (await stage.cases.decided(before=None, limit=3))[0] == []
    claim = await stage.claims.next(reader("two"))
    assert claim is not None
    decided = await stage.decide(
        claim.lease.token, Decision("approve", edits=Edits(title="Novruz süfrəmiz")), reader("two")
    )
    assert decided.state == "approved"
    told = [each for each in await stage.told(case_id) if isinstance(each, ModerationDecided)]
    assert [each.snapshot.title for each in told if each.snapshot] == ["Novruz süfrəsi", "Novruz süfrəmiz"]
    assert told[1].version > told[0].version
    again = await stage.cases.get(case_id)
    assert again is not None
    assert [each.action for each in again.audit] == ["received", "approved", "reopened", "approved"]
    versions = [each.version for each in await stage.told(case_id)]
    assert versions == sorted(set(versions))


async def test_what_is_not_approved_is_not_opened_again(stage: Stage) -> None:
    case_id = await approved(stage)
    await stage.cases.recall(case_id, actor="two", reason="səhv", now=NOW)

    with pytest.raises(NotReopenable, match="recalled"):
        await stage.cases.reopen(case_id, actor="two", reason="x", now=NOW)
    with pytest.raises(KeyError):
        await stage.cases.reopen("nothing", actor="two", reason="x", now=NOW)


async def test_deliveries_are_followed_and_never_backward(stage: Stage) -> None:
    case_id = await approved(stage)

    def delivery(version: int, state: DeliveryState) -> DeliveryChanged:
        return DeliveryChanged(
            event_id=uuid4(),
            occurred_at=NOW,
            subject_id="d1",
            version=version,
            submission_id=case_id,
            channel="site",
            kind="website",
            language="az",
            revision=1,
            state=state,
            url="http://x/1",
            code="abc",
            target="http://x/1",
            country="AZ",
        )

    told: list[tuple[int, DeliveryState]] = [(1, "planned"), (3, "posted"), (2, "sending"), (3, "planned")]
    for version, state in told:
        await stage.cases.deliver(delivery(version, state))
    await stage.cases.deliver(delivery(9, "posted").model_copy(update={"submission_id": "unknown"}))

    case = await stage.cases.get(case_id)
    assert case is not None
    assert [(each.id, each.state) for each in case.deliveries] == [("d1", "posted")]


async def test_the_newest_decided_cases_come_first(stage: Stage) -> None:
    ids = [await approved(stage) for _ in range(5)]

    first, after = await stage.cases.decided(before=None, limit=3)
    rest, end = await stage.cases.decided(before=after, limit=3)

    assert [case.id for case in (*first, *rest)] == ids[::-1]
    assert end is None


@pytest.mark.parametrize("before", [2**53, 2**80, -1, 0])
async def test_a_place_that_no_list_gave_is_taken_for_the_nearest_end(stage: Stage, before: int) -> None:
    case_id = await approved(stage)

    found, end = await stage.cases.decided(before=before, limit=3)

    assert [case.id for case in found] == ([case_id] if before > 0 else [])
    assert end is None


async def test_a_list_with_wide_gaps_is_walked_in_bounded_steps(stage: Stage) -> None:
    old = await approved(stage)
    gap = WINDOW * MOST_WINDOWS
    lanes = stage.database["lanes"]
    await lanes.update_one({"_id": DECIDED}, {"$set": {"tail": 2 * gap}})
    new = await approved(await Stage.on(stage.database))

    seen, after = await stage.cases.decided(before=None, limit=3)
    assert after is not None
    steps = 1
    while after is not None:
        found, after = await stage.cases.decided(before=after, limit=3)
        seen, steps = [*seen, *found], steps + 1

    assert [case.id for case in seen] == [new, old]
    assert steps == 3
