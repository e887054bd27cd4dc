"""A submission is withdrawn from a whole stack: then no word of it, no name of its file and no byte of its photo is left.

Looked into are every collection of every database, every object, every log, and the table of `docs/data.md`, which has to
name every collection that there is.
"""

import asyncio
import hashlib
import io
import re
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from shared.settings import MONGO, embedded_database
from shared.storage.mongo import Client, connect
from tests.demo.drawn import photo
from tests.support.people import Line, Staff, Volunteer, eventually, expect
from tests.support.stack import SERVICES, Stack, stack
from tests.support.traces import found_in

TITLE: Final = "Gizli xalça sərgisi"
BODY: Final = "Gizli mətn: nənəmin naxışları."
SECRETS: Final = (
    "Gizli xalça",
    "Gizli mətn",
    "gizliteq",
    "Gizli təsvir",
    "Gizli imza",
    "Gizli səbəb",
    "Gizli qeyd",
    "gizli-fayl",
)
COUNTED: Final = "gizliteq"
"""Metrics keeps a hashtag that was published: it counts by it."""
NAME: Final = "Gizlinaz"
SECONDS: Final = 60.0


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack(tmp_path_factory.mktemp("erasure"), environment={"KONULLU_RETENTION_SECONDS": "1"}) as started:
        yield started


@pytest.fixture
async def line(built: Stack) -> AsyncIterator[Line]:
    opened = Line(built.url)
    yield opened
    await opened.close()


@pytest.fixture
async def client(built: Stack) -> AsyncIterator[Client]:
    opened = connect(embedded_database(built.base + MONGO), "pymongo")
    yield opened
    await opened.close()


async def sent(author: Volunteer, number: int) -> tuple[str, str]:
    """A submission with a photo of its own; its id and the digest of its file as it was cleaned."""
    upload = await author.upload(photo(number), f"gizli-fayl-{number}.jpg", "image/jpeg")
    made = await author.submit(
        {
            "title": TITLE,
            "body": BODY,
            "language": "az",
            "country": "AZ",
            "hashtags": ["gizliteq"],
            "media": [{"upload_id": upload, "alt": "Gizli təsvir"}],
            "attribution": {"mode": "pseudonym", "text": "Gizli imza"},
            "consent": {"terms_version": "2020-09", "people_shown": "none", "rights": "own"},
        }
    )
    answer = await author.line.ask("GET", f"/api/ingest/v1/uploads/{upload}", headers=author.headers)
    return made["submission_id"], expect(answer, 200).json()["media"]["sha256"]


async def approved(moderator: Staff) -> None:
    held = await eventually(moderator.claim, seconds=SECONDS, what="a case in the queue")
    assert await moderator.decide(held["claim_token"], note="Gizli qeyd") is not None


async def published(author: Volunteer, submission_id: str) -> None:
    async def out() -> bool:
        deliveries = (await author.ledger(submission_id))["deliveries"]
        return len(deliveries) == 3 and {each["state"] for each in deliveries} == {"posted"}

    await eventually(out, seconds=SECONDS, what="posted everywhere")


async def in_databases(client: Client, words: tuple[str, ...]) -> list[str]:
    left: list[str] = []
    for service in SERVICES:
        for name in await collections(client, service):
            documents: list[dict[str, Any]] = await client[service][name].find({}).to_list(None)
            sought = [word for word in words if service != "metrics" or word != COUNTED]
            left += [f"{service}.{name}: {word}" for each in documents for word in found_in(each, sought)]
    return left


async def collections(client: Client, service: str) -> list[str]:
    listed = await client[service].command("listCollections")
    return sorted(each["name"] for each in listed["cursor"]["firstBatch"])


def in_files(home: Path, words: tuple[str, ...], digests: set[str]) -> list[str]:
    """Where words, or files with these digests, are: in objects and logs, in their bytes and their names."""
    left: list[str] = []
    for path in (
        each for top in ("media", "logs", "spool") for each in (home / top).rglob("*") if each.is_file()
    ):
        content, name = path.read_bytes(), str(path.relative_to(home))
        left += [f"{name}: {word}" for word in words if word.encode() in content or word in name]
        if hashlib.sha256(content).hexdigest() in digests or any(each in name for each in digests):
            left.append(f"{name}: the photo")
    return left


async def test_what_was_withdrawn_leaves_no_word_no_name_and_no_picture(
    built: Stack, line: Line, client: Client
) -> None:
    author = await Volunteer.register(line, name="Ayna", country="AZ", languages=["az"])
    moderator = Staff(line, built.staff("moderator", "Leyla", "--languages", "az"))
    submission_id, sha256 = await sent(author, 1)
    await approved(moderator)
    await published(author, submission_id)
    home = built.home
    assert {each.split(": ")[1] for each in await in_databases(client, SECRETS)} == set(SECRETS) - {
        "Gizli səbəb",
        "gizli-fayl",
    }
    assert in_files(home, SECRETS, {sha256}) != []

    await author.withdraw(submission_id, "Gizli səbəb")

    async def gone() -> bool:
        return not await in_databases(client, SECRETS) and not in_files(home, SECRETS, {sha256})

    try:
        await eventually(gone, seconds=180, what="everything gone")
    except TimeoutError:
        assert [*await in_databases(client, SECRETS), *in_files(home, SECRETS, {sha256})] == []
    ledger = await author.ledger(submission_id)
    assert (ledger["state"], ledger["title"], ledger["published_text"]) == ("withdrawn", "", None)
    assert built.command("audit", "verify").startswith("OK")


async def test_an_account_is_taken_away_as_a_file_and_then_deleted(
    built: Stack, line: Line, client: Client
) -> None:
    author = await Volunteer.register(line, name=NAME, country="AZ", languages=["az"])
    moderator = Staff(line, built.staff("moderator", "Aysel", "--languages", "az"))
    submission_id, sha256 = await sent(author, 2)
    await approved(moderator)
    await published(author, submission_id)

    file = expect(await line.ask("GET", "/api/ingest/v1/account/export", headers=author.headers), 200)
    with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
        assert archive.testzip() is None
        assert NAME in archive.read("account.json").decode()
        held = archive.read("submissions.json").decode()
        assert [word for word in (TITLE, BODY, "Gizli imza", "Gizli qeyd") if word not in held] == []
        assert hashlib.sha256(archive.read(f"media/{sha256}.jpg")).hexdigest() == sha256

    refused = await line.ask("POST", "/api/ingest/v1/account/deletion", json={}, headers=author.headers)
    assert refused.status_code == 422
    for _ in range(2):
        answer = await line.ask(
            "POST", "/api/ingest/v1/account/deletion", json={"confirmed": True}, headers=author.headers
        )
        expect(answer, 202)
    await asyncio.to_thread(built.command, "restart", "ingest")

    async def closed() -> bool:
        answer = await line.ask("GET", "/api/ingest/v1/account", headers=author.headers)
        return answer.status_code == httpx.codes.UNAUTHORIZED

    await eventually(closed, seconds=180, what="the account closed")
    words = (*SECRETS, NAME)

    async def gone() -> bool:
        return not await in_databases(client, words) and not in_files(built.home, words, {sha256})

    try:
        await eventually(gone, seconds=180, what="everything gone")
    except TimeoutError:
        assert [*await in_databases(client, words), *in_files(built.home, words, {sha256})] == []
    assert built.command("audit", "verify").startswith("OK")
    assert [each for each in built.timeline() if "Gizli" in str(each)] == []


async def test_the_table_of_what_is_kept_names_every_collection(built: Stack, client: Client) -> None:
    text = (Path(__file__).parents[2] / "docs/data.md").read_text()
    named = set(re.findall(r"^\| `([a-z]+\.[a-z_]+)` \|", text, re.MULTILINE))
    everywhere = {f"{service}.{name}" for service in SERVICES for name in ("failures", "retention")}

    there = {f"{s}.{name}" for s in SERVICES for name in await collections(client, s)}
    assert there - named - everywhere == set()
