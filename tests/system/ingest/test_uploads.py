"""Resumable uploads by a foreign client, over real sockets, into a real process that is killed and a disk that fills."""

import asyncio
import base64
import hashlib
import io
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

from services.ingest.uploads.chunks import Quarantine
from shared.identity.tokens import Issuer, Principal, signing_key
from shared.storage.media import MediaStore
from shared.storage.mongo import Database, connect
from tests.servers.cutting_proxy import cutting_proxy
from tests.support.builders import media_corpus as corpus
from tests.support.processes import Server, free_port, until

MIB = 1024 * 1024
TUS = {"Tus-Resumable": "1.0.0"}
BODY = {**TUS, "Content-Type": "application/offset+octet-stream"}

Start = Callable[..., Server]


def token(home: Path, person: str = "leyla") -> dict[str, str]:
    issuer = Issuer(signing_key(home / "keys" / "tokens.pem"))
    return {"Authorization": f"Bearer {issuer.issue(Principal(person, 'volunteer'), now=datetime.now(UTC))}"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def name() -> str:
    return f"test_{uuid4().hex[:12]}"


@pytest.fixture
def start(mongo_url: str, home: Path, name: str, tmp_path: Path) -> Iterator[Start]:
    """Start the upload server, with options."""
    started: list[Server] = []

    def start(*options: str) -> Server:
        port = free_port()
        command = [
            sys.executable,
            "-m",
            "tests.servers.uploads",
            str(port),
            mongo_url,
            name,
            str(home),
            *options,
        ]
        server = Server(command, f"http://127.0.0.1:{port}", port, tmp_path / "server.log")
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
async def database(mongo_url: str, name: str) -> AsyncIterator[Database]:
    client = connect(mongo_url)
    yield client[name]
    await client.drop_database(name)
    await client.close()


@pytest.fixture
async def http(home: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(headers=token(home), timeout=120) as client:
        yield client


async def begun(http: httpx.AsyncClient, server: Server, length: int, **headers: str) -> str:
    answer = await http.post(
        f"{server.url}/v1/uploads", headers={**TUS, "Upload-Length": str(length), **headers}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.url.join(answer.headers["Location"]))


async def patch(
    http: httpx.AsyncClient, url: str, offset: int, content: bytes | AsyncIterator[bytes], **headers: str
) -> httpx.Response:
    return await http.patch(url, headers={**BODY, "Upload-Offset": str(offset), **headers}, content=content)


async def offset_of(http: httpx.AsyncClient, url: str) -> int:
    answer = await http.head(url, headers=TUS)
    assert answer.status_code == 200
    return int(answer.headers["Upload-Offset"])


async def arrived(database: Database, home: Path, url: str) -> bytes:
    """The content as its counted pieces give it."""
    quarantine = Quarantine(MediaStore(f"file://{home / 'media'}"))
    upload_id = url.rpartition("/")[2]
    row = await database["uploads"].find_one({"_id": upload_id})
    assert row is not None
    return b"".join([data for part in row["parts"] async for data in quarantine.read(upload_id, part)])


async def verdict(http: httpx.AsyncClient, url: str, seconds: float = 30) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while True:
        told: dict[str, Any] = (await http.get(url)).json()
        if told["state"] in {"clean", "refused"}:
            return told
        assert time.monotonic() < deadline, told
        await asyncio.sleep(0.05)


def foreign(home: Path, address: str, content: bytes, **options: Any) -> Any:
    """A foreign client's uploader."""
    client = TusClient(address, headers=token(home))
    return client.uploader(file_stream=io.BytesIO(content), retries=3, retry_delay=0.05, **options)


@pytest.mark.parametrize(
    "address", ["/v1/uploads", "/v1/uploads/", "/api/ingest/v1/uploads", "/api/ingest/v1/uploads/"]
)
async def test_a_foreign_client_finds_its_upload_behind_any_prefix(
    start: Start, home: Path, database: Database, address: str
) -> None:
    server, content = start(), random.Random(1).randbytes(3 * MIB + 17)
    uploader = foreign(
        home, server.url + address, content, chunk_size=MIB, metadata={"filename": "şəkil.jpg"}
    )

    await asyncio.to_thread(uploader.upload)

    assert uploader.url.startswith(server.url + address.rstrip("/") + "/")
    assert await arrived(database, home, uploader.url) == content


async def test_a_foreign_client_can_have_each_piece_checked(
    start: Start, home: Path, database: Database
) -> None:
    server, content = start(), random.Random(2).randbytes(2 * MIB)
    uploader = foreign(home, f"{server.url}/v1/uploads", content, chunk_size=300_000, upload_checksum=True)

    await asyncio.to_thread(uploader.upload)

    assert await arrived(database, home, uploader.url) == content


async def test_the_server_says_what_it_can(start: Start, http: httpx.AsyncClient) -> None:
    answer = await http.options(f"{start().url}/v1/uploads", headers={"Authorization": ""})

    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert set(answer.headers["Tus-Extension"].split(",")) == {
        "creation",
        "creation-with-upload",
        "termination",
        "checksum",
        "expiration",
    }
    assert answer.headers["Tus-Checksum-Algorithm"] == "sha1,sha256"
    assert answer.headers["Tus-Max-Size"] == str(2 * 1024 * MIB)


async def test_files_arrive_whole_over_a_connection_that_breaks_every_64_kib(
    start: Start, home: Path, database: Database
) -> None:
    server = start()
    contents = [random.Random(seed).randbytes(600_000 + seed) for seed in range(6)]
    async with cutting_proxy(server.port, 64 * 1024) as cutter:

        async def send(content: bytes) -> str:
            uploader = foreign(
                home, f"http://127.0.0.1:{cutter.port}/v1/uploads", content, chunk_size=300_000
            )
            deadline = time.monotonic() + 150
            while uploader.offset < len(content):
                assert time.monotonic() < deadline
                try:
                    await asyncio.to_thread(uploader.upload)
                except TusCommunicationError:
                    if uploader.url:
                        uploader.offset = await asyncio.to_thread(uploader.get_offset)
            return str(uploader.url)

        urls = await asyncio.gather(*(send(content) for content in contents))

        assert cutter.cuts >= len(contents) * 8
    for url, content in zip(urls, contents, strict=True):
        assert hashlib.sha256(await arrived(database, home, url)).digest() == hashlib.sha256(content).digest()


async def test_duplicate_and_misplaced_pieces_change_nothing(
    start: Start, http: httpx.AsyncClient, home: Path, database: Database
) -> None:
    server, content = start(), random.Random(3).randbytes(5 * MIB)
    url = await begun(http, server, len(content))
    pieces = [(at, content[at : at + MIB]) for at in range(0, len(content), MIB)]
    chance = random.Random(4)

    while (offset := await offset_of(http, url)) < len(content):
        chosen = [*chance.choices(pieces, k=2), *([pieces[offset // MIB]] * 2)]
        chance.shuffle(chosen)
        answers = await asyncio.gather(*(patch(http, url, at, piece) for at, piece in chosen))
        assert {answer.status_code for answer in answers} <= {204, 409}
        assert all(
            "application/problem+json" in a.headers["Content-Type"] for a in answers if a.status_code == 409
        )

    assert await arrived(database, home, url) == content


async def test_requests_side_by_side_bring_no_more_than_was_announced(
    start: Start, http: httpx.AsyncClient, home: Path, database: Database
) -> None:
    server, content = start(), random.Random(11).randbytes(12 * MIB)
    url = await begun(http, server, len(content))
    right = base64.b64encode(hashlib.sha256(content).digest()).decode()
    most = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal most
        for at in range(0, len(content), MIB):
            yield content[at : at + MIB]
            most = max(
                most, sum(path.stat().st_size for path in (home / "media").rglob("*-*") if path.is_file())
            )

    answers = await asyncio.gather(
        *(patch(http, url, 0, body(), **{"Upload-Checksum": f"sha256 {right}"}) for _ in range(5))
    )

    assert sorted(answer.status_code for answer in answers) == [204, 409, 409, 409, 409]
    assert await arrived(database, home, url) == content
    assert most <= len(content) + 5 * 2 * MIB
    assert len(await MediaStore(f"file://{home / 'media'}").list("quarantine/")) == 6


async def test_below_the_mark_nothing_new_is_begun(
    start: Start, http: httpx.AsyncClient, database: Database
) -> None:
    server = start(f"spare={1 << 60}")

    answer = await http.post(f"{server.url}/v1/uploads", headers={**TUS, "Upload-Length": "10"})

    assert (answer.status_code, answer.json()["type"]) == (507, "urn:konullu:problem:storage_full")
    assert answer.headers["Retry-After"] == "60"
    assert await database["uploads"].find_one({}) is None


async def test_a_body_with_a_wrong_checksum_does_not_count(
    start: Start, http: httpx.AsyncClient, home: Path, database: Database
) -> None:
    server, content = start(), random.Random(5).randbytes(5 * MIB)
    url = await begun(http, server, len(content))
    right = base64.b64encode(hashlib.sha256(content).digest()).decode()

    bad = await patch(http, url, 0, b"x" + content[1:], **{"Upload-Checksum": f"sha256 {right}"})
    after_bad = await offset_of(http, url)
    good = await patch(http, url, 0, content, **{"Upload-Checksum": f"sha256 {right}"})

    assert (bad.status_code, bad.json()["type"]) == (460, "urn:konullu:problem:upload_checksum_mismatch")
    assert after_bad == 0
    assert (good.status_code, good.headers["Upload-Offset"]) == (204, str(len(content)))
    assert await arrived(database, home, url) == content
    kept = await MediaStore(f"file://{home / 'media'}").list("quarantine/")
    assert len(kept) == 3


async def test_the_first_bytes_may_come_with_the_creation(
    start: Start, http: httpx.AsyncClient, home: Path, database: Database
) -> None:
    server, content = start(), b"0123456789"

    answer = await http.post(
        f"{server.url}/v1/uploads", headers={**BODY, "Upload-Length": "10"}, content=content[:6]
    )
    url = str(answer.url.join(answer.headers["Location"]))
    end = await patch(http, url, 6, content[6:])

    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, "6")
    assert "Upload-Expires" in answer.headers
    assert end.headers["Upload-Offset"] == "10"
    assert await arrived(database, home, url) == content


async def test_refusals_keep_the_protocols_status_and_say_how_to_mend(
    start: Start, http: httpx.AsyncClient
) -> None:
    server = start()
    new = f"{server.url}/v1/uploads"
    url = await begun(http, server, 10)
    nobody = {"Authorization": ""}

    answers = {
        "version": await http.post(new, headers={"Upload-Length": "1"}),
        "other version": await http.head(url, headers={"Tus-Resumable": "0.2.2"}),
        "no length": await http.post(new, headers=TUS),
        "metadata": await http.post(new, headers={**TUS, "Upload-Length": "1", "Upload-Metadata": "a *"}),
        "too large": await http.post(new, headers={**TUS, "Upload-Length": str(3 * 1024 * MIB)}),
        "content type": await http.patch(url, headers={**TUS, "Upload-Offset": "0"}, content=b"a"),
        "offset": await http.patch(url, headers=BODY, content=b"a"),
        "other offset": await patch(http, url, 5, b"a"),
        "too long": await patch(http, url, 0, b"a" * 11),
        "checksum": await patch(http, url, 0, b"a", **{"Upload-Checksum": "crc32 AAAA"}),
        "unknown": await patch(http, f"{new}/{'0' * 32}", 0, b"a"),
        "nobody": await http.post(new, headers={**TUS, **nobody, "Upload-Length": "1"}),
        "method": await http.post(url, headers=TUS),
    }

    assert {case: answer.status_code for case, answer in answers.items()} == {
        "version": 412,
        "other version": 412,
        "no length": 400,
        "metadata": 400,
        "too large": 413,
        "content type": 415,
        "offset": 400,
        "other offset": 409,
        "too long": 413,
        "checksum": 400,
        "unknown": 404,
        "nobody": 401,
        "method": 405,
    }
    for case, answer in answers.items():
        assert answer.headers["Tus-Resumable"] == "1.0.0", case
        if answer.request.method != "HEAD":
            assert answer.headers["Content-Type"] == "application/problem+json", case
            assert answer.json()["detail"].endswith("."), case
    assert answers["version"].headers["Tus-Version"] == "1.0.0"
    assert await offset_of(http, url) == 0


async def test_somebody_elses_upload_is_unknown(start: Start, http: httpx.AsyncClient, home: Path) -> None:
    url = await begun(http, start(), 10)
    other = token(home, "mehmet")

    statuses = [
        (await http.head(url, headers={**TUS, **other})).status_code,
        (await http.get(url, headers=other)).status_code,
        (await patch(http, url, 0, b"a", **other)).status_code,
        (await http.delete(url, headers={**TUS, **other})).status_code,
    ]

    assert statuses == [404] * 4
    assert await offset_of(http, url) == 0


async def test_a_terminated_upload_is_gone(start: Start, http: httpx.AsyncClient, home: Path) -> None:
    url = await begun(http, start(), 10)
    await patch(http, url, 0, b"01234")

    ended = await http.delete(url, headers=TUS)

    assert ended.status_code == 204
    assert (await http.head(url, headers=TUS)).status_code == 410
    assert (await patch(http, url, 5, b"56789")).status_code == 410
    assert await MediaStore(f"file://{home / 'media'}").list("quarantine/") == []


async def test_a_client_that_can_only_post_says_what_it_means(start: Start, http: httpx.AsyncClient) -> None:
    url = await begun(http, start(), 3)

    answer = await http.post(
        url, headers={**BODY, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}, content=b"abc"
    )

    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, "3")


async def test_an_upload_goes_on_after_the_server_was_killed(
    start: Start, http: httpx.AsyncClient, home: Path, database: Database
) -> None:
    server, content = start(), random.Random(6).randbytes(16 * MIB)
    url = await begun(http, server, len(content))

    for _ in range(3):
        offset = await offset_of(http, url)
        with pytest.raises(httpx.TransportError):
            await patch(http, url, offset, _killing(server, database, content[offset:], offset))
        server.restart()
    uploader = foreign(home, f"{server.url}/v1/uploads", content, url=url, chunk_size=3 * MIB)
    resumed_at = uploader.offset
    await asyncio.to_thread(uploader.upload)

    assert resumed_at >= 9 * MIB
    assert hashlib.sha256(await arrived(database, home, url)).digest() == hashlib.sha256(content).digest()


async def _killing(server: Server, database: Database, content: bytes, offset: int) -> AsyncIterator[bytes]:
    """A body in the middle of which the server is killed: once 3 MiB of its first 4.5 count."""
    yield content[: 4 * MIB + MIB // 2]
    deadline = time.monotonic() + 30
    while not await database["uploads"].find_one({"offset": {"$gte": offset + 3 * MIB}}):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)
    server.kill()
    yield content[4 * MIB + MIB // 2 :]


async def test_a_real_photo_and_video_become_clean_media(
    start: Start, http: httpx.AsyncClient, home: Path, material: Path
) -> None:
    server = start("screening")
    files = [material / "photos" / "DSCN0010.jpg", material / "photos" / "samplefilehub.heif"]
    files.append(material / "video" / "bigbuckbunny.mp4")

    for path in files:
        uploader = foreign(home, f"{server.url}/v1/uploads", path.read_bytes(), chunk_size=200_000)
        await asyncio.to_thread(uploader.upload)
        told = await verdict(http, uploader.url)

        assert told["state"] == "clean", told
        clean = (home / "media" / "clean" / told["media"]["sha256"]).read_bytes()
        assert hashlib.sha256(clean).hexdigest() == told["media"]["sha256"]
        assert not [secret for secret in corpus.SECRETS if secret in clean and secret != b"Lavc"]
    assert await MediaStore(f"file://{home / 'media'}").list("quarantine/") == []


async def test_a_screening_goes_on_after_the_server_was_killed(
    start: Start, http: httpx.AsyncClient, home: Path, database: Database, tmp_path: Path
) -> None:
    server, content = start("screening"), corpus.video(tmp_path / "made.mp4", frames=240)
    url = await begun(http, server, len(content))
    await patch(http, url, 0, content)
    deadline = time.monotonic() + 20
    while not await database["uploads"].find_one({"state": {"$in": ["screening", "clean"]}}):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)

    server.kill()
    server.restart()

    assert (await verdict(http, url))["state"] == "clean"
    assert len(await MediaStore(f"file://{home / 'media'}").list("clean/")) == 1


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[bool]:
    """A file system of its own at `folder`; whether this machine allows it."""
    folder.mkdir(parents=True)
    mounted = (
        os.geteuid() == 0
        and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder)],
            check=False,
            capture_output=True,
        ).returncode
        == 0
    )
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_full_disk_is_told_politely_and_nothing_is_half_stored(
    start: Start, http: httpx.AsyncClient, home: Path, database: Database
) -> None:
    content = random.Random(7).randbytes(12 * MIB)
    with small_disk(home / "media", 8) as mounted:
        server = start(*([] if mounted else [f"room={8 * MIB}"]))
        url = await begun(http, server, len(content))

        refused = await patch(http, url, 0, content)
        offset = await offset_of(http, url)
        again = await patch(http, url, offset, content[offset:])

        assert (refused.status_code, refused.json()["type"]) == (507, "urn:konullu:problem:storage_full")
        assert again.status_code == 507
        assert await offset_of(http, url) == offset
        assert await arrived(database, home, url) == content[:offset]
        ended = await http.delete(url, headers=TUS)
        assert ended.status_code == 204
        if mounted:
            url = await begun(http, server, MIB)
            assert (await patch(http, url, 0, content[:MIB])).status_code == 204
        server.stop()


async def test_memory_stays_flat_while_a_large_file_arrives(start: Start, http: httpx.AsyncClient) -> None:
    server, block = start(), random.Random(8).randbytes(MIB)
    count = 192
    await patch(http, await begun(http, server, MIB), 0, block)
    url = await begun(http, server, count * MIB)
    before = _peak(server)

    async def body() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield block

    answer = await patch(http, url, 0, body())

    assert answer.headers["Upload-Offset"] == str(count * MIB)
    assert _peak(server) - before <= 32 * MIB


def _peak(server: Server) -> int:
    """The most memory the server has used, in bytes."""
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status")
    until(status.exists, seconds=1, what="the server's status")
    (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024
