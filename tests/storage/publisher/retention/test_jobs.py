"""Letting go of publications: never while a channel shows it, or a person has to look for it there."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import pytest

from services.publisher.deliveries.model import Attempt, Delivery, Refused
from services.publisher.deliveries.planning import decide
from services.publisher.deliveries.publication import Outlet, Publication
from services.publisher.deliveries.service import take_back
from services.publisher.deliveries.store import Deliveries
from services.publisher.retention.jobs import retention_of
from services.publisher.retention.rules import NEEDED, erase
from services.publisher.retention.service import PublicationErasure
from shared.campaign.model import RetentionPeriods
from shared.events import Attribution, DeliveryFailure, DeliveryState, Media, Tombstone
from shared.failures import Failure, attempt
from shared.storage.mongo import Database
from tests.support.builders.publications import NOON, approval_of
from tests.support.dying import dying
from tests.support.traces import left_of

PERIODS: Final = RetentionPeriods().periods
OUTLETS: Final = (Outlet("wall", "telegram"), Outlet("site", "website", replaces_in_place=True))
SECRETS: Final = (
    "Gizli başlıq",
    "Gizli mətn",
    "gizliteq",
    "Gizli təsvir",
    "Gizli ad",
    "Gizli səbəb",
    "Gizli cavab",
)
PHOTO: Final = Media(sha256="ab" * 32, type="image/jpeg", bytes=10, width=4, height=3, alt="Gizli təsvir")


class Publisher:
    """A process's publications, and its retention at a time of the test's."""

    def __init__(self, database: Database) -> None:
        self.now: datetime = NOON
        self.database = database
        self.deliveries = Deliveries(
            database["publications"], OUTLETS, lambda _: "https://example.org/", clock=lambda: self.now
        )
        erasure = PublicationErasure(self.deliveries, PERIODS)
        self.retention = retention_of(database, erasure, PERIODS, lambda: self.now)

    async def approve(self) -> None:
        decision = approval_of(
            title="Gizli başlıq",
            body="Gizli mətn",
            hashtags=("gizliteq",),
            media=(PHOTO,),
            attribution=Attribution(mode="pseudonym", text="Gizli ad"),
        )
        await self.deliveries.change("s", lambda known: decide(known, decision, OUTLETS, self.now))

    async def become(self, state: DeliveryState) -> None:
        """Both deliveries have come into a state, with what the channel said."""

        def moved(each: Delivery) -> Delivery:
            failure = DeliveryFailure(code="channel", detail="Gizli cavab")
            attempts = (Attempt(1, NOON, "unknown", "channel", "Gizli cavab"),)
            return replace(each, state=state, attempt=1, failure=failure, attempts=attempts, due_at=None)

        await self.deliveries.change(
            "s", lambda known: replace(known, deliveries=tuple(map(moved, known.deliveries)))
        )

    async def take_back(self, kind: Tombstone = "withdrawn") -> None:
        await take_back(self.deliveries, "s", kind, at=NOON, reason="Gizli səbəb", by="author")

    async def drain(self) -> int:
        await self.retention.prepare()
        return await self.retention.drain()

    async def left(self) -> list[str]:
        await self.database["publications"].update_many({}, {"$set": {"outbox": []}})
        return await left_of(self.database, ["publications"], SECRETS)


@pytest.fixture
async def publisher(database: Database) -> Publisher:
    made = Publisher(database)
    await made.deliveries.prepare()
    await made.approve()
    return made


async def test_a_withdrawn_publication_that_was_never_sent_is_let_go_of_at_once(publisher: Publisher) -> None:
    await publisher.take_back()

    assert await publisher.drain() == 1

    assert await publisher.left() == []
    after = await publisher.deliveries.read("s")
    assert [each.state for each in after.deliveries] == ["cancelled", "cancelled"]
    assert after.tombstone is not None
    assert (after.tombstone.kind, after.tombstone.by) == ("withdrawn", "author")
    assert await publisher.drain() == 0


@pytest.mark.parametrize(
    "state",
    ["planned", "sending", "posted", "unknown", "reconciling", "needs_human", "removing", "residue"],
)
async def test_what_a_channel_may_still_show_keeps_its_words(
    publisher: Publisher, state: DeliveryState
) -> None:
    await publisher.take_back()
    await publisher.become(state)
    publisher.now = NOON + timedelta(days=3000)

    assert await publisher.drain() == 0
    assert (await publisher.deliveries.read("s")).snapshots[1].title == "Gizli başlıq"


@pytest.mark.parametrize("state", ["removed", "cancelled", "rejected"])
async def test_once_every_channel_has_let_go_no_word_is_left(
    publisher: Publisher, state: DeliveryState
) -> None:
    await publisher.become("posted")
    await publisher.take_back()
    await publisher.become(state)

    assert await publisher.drain() == 1
    assert await publisher.left() == []
    [one, _] = (await publisher.deliveries.read("s")).deliveries
    assert [(each.number, each.outcome, each.code) for each in one.attempts] == [(1, "unknown", "channel")]


async def test_after_a_recall_its_author_has_time_to_object(publisher: Publisher) -> None:
    await publisher.take_back("recalled")

    publisher.now = NOON + timedelta(days=29)
    assert await publisher.drain() == 0
    publisher.now = NOON + timedelta(days=30)
    assert await publisher.drain() == 1
    assert await publisher.left() == []


async def test_what_is_published_is_kept_however_old(publisher: Publisher) -> None:
    await publisher.become("posted")
    publisher.now = NOON + timedelta(days=3000)

    assert await publisher.drain() == 0
    assert (await publisher.deliveries.read("s")).snapshots[1].body == "Gizli mətn"


async def test_an_approval_that_comes_after_the_withdrawal_is_let_go_of_too(database: Database) -> None:
    late = Publisher(database)
    await late.deliveries.prepare()
    await late.take_back()
    await late.drain()
    await late.approve()
    assert await late.left() != []

    assert await late.drain() == 1
    assert await late.left() == []


async def test_another_process_that_remembers_the_words_cannot_bring_them_back(publisher: Publisher) -> None:
    other = Publisher(publisher.database)
    await other.deliveries.read("s")
    await publisher.take_back()
    await publisher.drain()

    await other.deliveries.change("s", lambda known: replace(known, case_version=known.case_version + 1))

    assert await publisher.left() == []


async def test_a_process_that_dies_leaves_what_the_next_one_finishes(publisher: Publisher) -> None:
    await publisher.drain()
    await publisher.take_back()
    doomed = Publisher(dying(publisher.database, 0))
    assert isinstance(await attempt(doomed.retention.drain()), Failure)
    assert await publisher.left() != []

    assert await Publisher(publisher.database).drain() == 1
    assert await publisher.left() == []


async def test_taking_words_away_is_nothing_that_happened_today(publisher: Publisher) -> None:
    await publisher.take_back("recalled")
    publisher.now = NOON + timedelta(days=30)
    await publisher.drain()

    assert await publisher.deliveries.changed_since(NOON + timedelta(days=1), 10) == []


async def test_a_publication_that_was_taken_back_before_there_were_marks_is_found(
    publisher: Publisher,
) -> None:
    await publisher.take_back()
    await publisher.database["publications"].update_many({}, {"$unset": {"ended_as": "", "ended_since": ""}})

    assert await publisher.drain() == 1
    assert await publisher.left() == []


def test_the_rule_alone_refuses_what_is_needed() -> None:
    assert erase(Publication("s"), PERIODS, NOON) == NEEDED
    assert isinstance(NEEDED, Refused)
