"""What a worker does with a channel that answers, lies, hangs or is away; on the real store, with both drivers."""

import asyncio

import pytest

from services.publisher.channels.port import (
    NotSent,
    Outcome,
    Post,
    Posted,
    Preparation,
    Prepared,
    Rejected,
    Residue,
    Sample,
    Underway,
    Unknown,
)
from services.publisher.deliveries.model import Refused, Rules
from services.publisher.deliveries.publication import Publication, happen
from services.publisher.deliveries.triggers import Claimed, Happening, SendStarted
from services.publisher.dispatch.leasing import LEASE
from shared.events import DeliveryChanged, ReachSampled
from shared.storage.mongo import Database
from tests.support.builders.newsroom import BLIND, Channel, Newsroom
from tests.support.builders.publications import NOON


async def test_an_approved_submission_appears_once_and_every_state_is_told(database: Database) -> None:
    room = Newsroom(database, Channel())
    await room.approve()

    await room.work()

    delivery = await room.only()
    assert [delivery.id] == room.channel.wall
    assert (delivery.state, delivery.url) == ("posted", "https://wall/1")
    told = [each for each in await room.told() if isinstance(each, DeliveryChanged)]
    assert [each.state for each in told] == ["planned", "sending", "posted"]
    assert [each.version for each in told] == [1, 2, 3]
    assert "https://c.example/az/" in told[0].target


async def test_an_unknown_outcome_that_is_found_is_posted_and_not_sent_again(database: Database) -> None:
    room = Newsroom(database, Channel(commits=[Unknown("timeout", "no answer")]))
    await room.approve()

    await room.work()

    assert (await room.only()).state == "posted"
    assert room.channel.calls.count("commit") == 1


async def test_an_unknown_outcome_is_sent_again_only_after_two_looks_that_are_far_enough_apart(
    database: Database,
) -> None:
    room = Newsroom(database, Channel(commits=[Unknown("reset", "")], shows=False))
    await room.approve()
    await room.work()
    assert ((await room.only()).state, room.channel.calls.count("reconcile")) == ("reconciling", 1)

    room.later(29)
    await room.work()
    assert room.channel.calls.count("reconcile") == 1

    room.later(2)
    room.channel.shows = True
    await room.work()
    room.later(2)
    await room.work()

    assert ((await room.only()).state, len(room.channel.wall) + 1) == ("posted", 2)
    assert room.channel.calls.count("commit") == 2


async def test_where_nobody_can_look_a_person_decides(database: Database) -> None:
    room = Newsroom(database, Channel(capabilities=BLIND, commits=[Unknown("timeout", "no answer")]))
    await room.approve()

    await room.work()
    room.later(100_000)
    await room.work()

    delivery = await room.only()
    assert delivery.state == "needs_human"
    assert delivery.failure is not None
    assert (delivery.failure.code, room.channel.calls.count("commit")) == ("timeout", 1)


async def test_what_provably_was_not_sent_is_tried_again_after_what_the_channel_asked(
    database: Database,
) -> None:
    room = Newsroom(database, Channel(commits=[NotSent("429", "slow down", retry_after=40.0)], shows=False))
    await room.approve()
    await room.work()
    assert (await room.only()).state == "planned"

    room.later(39)
    await room.work()
    assert room.channel.calls.count("commit") == 1

    room.later(2)
    await room.work()
    assert ((await room.only()).state, room.channel.calls.count("commit")) == ("posted", 2)


async def test_a_refused_post_is_rejected_and_a_refused_account_pauses_the_channel(
    database: Database,
) -> None:
    room = Newsroom(database, Channel(commits=[Rejected("too_long", "")]))
    await room.approve()
    await room.work()
    assert (await room.only()).state == "rejected"

    other = Newsroom(database, Channel(id="other", commits=[Rejected("token", "revoked", "channel")]))
    other.collection = other.database["more"]
    other.deliveries._collection = other.collection
    await other.approve()
    await other.work()
    assert (await other.only()).state == "planned"
    assert (await other.accounts.read("other")).reason == "revoked"


async def test_a_lying_answer_is_caught_by_reading_back(database: Database) -> None:
    room = Newsroom(database, Channel(commits=[Posted("1")], shows=False))
    await room.approve()
    await room.work()
    assert (await room.only()).state == "posted"

    room.later(6)
    await room.work()
    assert (await room.only()).state == "reconciling"

    room.channel.shows = True
    room.later(31)
    await room.work()
    room.later(2)
    await room.work()
    assert ((await room.only()).state, len(room.channel.wall)) == ("posted", 1)


async def test_a_recall_removes_with_proof_and_a_residue_is_named(database: Database) -> None:
    room = Newsroom(database, Channel())
    await room.approve()
    await room.work()

    await room.recall()
    await room.work()

    delivery = await room.only()
    assert (delivery.state, delivery.proof, room.channel.wall) == ("removed", "asked, and gone", [])
    assert [each for each in await room.told() if isinstance(each, DeliveryChanged)][
        -1
    ].tombstone == "recalled"


async def test_what_cannot_be_removed_is_residue(database: Database) -> None:
    room = Newsroom(database, Channel(removal=Residue("older than 48 hours")))
    await room.approve()
    await room.work()
    await room.recall()

    await room.work()

    assert (await room.only()).state == "residue"


async def test_a_recall_before_sending_sends_nothing(database: Database) -> None:
    room = Newsroom(database, Channel())
    await room.approve()
    await room.recall()

    await room.work()

    assert ((await room.only()).state, room.channel.calls) == ("cancelled", [])


async def test_a_recall_during_the_call_removes_what_the_call_showed(database: Database) -> None:
    class Slow(Channel):
        async def commit(self, post: Post, prepared: Prepared) -> Outcome:
            await room.recall()
            return await super().commit(post, prepared)

    room = Newsroom(database, Slow())
    await room.approve()

    await room.work()

    assert ((await room.only()).state, room.channel.wall) == ("removed", [])


async def test_the_next_revision_waits_until_the_earlier_post_is_gone(database: Database) -> None:
    room = Newsroom(database, Channel())
    await room.approve()
    await room.work()

    await room.approve(version=2, revision=2)
    assert await room.states() == {1: "removing"}
    await room.work()

    assert await room.states() == {1: "removed", 2: "posted"}
    assert len(room.channel.wall) == 1


async def test_the_next_revision_replaces_the_earlier_one_in_place_on_a_website(database: Database) -> None:
    room = Newsroom(database, Channel(replaces_in_place=True))
    await room.approve()
    await room.work()

    await room.approve(version=2, revision=2)
    await room.work()

    assert await room.states() == {1: "removed", 2: "posted"}
    assert "remove" not in room.channel.calls


async def test_a_worker_that_died_in_the_call_leaves_an_unknown_outcome(database: Database) -> None:
    room = Newsroom(database, Channel())
    await room.approve()
    await _begin_and_die(room)

    room.later(LEASE.total_seconds() + 1)
    await room.work()
    room.later(31)
    await room.work()
    room.later(2)
    await room.work()

    assert ((await room.only()).state, room.channel.calls.count("commit")) == ("posted", 1)
    states = [each.state for each in await room.told() if isinstance(each, DeliveryChanged)]
    assert states == ["planned", "sending", "unknown", "reconciling", "planned", "sending", "posted"]


async def test_a_process_that_starts_again_knows_its_own_unfinished_calls(database: Database) -> None:
    room = Newsroom(database, Channel())
    await room.approve()
    await _begin_and_die(room)

    await room.beside("elsewhere").worker.recover("send")
    assert (await room.only()).state == "sending"

    await room.worker.recover("send")
    assert (await room.only()).state == "unknown"


async def test_an_answer_that_comes_after_the_lease_still_counts(database: Database) -> None:
    """The store was away for so long that somebody else has begun to look into it."""

    class Late(Channel):
        async def commit(self, post: Post, prepared: Prepared) -> Outcome:
            outcome = await super().commit(post, prepared)
            room.later(LEASE.total_seconds() + 1)
            await room.beside("elsewhere").work()
            assert (await room.only()).state == "needs_human"
            return outcome

    room = Newsroom(database, Late(capabilities=BLIND))
    await room.approve()

    await room.work()

    assert (await room.only()).state == "posted"


async def test_two_processes_send_a_delivery_once(database: Database) -> None:
    room = Newsroom(database, Channel())
    other = room.beside("elsewhere")
    await room.approve()

    await asyncio.gather(room.work(), other.work())

    assert ((await room.only()).state, len(room.channel.wall)) == ("posted", 1)


async def test_a_channel_s_figures_are_told_when_they_are_news(database: Database) -> None:
    room = Newsroom(database, Channel())
    sample = Sample("views", "cumulative", 7, "telegram:counter", NOON)
    room.channel.samples = [sample]
    await room.approve()
    await room.work()

    for seconds in (6, 61, 601):
        room.later(seconds)
        room.channel.samples = [Sample("views", "cumulative", 7, "telegram:counter", room.now)]
        await room.work()

    told = [each for each in await room.told() if isinstance(each, ReachSampled)]
    assert [each.value for each in told] == [7]


async def test_a_failing_preparation_shows_nothing_and_is_tried_again(database: Database) -> None:
    room = Newsroom(database, Channel(preparation=NotSent("upload", "connection refused")))
    await room.approve()
    await room.work()
    assert ((await room.only()).state, room.channel.calls) == ("planned", ["prepare"])

    room.channel.preparation = {"handle": "1"}
    room.later(3)
    await room.work()

    delivery = await room.only()
    assert (delivery.state, delivery.prepared) == ("posted", {"handle": "1"})


async def test_an_upload_of_an_hour_is_many_steps_each_stored_before_the_next(database: Database) -> None:
    room = Newsroom(database, Channel(parts=6, pause=600.0, preparation={"handle": "whole"}))
    await room.approve()

    for part in range(1, 7):
        await room.work()
        delivery = await room.only()
        assert (delivery.state, delivery.prepared, delivery.lease) == ("planned", {"parts": str(part)}, None)
        room.later(601)
    await room.work()

    delivery = await room.only()
    assert (delivery.state, delivery.prepared) == ("posted", {"handle": "whole"})
    assert room.channel.gone_on_from == [0, 1, 2, 3, 4, 5]
    assert room.channel.calls.count("commit") == 1


async def test_a_preparation_is_taken_up_by_another_worker_where_it_was_last_stored(
    database: Database,
) -> None:
    class Killed(Channel):
        async def prepare(self, post: Post, so_far: Prepared) -> Preparation:
            done = await super().prepare(post, so_far)
            if self.calls.count("prepare") == 3:
                raise asyncio.CancelledError  # its process is killed before it can store what it did
            return done

    room = Newsroom(database, Killed(parts=4))
    await room.approve()
    await room.worker._send_due("s")
    await room.worker._send_due("s")
    with pytest.raises(asyncio.CancelledError):
        await room.worker._send_due("s")
    assert ((await room.only()).state, (await room.only()).prepared) == ("planned", {"parts": "2"})

    other = room.beside("there")
    await other.work()
    assert room.channel.gone_on_from == [0, 1, 2], "until its lease ends nobody else takes it"

    other.later(LEASE.total_seconds() + 1)
    await other.work()

    assert (await other.only()).state == "posted"
    assert room.channel.gone_on_from == [0, 1, 2, 2, 3]
    assert room.channel.wall == [(await other.only()).id]


async def test_a_slow_preparation_may_take_days_but_one_that_does_not_move_is_left_to_a_person(
    database: Database,
) -> None:
    class Stuck(Channel):
        async def prepare(self, post: Post, so_far: Prepared) -> Preparation:
            return Underway({"container": "1"}, 3600.0)

    slow = Newsroom(database, Channel(parts=30, pause=3600.0))
    await slow.approve()
    for _ in range(31):
        await slow.work()
        slow.later(3601)
    assert (await slow.only()).state == "posted"

    stuck = Newsroom(database, Stuck(id="other"))
    stuck.collection = stuck.database["more"]
    stuck.deliveries._collection = stuck.collection
    await stuck.approve()
    for _ in range(26):
        await stuck.work()
        stuck.later(3601)

    delivery = await stuck.only()
    assert delivery.state == "needs_human"
    assert delivery.failure is not None
    assert delivery.failure.code == "preparation_stuck"


async def test_what_was_prepared_is_kept_for_a_commit_that_provably_did_not_happen(
    database: Database,
) -> None:
    room = Newsroom(database, Channel(parts=1, preparation={"parts": "1"}, commits=[NotSent("429", "", 5.0)]))
    await room.approve()
    room.channel.shows = False
    await room.work()
    room.later(10)
    await room.work()

    assert ((await room.only()).state, room.channel.gone_on_from) == ("posted", [0])


async def test_what_was_prepared_is_made_anew_after_a_commit_of_unknown_outcome(database: Database) -> None:
    room = Newsroom(
        database,
        Channel(parts=1, preparation={"parts": "1"}, commits=[Unknown("reset", "")], shows=False),
    )
    await room.approve()
    await room.work()
    room.later(31)
    room.channel.shows = True
    await room.work()
    room.later(2)
    await room.work()

    assert ((await room.only()).state, room.channel.gone_on_from) == ("posted", [0, 0])


@pytest.mark.parametrize("in_place", [False, True])
async def test_nothing_is_sent_after_the_approval_was_taken_back(database: Database, in_place: bool) -> None:
    class Changing(Channel):
        async def prepare(self, post: Post, so_far: Prepared) -> Preparation:
            await room.recall()
            return await super().prepare(post, so_far)

    room = Newsroom(database, Changing(replaces_in_place=in_place))
    await room.approve()

    await room.work()

    assert ((await room.only()).state, room.channel.calls) == ("cancelled", ["prepare"])


async def _begin_and_die(room: Newsroom) -> None:
    """Store what a worker stores before its call, and nothing after it."""
    delivery, rules = await room.only(), Rules(room.channel.capabilities)
    until = room.now + LEASE
    for step in (Claimed("here", until), SendStarted(1, until, {}, 1)):

        def apply(known: Publication, step: Happening = step) -> Publication | Refused:
            return happen(known, delivery.id, step, room.now, rules)

        assert not isinstance(await room.deliveries.change("s", apply), Refused)
