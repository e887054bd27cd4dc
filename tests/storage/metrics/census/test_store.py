"""Members, submissions and what is visible: each counted once, whatever comes twice or late."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from services.metrics.census import store
from services.metrics.census.model import (
    CensusCount,
    Delivered,
    Fact,
    Joined,
    Received,
    Seen,
    Withdrawn,
    delivered,
    facts_in,
    joined,
    newest,
    published,
    text_of,
)
from services.metrics.census.store import Census
from services.metrics.clicks.link_cache import Links, fallback, well_formed
from shared.events import DeliveryChanged, DeliveryState, PersonRegistered
from shared.storage.mongo import Database
from tests.support.builders.reach_events import delivery

NOW = datetime(2026, 11, 20, tzinfo=UTC)


async def taken(database: Database) -> Census:
    census = Census(database)
    await census.prepare()
    return census


def person(name: str, country: str, minute: int = 0) -> PersonRegistered:
    return PersonRegistered(
        event_id=uuid4(),
        occurred_at=NOW + timedelta(minutes=minute),
        subject_id=name,
        version=1,
        country=country,
        languages=("az",),
    )


def moved(number: int, state: DeliveryState, version: int, **given: Any) -> DeliveryChanged:
    one = delivery(Random(number), number, submission_id="s")
    return one.model_copy(update={"state": state, "version": version, "event_id": uuid4(), **given})


async def test_members_are_counted_once_and_their_countries(database: Database) -> None:
    census = await taken(database)
    people = [person(f"person.{number}", ("TR", "CA")[number % 2], number) for number in range(30)]

    await asyncio.gather(*(census.record([joined(one)]) for one in (*people, *people[:10])))
    members, countries = await census.members()

    assert (members.value, countries.value) == (30, 2)
    assert members.as_of == NOW + timedelta(minutes=29)


async def test_nobody_and_nothing_has_no_time(database: Database) -> None:
    census = await taken(database)

    assert [one.as_of for one in await census.members()] == [None, None]
    assert {one.as_of for one in (await census.submissions()).values()} == {None}


@pytest.mark.parametrize(
    ("steps", "shown", "videos"),
    [
        ([(1, "posted", 2)], 1, 0),
        ([(1, "posted", 2), (2, "posted", 2)], 1, 0),
        ([(1, "posted", 2), (1, "removed", 4), (1, "removing", 3)], 0, 0),
        ([(1, "posted", 2), (2, "posted", 2), (1, "removed", 3)], 1, 0),
        ([(1, "removed", 5), (1, "posted", 2)], 0, 0),
        ([(1, "posted", 2), (1, "unknown", 3)], 0, 0),
        ([(1, "posted", 2), (1, "residue", 3)], 1, 0),
        ([(1, "planned", 1), (1, "rejected", 3)], 0, 0),
    ],
    ids=[
        "posted",
        "on_two_channels",
        "removed_and_told_late",
        "left_on_one",
        "all_told_backwards",
        "not_seen_at_the_last_look",
        "could_not_be_removed",
        "never_there",
    ],
)
async def test_a_submission_is_published_while_one_delivery_is_visible(
    database: Database, steps: list[tuple[int, DeliveryState, int]], shown: int, videos: int
) -> None:
    census = await taken(database)
    for number, state, version in steps:
        event = moved(number, state, version)
        await census.record([delivered(event)])
        await census.record([delivered(event)])

    counted = await census.submissions()

    assert (counted["published"].value, counted["videos"].value) == (shown, videos)


async def test_changes_at_the_same_time_all_count(database: Database) -> None:
    census = await taken(database)
    events = [
        moved(number, "posted", 2, submission_id=f"s{number % 7}", media_types=("video/mp4",) * (number % 2))
        for number in range(40)
    ]

    await asyncio.gather(*(census.record([delivered(event)]) for event in events))
    counted = await census.submissions()

    assert (counted["published"].value, counted["videos"].value) == (7, 7)


def test_a_video_counts_while_it_is_seen() -> None:
    assert published({"a": Seen(1, visible=True, video=False), "b": Seen(1, visible=False, video=True)}) == (
        1,
        0,
    )


async def test_a_link_leads_where_its_latest_version_says(database: Database, tmp_path: Path) -> None:
    links = Links(database["links"], tmp_path / "links.tsv")
    old, new = (
        moved(1, "planned", 1, target="https://a.example"),
        moved(1, "posted", 2, target="https://b.example"),
    )

    await links.learn([new])
    await links.learn([old])

    assert await links.target(new.code) == "https://b.example"
    assert await Links(database["links"], tmp_path / "other.tsv").target(new.code) == "https://b.example"


async def test_links_are_known_after_a_restart_without_the_database(
    database: Database, tmp_path: Path
) -> None:
    first = Links(database["links"], tmp_path / "links.tsv", remembered=3)
    events = [moved(number, "planned", 1, target=f"https://{number}.example") for number in range(12)]
    for event in events:
        await first.learn([event])

    again = Links(database["links"], tmp_path / "links.tsv", remembered=3)

    known = [await again.target(event.code, ask=False) for event in events]
    assert known == [None] * 9 + ["https://9.example", "https://10.example", "https://11.example"]
    assert await again.target(events[0].code) == "https://0.example"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("abcdefghij", "abcdefghij"),
        ("ABCDEFGH27", "abcdefgh27"),
        ("abcdefghi", None),
        ("abcdefghi1", None),
        ("../../etc/p", None),
    ],
)
def test_a_code_has_one_form(given: str, code: str | None) -> None:
    assert well_formed(given) == code


def test_an_unknown_code_leads_to_the_publishers_file() -> None:
    assert fallback("https://campaign.example", "abcdefghij") == "https://campaign.example/go/abcdefghij"


def facts(seed: int, count: int) -> list[Fact]:
    """Facts about a campaign, in no order, some of them again."""
    chance = Random(seed)
    made: list[Fact] = []
    for number in range(count):
        at = chance.randrange(10**12)
        made += [
            Joined(f"person.{number}", chance.choice(("AZ", "TR", "US")), at),
            Received(f"s{number}", at),
            *([Withdrawn(f"s{number}", at)] if chance.random() < 0.1 else []),
            *(
                Delivered(f"s{number}", f"c{number}.{place}", version, version == 2, place == 1, at)
                for place in range(chance.randrange(3))
                for version in range(chance.randrange(4))
            ),
        ]
    made += chance.sample(made, len(made) // 3)
    chance.shuffle(made)
    return made


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_however_facts_are_portioned_and_whoever_records_them_the_census_is_the_same(
    database: Database, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "CHECKPOINT_FACTS", 60)
    chance, told = Random(seed), facts(seed, 120)
    replicas = [await taken(database) for _ in range(3)]
    portions: list[list[Fact]] = []
    rest = told
    while rest:
        size = chance.randrange(1, 40)
        portions, rest = [*portions, rest[:size]], rest[size:]

    async def work(census: Census, mine: list[list[Fact]]) -> None:
        for portion in mine:
            await census.record(portion)

    await asyncio.gather(
        *(work(one, [*portions[place::3], *portions[:2]]) for place, one in enumerate(replicas))
    )
    expected = CensusCount()
    expected.take(told)

    started_anew = await taken(database)
    for census in (*replicas, started_anew):
        assert await census.members() == expected.members()
        assert await census.submissions() == expected.submissions()


def test_facts_are_read_as_they_were_written() -> None:
    told = facts(7, 40)

    assert facts_in(text_of(told)) == told


def test_the_newest_facts_say_all_that_all_facts_said() -> None:
    told = facts(8, 60)
    whole, short = CensusCount(), CensusCount()
    whole.take(told)
    short.take(newest(told))

    assert short.submissions()["published"].value == whole.submissions()["published"].value > 0
    assert short.submissions()["videos"].value == whole.submissions()["videos"].value > 0
    assert short.members()[0].value == whole.members()[0].value == 60
    assert len(newest(told)) < len(told)


async def test_what_the_version_before_counted_is_counted_on(database: Database) -> None:
    at = NOW.replace(microsecond=0)
    await database["people"].insert_many(
        [
            {"_id": 0, "rev": 0},
            {
                "_id": 1,
                "rev": 0,
                "members": 2,
                "countries": {"TR": 1, "CA": 1},
                "people": {"person%2E1|": "TR", "p2|": "CA"},
                "as_of": at,
            },
        ]
    )
    await database["submissions"].insert_one(
        {
            "_id": 3,
            "rev": 9,
            "received": 1,
            "published": 1,
            "received_at": at,
            "delivered_at": at,
            "items": {"s%2E1|": {"received": True, "deliveries": {"abc|": [4, True, False]}}},
        }
    )

    census = await taken(database)
    await census.record([Joined("person.1", "TR", 1), Received("s.1", 1), Received("s.2", 1)])
    again = await taken(database)

    members, countries = await again.members()
    counted = await again.submissions()
    assert (members.value, countries.value, members.as_of) == (2, 2, at)
    assert (counted["submissions"].value, counted["published"].value) == (2, 1)


@pytest.mark.parametrize("there", [1_000, 20_000])
async def test_what_a_fact_costs_does_not_depend_on_how_many_there_are(
    database: Database, there: int
) -> None:
    census = await taken(database)
    many: list[Fact] = [Joined(f"person.{number}", "TR", number) for number in range(there)]
    await census.record(many)
    before = {one["_id"]: len(one["facts"]) for one in await written(database)}

    await census.record([Joined("one more", "TR", 1)])

    added = [one for one in await written(database) if before.get(one["_id"]) != len(one["facts"])]
    assert [len(one["facts"]) for one in added] == [len('[["joined","one more","TR",1]]')]


async def written(database: Database) -> list[dict[str, Any]]:
    return [
        {**one, "_id": (name, one["_id"])}
        for name in ("census", "census_checkpoints")
        for one in await database[name].find({}).to_list(None)
    ]
