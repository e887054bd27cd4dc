"""People in the store: names here alone, codes and links used once, changes told in the same write."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.ingest.people.store import LEFT_OVER, People
from services.ingest.validation.rules import Newcomer
from shared.events import BY_SUBJECT, Event, PersonRegistered, Scopes, StaffChanged
from shared.identity.tokens import Epochs, TokenClaims
from shared.storage.mongo import Database

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEWCOMER = Newcomer("Aygün", "AZ", ("az", "ru"), "heritage")
LIFE = timedelta(minutes=15)


@pytest.fixture
async def people(database: Database) -> People:
    store = People(database["people"])
    await store.prepare()
    return store


async def told(people: People, person_id: str) -> list[Event]:
    """The events that wait in a person's outbox."""
    found = await people.collection.find_one({"_id": person_id})
    assert found is not None
    return [BY_SUBJECT[entry["subject"]].parse(entry["body"].encode()) for entry in found["outbox"]]


def claims(person_id: str, *, epoch: int = 0, session: str | None = None) -> TokenClaims:
    return TokenClaims(iss="konullu", sub=person_id, role="moderator", epoch=epoch, sid=session, iat=0, exp=1)


async def test_a_volunteer_is_registered_and_told_of_without_a_name(people: People) -> None:
    person, _ = await people.register(NEWCOMER, NOW)

    events = await told(people, person.person_id)
    assert await people.get(person.person_id) == person
    assert [type(event) for event in events] == [PersonRegistered]
    assert "Aygün" not in events[0].model_dump_json()


async def test_codes_and_links_are_kept_hashed(people: People) -> None:
    person, code = await people.register(NEWCOMER, NOW)
    staff = await people.add_staff("editor", "Leyla", Scopes(), NOW)
    link = await people.add_link(staff.person_id, NOW, LIFE)

    kept = [str(document) async for document in people.collection.find({})]

    assert not any(code in document or link in document for document in kept)
    assert person.person_id in str(kept)


async def test_a_recovery_code_works_once_and_gives_the_next(people: People) -> None:
    person, code = await people.register(NEWCOMER, NOW)

    first = await people.recover(code.lower())
    again = await people.recover(code)

    assert first is not None
    assert first[0].person_id == person.person_id
    assert again is None
    assert await people.recover(first[1]) is not None


async def test_of_many_uses_of_a_code_at_once_one_succeeds(people: People) -> None:
    _, code = await people.register(NEWCOMER, NOW)

    answers = await asyncio.gather(*(people.recover(code) for _ in range(10)))

    assert sum(answer is not None for answer in answers) == 1


async def test_recovery_refuses_earlier_tokens(people: People) -> None:
    person, code = await people.register(NEWCOMER, NOW)
    epochs = Epochs(people.collection)

    recovered = await people.recover(code)

    assert recovered is not None
    assert await epochs.refuses(claims(person.person_id, epoch=person.epoch))
    assert not await epochs.refuses(claims(person.person_id, epoch=recovered[0].epoch))


async def test_staff_changes_are_told_with_rising_versions(people: People) -> None:
    scopes = Scopes(countries=("TR",), languages=("az", "tr"))
    staff = await people.add_staff("moderator", "Leyla", scopes, NOW)
    await people.renew(staff.person_id, NOW)
    await people.end_session(staff.person_id, "s1", NOW)
    await people.disable(staff.person_id, NOW)

    events = await told(people, staff.person_id)

    changes = [event for event in events if isinstance(event, StaffChanged)]
    assert [(each.version, each.token_epoch, each.active, each.ended_sessions) for each in changes] == [
        (1, 0, True, ()),
        (2, 1, True, ()),
        (3, 1, True, ("s1",)),
        (4, 2, False, ("s1",)),
    ]
    assert all(each.scopes == scopes for each in changes)
    assert all("Leyla" not in each.model_dump_json() for each in changes)


async def test_what_staff_was_told_unsigned_is_told_again_as_it_stands(
    people: People, database: Database
) -> None:
    staff = await people.add_staff("moderator", "Leyla", Scopes(countries=("TR",)), NOW)
    await people.disable(staff.person_id, NOW)
    volunteer, _ = await people.register(NEWCOMER, NOW)
    before = await told(people, staff.person_id)

    for _ in range(2):
        await people.tell_again(database["marks"])

    [again] = (await told(people, staff.person_id))[len(before) :]
    assert isinstance(again, StaffChanged)
    last = before[-1]
    assert again.model_copy(update={"event_id": last.event_id, "occurred_at": last.occurred_at}) == last
    assert not any(isinstance(each, StaffChanged) for each in await told(people, volunteer.person_id))


async def test_no_change_is_lost_when_many_come_at_once(people: People) -> None:
    staff = await people.add_staff("moderator", "Leyla", Scopes(), NOW)

    await asyncio.gather(*(people.end_session(staff.person_id, f"s{n}", NOW) for n in range(5)))

    changed = await people.get(staff.person_id)
    assert changed.version == 6
    assert {each.session_id for each in changed.ended} == {f"s{n}" for n in range(5)}


async def test_an_ended_session_is_refused_and_forgotten_when_its_token_has_expired(people: People) -> None:
    staff = await people.add_staff("moderator", "Leyla", Scopes(), NOW)
    await people.end_session(staff.person_id, "s1", NOW)

    assert await Epochs(people.collection).refuses(claims(staff.person_id, session="s1"))
    later = await people.end_session(staff.person_id, "s2", NOW + timedelta(days=1))
    assert [each.session_id for each in later.ended] == ["s2"]


async def test_a_link_signs_in_once(people: People) -> None:
    staff = await people.add_staff("admin", "Leyla", Scopes(), NOW)
    link = await people.add_link(staff.person_id, NOW, LIFE)

    answers = await asyncio.gather(*(people.redeem(link, NOW + LIFE / 2) for _ in range(10)))

    assert [answer.person_id for answer in answers if answer] == [staff.person_id]
    assert (await people.get(staff.person_id)).signed_in_at == NOW + LIFE / 2


async def test_a_link_that_is_too_old_or_of_a_disabled_person_signs_nobody_in(people: People) -> None:
    staff = await people.add_staff("admin", "Leyla", Scopes(), NOW)
    link = await people.add_link(staff.person_id, NOW, LIFE)

    assert await people.redeem(link, NOW + LIFE) is None
    assert await people.redeem("something else", NOW) is None
    await people.disable(staff.person_id, NOW)
    assert await people.redeem(link, NOW) is None
    with pytest.raises(LookupError):
        await people.add_link(staff.person_id, NOW, LIFE)


async def test_a_process_without_a_relay_leaves_its_events_as_left_over(database: Database) -> None:
    people = People(database["people"], left_over=True)
    staff = await people.add_staff("admin", "Leyla", Scopes(), NOW)
    await people.renew(staff.person_id, NOW)

    found = await people.collection.find_one({"_id": staff.person_id})

    assert found is not None
    assert found["outbox_since"] == NOW - LEFT_OVER
    assert len(found["outbox"]) == 2


async def test_volunteers_are_no_staff(people: People) -> None:
    await people.register(NEWCOMER, NOW)
    first = await people.add_staff("moderator", "Leyla", Scopes(), NOW)
    second = await people.add_staff("admin", "Deniz", Scopes(), NOW + LIFE)

    assert await people.staff() == [first, second]
    with pytest.raises(LookupError):
        await people.get("nobody")
