"""Letting go of cases: their texts go, the audit proves what was decided all the same, what is under review stays."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

import pytest

from services.moderation.audit.mark import UnsignedMark
from services.moderation.audit.verify import verify
from services.moderation.cases.audit_trail import ERASED
from services.moderation.cases.model import Case
from services.moderation.cases.rules import Decision, Edits, digest
from services.moderation.retention.jobs import retention_of
from services.moderation.retention.service import CaseErasure
from shared.campaign.model import RetentionPeriods
from shared.events import Attribution, SubmissionReceived, SubmissionWithdrawn
from shared.failures import Failure, attempt
from shared.identity.tokens import key_id
from shared.storage.mongo import Database
from tests.support.builders.moderation_stores import KEY, Stage, reader
from tests.support.builders.submissions import NOW, photo, submission
from tests.support.dying import dying
from tests.support.traces import left_of

PERIODS: Final = RetentionPeriods().periods
SECRETS: Final = (
    "Gizli başlıq",
    "Gizli mətn",
    "gizliteq",
    "Gizli təsvir",
    "Gizli ad",
    "Gizli qeyd",
    "Gizli səbəb",
    "050 123",
)


def secret() -> SubmissionReceived:
    """A submission in which screening finds something to quote."""
    return submission(
        title="Gizli başlıq",
        body="Gizli mətn. Zəng edin: +994 050 123 45 67",
        hashtags=("gizliteq",),
        media=(photo(alt="Gizli təsvir"),),
        attribution=Attribution(mode="pseudonym", text="Gizli ad"),
    )


def withdrawal(of: SubmissionReceived) -> SubmissionWithdrawn:
    return SubmissionWithdrawn(
        event_id=uuid4(), occurred_at=NOW, subject_id=of.subject_id, version=2, reason="Gizli səbəb"
    )


class Keeping:
    """A stage, and its retention at a time of the test's."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.ahead = timedelta(0)
        self.now: datetime = NOW

    async def drain(self, database: Database | None = None) -> int:
        stage = self.stage if database is None else await Stage.on(database)
        job = retention_of(
            database or self.stage.database, CaseErasure(stage.cases, PERIODS), PERIODS, lambda: self.now
        )
        await job.prepare()
        return await job.drain()

    async def after(self, days: float) -> int:
        self.now = await self.stage.clock.now() + timedelta(days=days)
        return await self.drain()

    async def told(self) -> None:
        """The relay has published everything."""
        await self.stage.cases.collection.update_many({}, {"$set": {"outbox": []}})

    async def decide(self, decision: Decision, person: str = "one") -> Case:
        claim = await self.stage.claims.next(reader(person))
        assert claim is not None
        done = await self.stage.decide(claim.lease.token, decision, reader(person))
        return done.case

    async def case(self, of: SubmissionReceived) -> Case:
        found = await self.stage.cases.get(of.subject_id)
        assert found is not None
        return found

    async def left(self) -> list[str]:
        return await left_of(self.stage.database, ["cases", "seals", "lanes", "country_lanes"], SECRETS)

    async def verdict(self) -> str:
        await self.stage.checkpoints.drain()
        seals = self.stage.database["seals"].find({}).sort("_id", 1)
        keys = {key_id(KEY.public_key()): KEY.public_key()}
        cases = self.stage.cases.collection.find({})
        return str(await verify(cases, seals, keys=keys, mark=UnsignedMark()))


@pytest.fixture
def keeping(stage: Stage) -> Keeping:
    return Keeping(stage)


NOTE: Final = "Gizli qeyd"
LIVES: Final[dict[str, tuple[Decision, int]]] = {
    "rejected": (Decision("reject", reasons=("quality",), note=NOTE), 30),
    "unanswered": (Decision("request_changes", reasons=("quality",), note=NOTE), 180),
}


@pytest.mark.parametrize("ending", LIVES)
async def test_a_decided_case_keeps_its_words_for_its_days_and_then_only_their_digests(
    keeping: Keeping, ending: str
) -> None:
    decision, days = LIVES[ending]
    event = secret()
    await keeping.stage.open(event)
    before = await keeping.case(event)
    await keeping.decide(decision)
    await keeping.told()
    assert {line.rsplit(": ", 1)[1] for line in await keeping.left()} == set(SECRETS) - {"Gizli səbəb"}

    assert await keeping.after(days - 0.5) == 0
    assert (await keeping.case(event)).sent == before.sent
    assert await keeping.after(days + 0.5) == 1

    assert await keeping.left() == []
    after = await keeping.case(event)
    assert after.erased_at == keeping.now
    assert [each.action for each in after.audit][-1] == ERASED
    assert after.audit[0].content == digest(before.standing.content, before.standing.plan)
    assert after.decisions[0].reasons == ("quality",)
    assert await keeping.verdict() == "OK: 1 cases, 3 entries, 1 seals"
    assert await keeping.after(days + 1) == 0


async def test_of_a_recalled_approval_the_audit_still_proves_what_was_approved(keeping: Keeping) -> None:
    event = secret()
    await keeping.stage.open(event)
    edits = Edits(title="Gizli başlıq!")
    await keeping.decide(Decision("approve", note=NOTE, edits=edits))
    approved = await keeping.decide(Decision("approve", note=NOTE), "two")
    content, plan = approved.standing.content, approved.standing.plan
    await keeping.stage.cases.recall(approved.id, actor="two", reason="Gizli səbəb", now=NOW)
    await keeping.told()
    await keeping.stage.checkpoints.drain()

    keeping.now = NOW + timedelta(days=31)
    assert await keeping.drain() == 1

    assert await keeping.left() == []
    after = await keeping.case(event)
    assert [each.digest for each in after.standing.approvals] == [digest(content, plan)] * 2
    assert [each.content for each in after.audit[1:3]] == [digest(content, plan)] * 2
    assert after.recall == ""
    assert await keeping.verdict() == "OK: 1 cases, 5 entries, 2 seals"


async def test_a_withdrawn_case_is_let_go_of_once_it_is_told(keeping: Keeping) -> None:
    event = secret()
    await keeping.stage.open(event)
    await keeping.stage.cases.withdraw(withdrawal(event), now=NOW)
    keeping.now = NOW

    assert await keeping.drain() == 0
    await keeping.told()
    assert await keeping.drain() == 1

    assert await keeping.left() == []
    assert await keeping.stage.cases.with_media("a" * 64) == []
    assert await keeping.verdict() == "OK: 1 cases, 3 entries, 1 seals"


async def test_what_waits_or_was_approved_is_never_let_go_of(keeping: Keeping) -> None:
    waiting, held, approved = submission(), submission(language="ru"), submission(language="tr")
    await keeping.stage.open(waiting, held, approved)
    claim = await keeping.stage.claims.next(reader("one", languages=frozenset({"ru"})))
    assert claim is not None
    mine = await keeping.stage.claims.next(reader("two", languages=frozenset({"tr"})))
    assert mine is not None
    await keeping.stage.decide(mine.lease.token, Decision("approve"), reader("two"))
    await keeping.told()

    assert await keeping.after(3000) == 0
    for each in (waiting, held, approved):
        assert (await keeping.case(each)).sent.body == each.body


async def test_an_answer_that_came_in_time_is_under_review_again(keeping: Keeping) -> None:
    event = secret()
    await keeping.stage.open(event)
    await keeping.decide(LIVES["unanswered"][0])
    answer = event.model_copy(update={"event_id": uuid4(), "revision": 2, "version": 2})
    await keeping.stage.open(answer)
    await keeping.told()

    assert await keeping.after(3000) == 0
    assert (await keeping.case(event)).sent.title == "Gizli başlıq"


async def test_an_answer_after_the_words_went_is_reviewed_as_it_stands(keeping: Keeping) -> None:
    event = secret()
    await keeping.stage.open(event)
    await keeping.decide(LIVES["unanswered"][0])
    await keeping.told()
    assert await keeping.after(181) == 1
    answer = submission(subject_id=event.subject_id, revision=2, version=2, title="Cavab")
    await keeping.stage.open(answer)

    after = await keeping.case(event)
    assert (after.standing.state, after.standing.content.title, after.erased_at) == (
        "screened",
        "Cavab",
        None,
    )
    assert await keeping.verdict() == "OK: 1 cases, 4 entries, 1 seals"
    await keeping.decide(Decision("approve"))
    assert (await keeping.verdict()).startswith("OK")


async def test_a_withdrawal_after_the_words_went_finds_nothing_but_the_reason_to_let_go_of(
    keeping: Keeping,
) -> None:
    event = secret()
    await keeping.stage.open(event)
    await keeping.decide(LIVES["rejected"][0])
    await keeping.told()
    await keeping.after(31)
    await keeping.stage.cases.withdraw(withdrawal(event), now=keeping.now)
    await keeping.told()

    assert await keeping.drain() == 1
    assert await keeping.left() == []
    assert await keeping.verdict() == "OK: 1 cases, 4 entries, 1 seals"


async def test_a_submission_that_comes_after_its_withdrawal_is_let_go_of_too(keeping: Keeping) -> None:
    event = secret()
    await keeping.stage.cases.withdraw(withdrawal(event), now=NOW)
    await keeping.stage.open(event)
    await keeping.told()

    assert await keeping.after(1) == 1
    assert await keeping.left() == []
    assert (await keeping.verdict()).startswith("OK")


async def test_a_process_that_dies_anywhere_leaves_what_the_next_one_finishes(keeping: Keeping) -> None:
    event = secret()
    await keeping.stage.open(event)
    await keeping.decide(LIVES["rejected"][0])
    await keeping.told()
    await keeping.drain()
    keeping.now = await keeping.stage.clock.now() + timedelta(days=31)
    died = 0
    for writes in range(10):
        outcome = await attempt(keeping.drain(dying(keeping.stage.database, writes)))
        if not isinstance(outcome, Failure):
            break
        died += 1

    assert died > 0
    assert await keeping.left() == []
    assert await keeping.verdict() == "OK: 1 cases, 3 entries, 1 seals"


TAMPERED: Final[dict[str, Callable[[Case], dict[str, object]]]] = {
    "words put in again": lambda _: {"content.title": "Başqa"},
    "another note": lambda _: {"decisions.0.note": "Başqa"},
    "another verdict's reasons": lambda _: {"decisions.0.reasons": ["hateful"]},
}


@pytest.mark.parametrize("change", TAMPERED)
async def test_what_is_changed_behind_the_services_back_is_found_all_the_same(
    keeping: Keeping, change: str
) -> None:
    event = secret()
    await keeping.stage.open(event)
    await keeping.decide(LIVES["rejected"][0])
    await keeping.told()
    await keeping.after(31)
    fields = TAMPERED[change](await keeping.case(event))
    await keeping.stage.cases.collection.update_one({"_id": event.subject_id}, {"$set": fields})

    assert (await keeping.verdict()).startswith("BAD")


async def test_a_note_that_goes_without_an_entry_in_the_trail_is_missed(keeping: Keeping) -> None:
    event = secret()
    await keeping.stage.open(event)
    await keeping.decide(LIVES["rejected"][0])
    await keeping.stage.cases.collection.update_one(
        {"_id": event.subject_id}, {"$set": {"decisions.0.note": None}}
    )

    assert "decision 1" in await keeping.verdict()
