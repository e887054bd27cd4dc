"""Nobody holds what somebody else holds, and nothing that waits is overlooked."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.moderation.cases.queue_positions import SETTLED
from services.moderation.cases.rules import Decision, DecisionRefused, Edits
from services.moderation.queue.claims import LEASE, Claim, ClaimLost, Claims, Held, NotClaimable, TooMany
from services.moderation.queue.reader import MOST_WINDOWS, WINDOW, ReviewerScope
from shared.events import CaseChanged
from tests.support.builders.moderation_stores import Stage, reader
from tests.support.builders.submissions import NOW, sensitive, submission


async def test_the_one_that_has_waited_longest_comes_first(stage: Stage) -> None:
    events = [submission(title=f"{n}", occurred_at=NOW + timedelta(minutes=n)) for n in range(3)]
    await stage.open(*events)

    claims = [await stage.claims.next(reader()) for _ in range(4)]

    assert [claim.case.sent.title if claim else None for claim in claims] == ["0", "1", "2", None]


async def test_a_claim_tells_that_the_case_is_in_review_once(stage: Stage) -> None:
    event = submission()
    await stage.open(event)

    for person in ("one", "two"):
        claim = await stage.claims.next(reader(person))
        assert claim is not None
        await stage.claims.release(claim.lease.token, person)

    told = [each for each in await stage.told(event.subject_id) if isinstance(each, CaseChanged)]
    assert [each.state for each in told] == ["screened", "in_review"]


async def test_scopes_and_wishes_are_kept(stage: Stage) -> None:
    await stage.open(
        submission(title="az/AZ", language="az", country="AZ"),
        submission(title="az/TR", language="az", country="TR", section="youth"),
        submission(title="ru/TR", language="ru", country="TR"),
        submission(title="mine", language="az", country="AZ", author_id="one"),
    )

    async def seen(wanted: ReviewerScope) -> list[str]:
        found, _ = await stage.queue.page(wanted, keep=lambda _: True, cursor=None, limit=50, now=NOW)
        claims = []
        while (claim := await stage.claims.next(wanted)) is not None:
            claims.append(claim)
        for claim in claims:
            await stage.claims.release(claim.lease.token, "one")
        titles = sorted(claim.case.sent.title for claim in claims)
        assert titles == sorted(slot.title for slot in found if slot.title != "mine")
        return titles

    assert await seen(reader()) == ["az/AZ", "az/TR", "ru/TR"]
    assert await seen(reader(languages=frozenset({"az"}))) == ["az/AZ", "az/TR"]
    assert await seen(reader(countries=frozenset({"TR"}))) == ["az/TR", "ru/TR"]
    assert await seen(reader(countries=frozenset({"TR"}), languages=frozenset({"ru"}))) == ["ru/TR"]
    assert await seen(reader(sections=frozenset({"youth"}))) == ["az/TR"]
    assert await seen(reader(languages=frozenset({"ka"}))) == []


async def test_fifty_at_once_never_hold_the_same(stage: Stage) -> None:
    await stage.open(*(submission() for _ in range(60)))

    claims = await asyncio.gather(*(stage.claims.next(reader(f"p{n}")) for n in range(50)))

    held = [claim.case.id for claim in claims if claim is not None]
    assert len(held) == 50
    assert len(set(held)) == 50


async def test_fifty_for_ten_cases_give_ten_claims(stage: Stage) -> None:
    await stage.open(*(submission() for _ in range(10)))

    claims = await asyncio.gather(*(stage.claims.next(reader(f"p{n}")) for n in range(50)))

    held = [claim.case.id for claim in claims if claim is not None]
    assert sorted(held) == sorted(set(held))
    assert len(held) == 10


async def test_an_expired_lease_gives_the_case_to_another_and_refuses_the_late(stage: Stage) -> None:
    await stage.open(submission())
    first = await stage.claims.next(reader("one"))
    assert first is not None
    assert await stage.claims.next(reader("two")) is None

    stage.clock.advance(LEASE + timedelta(seconds=1))
    with pytest.raises(ClaimLost):
        await stage.decide(first.lease.token, Decision("approve"), reader("one"))
    second = await stage.claims.next(reader("two"))

    assert second is not None
    assert second.case.fence == first.case.fence + 1
    with pytest.raises(ClaimLost):
        await stage.claims.renew(first.lease.token, "one")
    with pytest.raises(ClaimLost):
        await stage.decide(first.lease.token, Decision("approve"), reader("one"))
    assert (await stage.decide(second.lease.token, Decision("approve"), reader("two"))).state == "approved"


async def test_nobody_holds_more_than_one_may_however_many_are_asked_for_at_once(stage: Stage) -> None:
    events = [submission() for _ in range(9)]
    await stage.open(*events)
    claims = Claims(stage.cases, stage.queue, stage.clock, at_once=3)

    asked = await asyncio.gather(
        *(claims.next(reader("one")) for _ in range(3)),
        *(claims.one(each.subject_id, reader("one")) for each in events[4:]),
        return_exceptions=True,
    )

    assert len([each for each in asked if isinstance(each, Claim)]) == 3
    assert len(await claims.mine("one")) == 3
    with pytest.raises(TooMany):
        await claims.next(reader("one"))
    [held, *_] = await claims.mine("one")
    assert (await claims.one(held.case.id, reader("one"))).lease.token == held.lease.token
    assert await claims.next(reader("two")) is not None
    await claims.release(held.lease.token, "one")
    assert await claims.next(reader("one")) is not None
    stage.clock.advance(LEASE + timedelta(seconds=1))
    assert await claims.next(reader("one")) is not None


@pytest.mark.parametrize("tag", ["pt", "pt-BR"])
async def test_whoever_reads_a_language_sees_its_variants(stage: Stage, tag: str) -> None:
    await stage.open(submission(language=tag, country="BR"), submission(language="ptx-BR", country="BR"))

    for wanted in (
        reader(languages=frozenset({"pt"})),
        reader(languages=frozenset({"pt"}), countries=frozenset({"BR"})),
    ):
        found, _ = await stage.queue.page(wanted, keep=lambda _: True, cursor=None, limit=5, now=NOW)
        assert [slot.language for slot in found] == [tag]


async def test_an_edit_that_leaves_ones_languages_is_refused(stage: Stage) -> None:
    await stage.open(submission())
    narrow = reader(languages=frozenset({"az"}))
    claim = await stage.claims.next(narrow)
    assert claim is not None

    with pytest.raises(DecisionRefused) as refused:
        await stage.decide(claim.lease.token, Decision("approve", edits=Edits(language="ru")), narrow)

    assert refused.value.code == "out_of_scope"


async def test_a_renewed_lease_lasts(stage: Stage) -> None:
    await stage.open(submission())
    claim = await stage.claims.next(reader())
    assert claim is not None

    for _ in range(3):
        stage.clock.advance(LEASE - timedelta(seconds=10))
        await stage.claims.renew(claim.lease.token, "one")

    assert [each.case.id for each in await stage.claims.mine("one")] == [claim.case.id]
    assert await stage.claims.next(reader("two")) is None


async def test_nobody_uses_the_token_of_another(stage: Stage) -> None:
    await stage.open(submission())
    claim = await stage.claims.next(reader())
    assert claim is not None
    token = claim.lease.token

    for bad in (
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        "nothing",
        claim.case.id,
        f"{claim.case.id}.",
    ):
        with pytest.raises(ClaimLost):
            await stage.claims.renew(bad, "one")
        with pytest.raises(ClaimLost):
            await stage.decide(bad, Decision("approve"), reader("one"))
    with pytest.raises(ClaimLost):
        await stage.claims.renew(token, "two")
    with pytest.raises(ClaimLost):
        await stage.decide(token, Decision("approve"), reader("two"))
    await stage.claims.release(token, "two")
    assert len(await stage.claims.mine("one")) == 1


async def test_a_decision_again_gets_the_same_answer_and_another_is_refused(stage: Stage) -> None:
    await stage.open(submission())
    claim = await stage.claims.next(reader())
    assert claim is not None
    token = claim.lease.token

    first = await stage.decide(token, Decision("approve"), reader())
    stage.clock.advance(LEASE * 2)
    again = await stage.decide(token, Decision("approve"), reader())

    assert (again.decision_id, again.state, again.again) == (first.decision_id, "approved", True)
    with pytest.raises(DecisionRefused, match="already"):
        await stage.decide(token, Decision("reject", ("other",)), reader())
    told = await stage.told(claim.case.id)
    assert len({each.event_id for each in told}) == len(told) == 4


async def test_the_same_decision_at_once_is_made_once(stage: Stage) -> None:
    await stage.open(submission())
    claim = await stage.claims.next(reader())
    assert claim is not None

    answers = await asyncio.gather(
        *(stage.decide(claim.lease.token, Decision("approve"), reader()) for _ in range(6))
    )

    assert len({each.decision_id for each in answers}) == 1
    case = await stage.cases.get(claim.case.id)
    assert case is not None
    assert len(case.decisions) == 1


async def test_what_is_sensitive_waits_for_a_second_person(stage: Stage) -> None:
    await stage.open(sensitive())
    first = await stage.claims.next(reader("one"))
    assert first is not None
    decided = await stage.decide(first.lease.token, Decision("approve"), reader("one"))
    assert decided.state == "in_review"

    assert await stage.claims.next(reader("one")) is None
    with pytest.raises(NotClaimable, match="approved"):
        await stage.claims.one(first.case.id, reader("one"))
    second = await stage.claims.next(reader("two"))
    assert second is not None
    decided = await stage.decide(
        second.lease.token, Decision("approve", edits=Edits(title="Başqa")), reader("two")
    )
    assert decided.state == "in_review"
    third = await stage.claims.next(reader("one"))
    assert third is not None
    assert third.case.standing.content.title == "Başqa"
    assert third.case.sent.title == "Novruz süfrəsi"
    assert (await stage.decide(third.lease.token, Decision("approve"), reader("one"))).state == "approved"


async def test_what_is_passed_on_waits_for_editors(stage: Stage) -> None:
    await stage.open(submission())
    claim = await stage.claims.next(reader())
    assert claim is not None
    await stage.decide(claim.lease.token, Decision("escalate", ("other",)), reader())

    assert await stage.claims.next(reader("two")) is None
    with pytest.raises(NotClaimable, match="escalated"):
        await stage.claims.one(claim.case.id, reader("two"))
    given = await stage.claims.next(reader("three", editor=True))
    assert given is not None
    decided = await stage.decide(given.lease.token, Decision("approve"), reader("three", editor=True))
    assert decided.state == "approved"


async def test_one_case_can_be_asked_for(stage: Stage) -> None:
    await stage.open(submission(), wanted := submission(author_id="three"))

    claim = await stage.claims.one(wanted.subject_id, reader("one"))
    again = await stage.claims.one(wanted.subject_id, reader("one"))

    assert claim.lease.token == again.lease.token
    with pytest.raises(Held) as held:
        await stage.claims.one(wanted.subject_id, reader("two"))
    assert held.value.lease.person_id == "one"
    await stage.claims.release(claim.lease.token, "one")
    with pytest.raises(NotClaimable, match="own"):
        await stage.claims.one(wanted.subject_id, reader("three"))
    with pytest.raises(KeyError):
        await stage.claims.one(wanted.subject_id, reader("two", languages=frozenset({"ru"})))
    with pytest.raises(KeyError):
        await stage.claims.one("nothing", reader("two"))


async def test_the_head_follows_what_is_decided_and_forgets_nobody(stage: Stage) -> None:
    await stage.open(*(submission(title=str(n)) for n in range(WINDOW + 10)))
    for _ in range(WINDOW):
        claim = await stage.claims.next(reader())
        assert claim is not None
        await stage.decide(claim.lease.token, Decision("reject", ("other",)), reader())

    left = [await stage.claims.next(reader()) for _ in range(10)]

    assert sorted(claim.case.sent.title for claim in left if claim) == sorted(
        str(n) for n in range(WINDOW, WINDOW + 10)
    )
    [lane] = [lane for lane in await stage.cases.books.languages.all() if lane.id == "first|az"]
    assert lane.head >= WINDOW - 16


async def test_the_head_waits_for_a_place_that_is_taken_and_not_yet_filled(stage: Stage) -> None:
    books, now = stage.cases.books, await stage.clock.now()
    await stage.open(submission())
    await books.languages.take("first", "az", None, now=now)
    await stage.open(*(submission() for _ in range(20)))
    while (claim := await stage.claims.next(reader())) is not None:
        await stage.decide(claim.lease.token, Decision("reject", ("other",)), reader())

    [lane] = [lane for lane in await books.languages.all() if lane.stage == "first"]
    assert lane.head <= 1

    for _ in range(2):
        stage.clock.advance(SETTLED)
        assert await stage.claims.next(reader()) is None
    assert await stage.claims.next(reader()) is None
    [lane] = [lane for lane in await books.languages.all() if lane.stage == "first"]
    assert lane.head == lane.tail == 22


async def test_the_queue_is_paged_without_loss(stage: Stage) -> None:
    await stage.open(*(submission(title=str(n), language="az" if n % 2 else "ru") for n in range(11)))
    seen: list[str] = []
    cursor = None
    while True:
        slots, cursor = await stage.queue.page(
            reader(), keep=lambda slot: slot.risk != "high", cursor=cursor, limit=3, now=NOW
        )
        seen += [slot.title for slot in slots]
        if cursor is None:
            break

    assert sorted(seen) == sorted(str(n) for n in range(11))


@pytest.mark.parametrize("place", [-(2**60), 2**53, 2**80])
async def test_a_place_that_no_page_gave_is_taken_for_the_nearest_end(stage: Stage, place: int) -> None:
    await stage.open(submission(), submission())

    found, after = await stage.queue.page(
        reader(), keep=lambda _: True, cursor=("first|az", place), limit=5, now=NOW
    )

    assert (len(found), after) == (2 if place < 0 else 0, None)


async def test_a_page_looks_into_no_more_than_it_may_and_goes_on_there(stage: Stage) -> None:
    await stage.open(submission(title="0"))
    await stage.database["lanes"].update_one(
        {"_id": "first|az"}, {"$set": {"tail": WINDOW * (MOST_WINDOWS + 3)}}
    )
    await (await Stage.on(stage.database)).open(submission(title="1"))

    found, after = await stage.queue.page(reader(), keep=lambda _: True, cursor=None, limit=5, now=NOW)
    assert after is not None
    rest, end = await stage.queue.page(reader(), keep=lambda _: True, cursor=after, limit=5, now=NOW)

    assert [slot.title for slot in (*found, *rest)] == ["0", "1"]
    assert end is None


async def test_those_who_wait_are_counted_by_language(stage: Stage) -> None:
    await stage.open(submission(), submission(), submission(language="ru"))

    waiting = await stage.queue.waiting(reader())

    assert [(each.language, each.count, each.more) for each in waiting] == [
        ("az", 2, False),
        ("ru", 1, False),
    ]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["claim", "release", "renew", "decide", "late", "wait"]),
        st.sampled_from(["one", "two", "three"]),
    ),
    min_size=4,
    max_size=14,
)


class Model:
    """Who holds what, as it ought to be."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.live: dict[str, tuple[str, str]] = {}
        self.dead: list[tuple[str, str]] = []

    async def step(self, what: str, person: str) -> None:
        claims = self.stage.claims
        mine = next((case for case, (holder, _) in self.live.items() if holder == person), None)
        if what == "claim" and (claim := await claims.next(reader(person))) is not None:
            assert claim.case.id not in self.live
            self.live[claim.case.id] = (person, claim.lease.token)
        elif what == "wait":
            self.stage.clock.advance(LEASE)
            self.dead += self.live.values()
            self.live.clear()
        elif what == "late":
            for holder, token in self.dead:
                with pytest.raises(ClaimLost):
                    await claims.renew(token, holder)
        elif what == "renew" and mine:
            await claims.renew(self.live[mine][1], person)
        elif mine:
            await self.give_up(what, mine)

    async def give_up(self, what: str, case: str) -> None:
        person, token = self.live[case]
        if what == "release":
            await self.stage.claims.release(token, person)
        elif what == "decide":
            await self.stage.decide(token, Decision("approve"), reader(person))
        else:
            return
        self.dead.append(self.live.pop(case))

    async def check(self) -> None:
        held = {
            claim.case.id: (name, claim.lease.token)
            for name in ("one", "two", "three")
            for claim in await self.stage.claims.mine(name)
        }
        assert held == self.live


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, cases=st.integers(1, 3), touchy=st.booleans())
async def test_whatever_people_do_no_case_has_two_holders(
    stage: Stage, steps: list[tuple[str, str]], cases: int, touchy: bool
) -> None:
    for name in ("cases", "lanes", "country_lanes"):
        await stage.database[name].delete_many({})
    fresh = await Stage.on(stage.database)
    await fresh.open(*((sensitive if touchy else submission)() for _ in range(cases)))
    model = Model(fresh)
    for what, person in steps:
        await model.step(what, person)
        await model.check()
