"""An account is deleted: first withdrawn, then erased, then closed; by whichever process lives long enough."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from services.ingest.account.rules import LONGEST, TOKENS_OUTLIVE
from services.ingest.account.service import AccountService
from services.ingest.people.store import People
from services.ingest.retention.service import SubmissionErasure
from services.ingest.status.store import Ledger
from services.ingest.submissions.service import SubmissionService
from services.ingest.submissions.store import Submissions, received_log
from services.ingest.uploads.protocol import UploadLimits
from services.ingest.uploads.store import Uploads
from services.ingest.validation.rules import Draft, Newcomer, SubmissionRules
from shared.campaign.model import RetentionPeriods
from shared.events import Attribution, Consent
from shared.failures import Failure, attempt
from shared.http.problems import Problem
from shared.identity.tokens import Epochs, Principal
from shared.storage.document import Document
from shared.storage.media import MediaStore
from shared.storage.mongo import Database
from tests.support.builders import submission_lives as told
from tests.support.dying import dying
from tests.support.traces import left_of

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRETS: Final = ("Gizli başlıq", "Gizli mətn", "Gülnar")
BY_NAME: Final = Attribution(mode="name")
RULES: Final = SubmissionRules(
    countries=frozenset(),
    sections=frozenset(),
    terms_version="1",
    title=200,
    body=2000,
    alt=100,
    hashtags=5,
    media=5,
)


class Accounts:
    """A process of ingest at a time of the test's."""

    def __init__(self, database: Database, folder: Path) -> None:
        async def publish(_: Document) -> None: ...

        async def approved(_: Sequence[str]) -> bool:
            return True

        self.now = NOW
        self.database = database
        self.people = People(database["people"])
        self.submissions = Submissions(received_log(database, publish))
        self.ledger = Ledger(database["ledger"])
        uploads = Uploads(database, UploadLimits(), approved)
        self.reception = SubmissionService(
            submissions=self.submissions,
            ledger=self.ledger,
            people=self.people,
            uploads=uploads,
            rules=RULES,
            nudge=lambda _: None,
            media_wait=0.0,
        )
        self.service = AccountService(
            people=self.people,
            submissions=self.submissions,
            reception=self.reception,
            uploads=uploads,
            erasure=SubmissionErasure(self.submissions, self.ledger, uploads, RetentionPeriods().periods),
            epochs=Epochs(database["people"]),
            store=MediaStore(f"file://{folder / 'media'}"),
            wake=lambda: None,
            clock=lambda: self.now,
        )

    async def join(self) -> Principal:
        person, self.code = await self.people.register(Newcomer("Gülnar", "AZ", ("az",)), NOW)
        return person.principal()

    async def submit(self, who: Principal, key: str = "k", attribution: Attribution = BY_NAME) -> str:
        draft = Draft(
            title="Gizli başlıq",
            body="Gizli mətn",
            language="az",
            country="AZ",
            attribution=attribution,
            consent=Consent(terms_version="1", people_shown="none", rights="own"),
        )
        return (await self.reception.submit(who, key, draft)).submission_id

    async def told(self) -> None:
        """The relay has published everything."""
        for name in ("people", "submissions"):
            await self.database[name].update_many({}, {"$set": {"outbox": []}})

    async def left(self) -> list[str]:
        return await left_of(self.database, ["people", "submissions", "ledger", "uploads"], SECRETS)


@pytest.fixture
async def accounts(database: Database, tmp_path: Path) -> Accounts:
    made = Accounts(database, tmp_path)
    await made.people.prepare()
    await made.submissions.prepare()
    return made


async def test_an_account_is_withdrawn_erased_and_closed(accounts: Accounts) -> None:
    who = await accounts.join()
    ids = [await accounts.submit(who, key) for key in ("k1", "k2")]
    await accounts.service.delete(who)
    assert await accounts.service.drain() == 0
    found = [await accounts.submissions.find(each) for each in ids]
    assert [each and each.withdrawn for each in found] == [True, True]
    assert not await accounts.service.is_deleted(who.person_id)  # the withdrawals have not been told yet

    await accounts.told()
    await accounts.service.drain()

    assert await accounts.left() == []
    assert await accounts.service.is_deleted(who.person_id)
    person = await accounts.people.get(who.person_id)
    assert (person.name, person.country, person.active, person.epoch) == ("", None, False, who.epoch + 1)
    assert await accounts.people.recover(accounts.code) is None


async def test_a_submission_that_slips_in_is_deleted_as_well(accounts: Accounts) -> None:
    who = await accounts.join()
    await accounts.service.delete(who)
    await accounts.service.drain()
    assert await accounts.service.is_deleted(who.person_id)
    slipped = await accounts.submit(
        who, "late", Attribution(mode="anonymous")
    )  # by a token that still counted

    accounts.now += TOKENS_OUTLIVE
    assert await accounts.service.drain() == 0
    await accounts.told()
    assert await accounts.service.drain() == 1
    found = await accounts.submissions.find(slipped)
    assert found is not None
    assert found.erased_at == accounts.now
    assert await accounts.left() == []
    assert await accounts.service.drain() == 0


async def test_a_channel_that_has_not_let_go_is_waited_for_but_not_for_ever(accounts: Accounts) -> None:
    who = await accounts.join()
    submission = await accounts.submit(who)
    out = told.delivery(1, "removing", tombstone="withdrawn")
    await accounts.ledger.tell(out.model_copy(update={"submission_id": submission}))
    await accounts.service.delete(who)
    await accounts.service.drain()
    await accounts.told()
    await accounts.service.drain()
    assert not await accounts.service.is_deleted(who.person_id)
    assert (await accounts.service.deletion(who.person_id)).on_channels == 1

    accounts.now += LONGEST
    await accounts.service.drain()
    assert await accounts.service.is_deleted(who.person_id)

    gone = told.delivery(2, "removed", tombstone="withdrawn")
    await accounts.ledger.tell(gone.model_copy(update={"submission_id": submission}))
    accounts.now += TOKENS_OUTLIVE
    assert await accounts.service.drain() == 1
    assert await accounts.left() == []


async def test_asking_twice_changes_nothing(accounts: Accounts) -> None:
    who = await accounts.join()
    await accounts.service.delete(who)
    since = (await accounts.people.get(who.person_id)).leaving_since
    accounts.now += timedelta(hours=1)
    await accounts.service.delete(who)

    assert (await accounts.people.get(who.person_id)).leaving_since == since == NOW


async def test_people_who_work_for_the_campaign_ask_an_administrator(accounts: Accounts) -> None:
    with pytest.raises(Problem) as refused:
        await accounts.service.delete(Principal("m", "moderator"))

    assert (refused.value.status, refused.value.code) == (403, "volunteers_only")


async def test_nobody_elses_account_is_touched(accounts: Accounts) -> None:
    who, other = await accounts.join(), await accounts.join()
    await accounts.submit(who, "k1")
    kept = await accounts.submit(other, "k2")
    await accounts.service.delete(who)
    await accounts.service.drain()
    await accounts.told()
    await accounts.service.drain()

    found = await accounts.submissions.find(kept)
    assert found is not None
    assert (found.withdrawn, found.latest.manuscript.draft.title) == (False, "Gizli başlıq")
    assert (await accounts.people.get(other.person_id)).name == "Gülnar"


async def test_a_process_that_dies_anywhere_leaves_what_the_next_one_finishes(
    accounts: Accounts, tmp_path: Path
) -> None:
    who = await accounts.join()
    await accounts.submit(who, "k1")
    await accounts.submit(who, "k2")
    await accounts.service.delete(who)
    died = 0
    for writes in range(30):
        doomed = Accounts(dying(accounts.database, writes), tmp_path)
        doomed.now = NOW + timedelta(seconds=writes)
        outcome = await attempt(doomed.service.drain())
        await accounts.told()
        died += isinstance(outcome, Failure)
        if await accounts.service.is_deleted(who.person_id):
            break

    assert died > 3
    assert await accounts.left() == []
