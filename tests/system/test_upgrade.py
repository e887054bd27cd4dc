"""A home that the first version left behind is taken over whole: its documents, its streams, what was under way.

`first_version.json` holds every document and message of a small campaign as that version stored them. It was stopped while
one submission waited in somebody's hands, one delivery could not be made, and one accepted submission was not yet told.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import nats
import pymongo
import pytest
from bson import json_util
from nats.js import JetStreamContext

from shared.events import SUBMISSION_WITHDRAWN, SubmissionWithdrawn
from shared.identity.tokens import Issuer, Principal, signing_key
from tests.campaign.sending import BROWSER
from tests.support.people import Line, Staff, Volunteer, campaign, eventually
from tests.support.processes import start_mongo, start_nats
from tests.support.stack import Stack, stack

FIRST: Final = Path(__file__).with_name("first_version.json")
SECONDS: Final = 60.0


def restore_documents(url: str, databases: dict[str, Any]) -> None:
    with pymongo.MongoClient[dict[str, Any]](url) as client:
        for database, collections in databases.items():
            for name, kept in collections.items():
                collection = client[database][name]
                for index in kept["indexes"]:
                    options = {key: value for key, value in index.items() if key != "key"}
                    collection.create_index([(field, way) for field, way in index["key"]], **options)
                if kept["documents"]:
                    collection.insert_many(kept["documents"])


async def restore_streams(url: str, streams: list[dict[str, Any]]) -> None:
    """The streams and consumers with the configuration that they had, each as far as it had come."""
    link = await nats.connect(url)
    stream = link.jetstream()
    for kept in streams:
        name = kept["config"]["name"]
        await _ask(stream, f"STREAM.CREATE.{name}", kept["config"])
        for message in kept["messages"]:
            await stream.publish(
                message["subject"],
                json.dumps(message["body"], ensure_ascii=False).encode(),
                headers={"Nats-Msg-Id": message["id"]},
            )
        for consumer in kept["consumers"]:
            durable = consumer["config"]["durable_name"]
            await _ask(
                stream,
                f"CONSUMER.DURABLE.CREATE.{name}.{durable}",
                {"stream_name": name, "config": consumer["config"]},
            )
            await _handle(stream, name, durable, consumer["handled"])
    await link.close()


async def _handle(stream: JetStreamContext, name: str, durable: str, up_to: int) -> None:
    subscription = await stream.pull_subscribe_bind(durable=durable, stream=name)
    while (info := await subscription.consumer_info()).num_pending and info.ack_floor.stream_seq < up_to:  # type: ignore[union-attr] # the server always says
        for message in await subscription.fetch(info.num_pending, timeout=5):
            await message.ack_sync()
    await subscription.unsubscribe()


async def _ask(stream: JetStreamContext, what: str, body: dict[str, Any]) -> None:
    answer = await stream._api_request(f"$JS.API.{what}", json.dumps(body).encode(), timeout=5)
    assert "error" not in answer, answer


@pytest.fixture
def first() -> dict[str, Any]:
    kept: dict[str, Any] = json_util.loads(FIRST.read_text())
    return kept


@pytest.fixture
def streams() -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = json.loads(FIRST.read_text())["streams"]
    return kept


@contextmanager
def upgrade(first: dict[str, Any], streams: list[dict[str, Any]], folder: Path) -> Iterator[Stack]:
    """This version, started on what the first one left."""
    for name in ("nats", "mongo"):
        (folder / name).mkdir()
    bus, database = start_nats(folder / "nats"), start_mongo(folder / "mongo")
    try:
        restore_documents(database.url, first["databases"])
        asyncio.run(restore_streams(bus.url, streams))
        engines = {"NATS_URL": bus.url, "MONGO_URL": database.url}
        with stack(folder / "stack", environment=engines) as built:
            yield built
    finally:
        bus.stop()
        database.stop()


@pytest.fixture
def upgraded(first: dict[str, Any], streams: list[dict[str, Any]], tmp_path: Path) -> Iterator[Stack]:
    with upgrade(first, streams, tmp_path) as built:
        yield built


@asynccontextmanager
async def line_of(built: Stack) -> AsyncIterator[Line]:
    line = Line(built.url)
    yield line
    await line.close()


async def test_everything_of_the_first_version_goes_on(first: dict[str, Any], upgraded: Stack) -> None:
    ids: dict[str, str] = first["ids"]
    key = signing_key(upgraded.home / "keys" / "tokens.pem")
    token = Issuer(key).issue(Principal(first["author"], "volunteer"), now=datetime.now(UTC))
    async with line_of(upgraded) as line:
        author = Volunteer(line, token, first["author"], "AZ")
        moderator = Staff(line, await asyncio.to_thread(upgraded.staff, "moderator", "Mehmet"))

        async def state(name: str) -> str:
            return str((await author.ledger(ids[name]))["state"])

        assert {name: await state(name) for name in ("published", "withdrawn", "rejected", "changes")} == {
            "published": "published",
            "withdrawn": "withdrawn",
            "rejected": "rejected",
            "changes": "changes_requested",
        }
        assert (await author.ledger(ids["published"]))["reach"]["clicks"]["value"] == 3

        await approve(moderator, {ids["waiting"], ids["left_over"]})
        for name in ("due", "waiting", "left_over"):

            async def posted(name: str = name) -> bool:
                states = {d["channel"]: d["state"] for d in (await author.ledger(ids[name]))["deliveries"]}
                return states == dict.fromkeys(("site", "partners", "tg"), "posted")

            await eventually(posted, seconds=SECONDS, what=f"{name} on every channel")
        titles = [post["text"].splitlines()[0] for post in await asyncio.to_thread(upgraded.timeline)]
        assert sorted(titles) == ["Title due", "Title left over", "Title waiting"]

        await click(upgraded, first, line)
        wanted = {"members": 2, "submissions": 7, "published": 4, "clicks": 4}

        async def counted() -> bool:
            shown = await campaign(line)
            return {name: (shown[name] or {}).get("value") for name in wanted} == wanted

        await eventually(counted, seconds=SECONDS, what="the totals")
        await asyncio.to_thread(upgraded.command, "audit", "verify")
        assert await asyncio.to_thread(upgraded.command, "dead", "list") == ""


def withdrawal(submission_id: str) -> dict[str, Any]:
    """As the first version told it: unsigned, among the submissions."""
    event = SubmissionWithdrawn(
        event_id=uuid4(), occurred_at=datetime.now(UTC), subject_id=submission_id, version=2
    )
    return {
        "subject": SUBMISSION_WITHDRAWN.subject,
        "body": event.model_dump(mode="json"),
        "id": str(event.event_id),
    }


def submission_in(first: dict[str, Any], name: str) -> dict[str, Any]:
    (kept,) = (
        each
        for each in first["databases"]["ingest"]["submissions"]["documents"]
        if each["_id"] == first["ids"][name]
    )
    found: dict[str, Any] = kept
    return found


def test_a_withdrawal_that_nobody_had_handled_still_ends_it_and_a_forged_one_ends_nothing(
    first: dict[str, Any], streams: list[dict[str, Any]], tmp_path: Path
) -> None:
    ids: dict[str, str] = first["ids"]
    submission_in(first, "published").update(withdrawn=True, withdrawn_at=datetime.now(UTC))
    (submissions,) = (each for each in streams if each["config"]["name"] == "SUBMISSIONS")
    submissions["messages"] += [withdrawal(ids["published"]), withdrawal(ids["due"])]

    with upgrade(first, streams, tmp_path) as built:
        asyncio.run(both_as_they_should(first, built))


async def both_as_they_should(first: dict[str, Any], built: Stack) -> None:
    ids: dict[str, str] = first["ids"]
    key = signing_key(built.home / "keys" / "tokens.pem")
    token = Issuer(key).issue(Principal(first["author"], "volunteer"), now=datetime.now(UTC))
    async with line_of(built) as line:
        author = Volunteer(line, token, first["author"], "AZ")

        async def states(name: str) -> set[str]:
            return {each["state"] for each in (await author.ledger(ids[name]))["deliveries"]}

        async def posted() -> bool:
            return await states("due") == {"posted"}

        async def taken_down() -> bool:
            return "posted" not in await states("published")

        await eventually(posted, seconds=SECONDS, what="what nobody withdrew, on every channel")
        await eventually(taken_down, seconds=SECONDS, what="what was withdrawn, taken down")


async def approve(moderator: Staff, wanted: set[str]) -> None:
    """Claim what waits and approve it, until all of these are."""
    done: set[str] = set()

    async def all_done() -> bool:
        held = await moderator.claim()
        if held is not None and await moderator.decide(held["claim_token"]):
            done.add(held["submission"]["submission_id"])
        return done >= wanted

    await eventually(all_done, seconds=SECONDS, what="what waited, and what was not yet told")
    assert done == wanted


async def click(built: Stack, first: dict[str, Any], line: Line) -> None:
    """Follow a link that the first version handed out."""
    publications = first["databases"]["publisher"]["publications"]["documents"]
    (kept,) = (each for each in publications if each["_id"] == first["ids"]["published"])
    delivery = next(each["id"] for each in kept["deliveries"] if each["channel"] == "tg")
    links = first["databases"]["metrics"]["links"]["documents"]
    code = next(each["_id"] for each in links if each["delivery"] == delivery)
    answer = await line.http.get(f"/r/{code}", headers=BROWSER)
    assert answer.status_code == 302
