"""Members, submissions and what is visible: each counted once, whatever comes twice or late."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from services.metrics.census.store import Roll, Seen, visible
from services.metrics.clicks.link_cache import Links, fallback, well_formed
from shared.events import DeliveryChanged, DeliveryState, PersonRegistered
from shared.storage.mongo import Database
from tests.unit.metrics.happenings import delivery

NOW = datetime(2026, 11, 20, tzinfo=UTC)


async def rolled(database: Database) -> Roll:
    roll = Roll(database["people"], database["submissions"])
    await roll.prepare()
    return roll


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
    roll = await rolled(database)
    people = [person(f"person.{number}", ("TR", "CA")[number % 2], number) for number in range(30)]

    await asyncio.gather(*(roll.joined(one) for one in (*people, *people[:10])))
    members, countries = await roll.members()

    assert (members.value, countries.value) == (30, 2)
    assert members.as_of == NOW + timedelta(minutes=29)


async def test_nobody_and_nothing_has_no_time(database: Database) -> None:
    roll = await rolled(database)

    assert [one.as_of for one in await roll.members()] == [None, None]
    assert {one.as_of for one in (await roll.submissions()).values()} == {None}


@pytest.mark.parametrize(
    ("steps", "published", "videos"),
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
    database: Database, steps: list[tuple[int, DeliveryState, int]], published: int, videos: int
) -> None:
    roll = await rolled(database)
    for number, state, version in steps:
        event = moved(number, state, version)
        await roll.delivered(event)
        await roll.delivered(event)

    counted = await roll.submissions()

    assert (counted["published"].value, counted["videos"].value) == (published, videos)


async def test_changes_at_the_same_time_all_count(database: Database) -> None:
    roll = await rolled(database)
    events = [
        moved(number, "posted", 2, submission_id=f"s{number % 7}", media_types=("video/mp4",) * (number % 2))
        for number in range(40)
    ]

    await asyncio.gather(*(roll.delivered(event) for event in events))
    counted = await roll.submissions()

    assert (counted["published"].value, counted["videos"].value) == (7, 7)


def test_a_video_counts_while_it_is_seen() -> None:
    assert visible({"a": Seen(1, visible=True, video=False), "b": Seen(1, visible=False, video=True)}) == (
        1,
        0,
    )


async def test_a_link_leads_where_its_latest_version_says(database: Database, tmp_path: Path) -> None:
    links = Links(database["links"], tmp_path / "links.tsv")
    old, new = (
        moved(1, "planned", 1, target="https://a.example"),
        moved(1, "posted", 2, target="https://b.example"),
    )

    await links.learn(new)
    await links.learn(old)

    assert await links.target(new.code) == "https://b.example"
    assert await Links(database["links"], tmp_path / "other.tsv").target(new.code) == "https://b.example"


async def test_links_are_known_after_a_restart_without_the_database(
    database: Database, tmp_path: Path
) -> None:
    first = Links(database["links"], tmp_path / "links.tsv", remembered=3)
    events = [moved(number, "planned", 1, target=f"https://{number}.example") for number in range(12)]
    for event in events:
        await first.learn(event)

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
