"""Who attacks a stack from one address, and who only wants to use it from another."""

import asyncio
import random
import socket
import statistics
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final
from uuid import uuid4

import httpx

from tests.support.supervised import Supervised

ATTACKER, INNOCENT = "127.0.0.66", "127.0.0.1"
"""The gateway tells services the address, and limits count by it."""
AT_ONCE: Final = 12
PAUSE: Final = 0.05
"""Seconds between two rounds of somebody who means no harm."""
MOST_SENT: Final = 15
"""Far from what even a newcomer may send."""
PATIENCE: Final = 120.0
SEEDED: Final = random.Random(7)

Shot = Callable[[httpx.AsyncClient], Awaitable[str]]


def client_from(stack: Supervised, address: str) -> httpx.AsyncClient:
    """Calls to the gateway that come from this address."""
    return httpx.AsyncClient(
        base_url=stack.url,
        timeout=PATIENCE,
        transport=httpx.AsyncHTTPTransport(local_address=address, limits=httpx.Limits(max_connections=100)),
    )


def item(body: str = "Birinci sətir.") -> dict[str, Any]:
    """A submission that can be taken."""
    return {
        "title": "Şəhər muzeyində xalça sərgisi",
        "body": body,
        "language": "az",
        "country": "AZ",
        "consent": {"terms_version": "2020-09", "people_shown": "none", "rights": "own"},
    }


async def joined(http: httpx.AsyncClient) -> dict[str, str]:
    """What calls of a new volunteer carry; nothing where nobody may join any more."""
    body = {"name": "Elnur", "country": "AZ", "languages": ["az"]}
    answer = await http.post("/api/ingest/v1/volunteers", json=body)
    token = answer.json().get("token") if answer.status_code == httpx.codes.CREATED else None
    return {"Authorization": f"Bearer {token}"} if token else {}


@dataclass
class Innocent:
    """Somebody who reads the site and sends something now and then, and waits for each answer."""

    http: httpx.AsyncClient
    headers: dict[str, str]
    accepted: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)

    async def use(self, seconds: float) -> list[float]:
        """The seconds that each call took, over so many seconds."""
        took: list[float] = []
        ends = monotonic() + seconds
        while monotonic() < ends:
            for call in (self._read, self._look, self._send):
                if call != self._send or len(self.accepted) < MOST_SENT:
                    began = monotonic()
                    await call()
                    took.append(monotonic() - began)
            await asyncio.sleep(PAUSE)
        return took

    async def _read(self) -> None:
        self._note(await self.http.get("/api/metrics/v1/campaign"))

    async def _look(self) -> None:
        self._note(await self.http.get("/api/ingest/v1/submissions", headers=self.headers))

    async def _send(self) -> None:
        headers = {**self.headers, "Idempotency-Key": str(uuid4())}
        answer = await self.http.post("/api/ingest/v1/submissions", json=item(), headers=headers)
        self._note(answer)
        if answer.status_code == httpx.codes.ACCEPTED:
            self.accepted.append(answer.json()["submission_id"])

    def _note(self, answer: httpx.Response) -> None:
        if not answer.is_success:
            self.refused[f"{answer.request.method} {answer.request.url.path}: {answer.status_code}"] += 1


@asynccontextmanager
async def under(attack: "Attack", stack: Supervised) -> AsyncIterator[Counter[str]]:
    """The attack goes on as long as the block runs. What it was answered, counted."""
    answers: Counter[str] = Counter()
    tasks = [asyncio.create_task(_repeat(attack, stack, answers)) for _ in range(AT_ONCE)]
    try:
        yield answers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _repeat(attack: "Attack", stack: Supervised, answers: Counter[str]) -> None:
    async with client_from(stack, ATTACKER) as http:
        shoot = await attack(stack, http)
        while True:
            try:
                answers[await shoot(http)] += 1
            except httpx.HTTPError as error:
                answers[type(error).__name__] += 1
            await asyncio.sleep(0)


Attack = Callable[[Supervised, httpx.AsyncClient], Awaitable[Shot]]


async def newcomers(_stack: Supervised, _http: httpx.AsyncClient) -> Shot:
    """Everybody joins anew and sends at once."""

    async def shoot(http: httpx.AsyncClient) -> str:
        headers = await joined(http)
        if not headers:
            return "may not join"
        headers["Idempotency-Key"] = str(uuid4())
        answer = await http.post("/api/ingest/v1/submissions", json=item("x" * 20_000), headers=headers)
        return str(answer.status_code)

    return shoot


async def unknown_codes(_stack: Supervised, _http: httpx.AsyncClient) -> Shot:
    """Anonymous clicks on short links that there are not."""

    async def shoot(http: httpx.AsyncClient) -> str:
        code = "".join(SEEDED.choice("abcdefghijklmnopqrstuvwxyz234567") for _ in range(10))
        return str((await http.get(f"/r/{code}")).status_code)

    return shoot


async def oversized(_stack: Supervised, _http: httpx.AsyncClient) -> Shot:
    """Wide forms of many fields, and bodies of nearly as many bytes as the gateway lets through."""
    wide = "&".join(f"f{number}=x" for number in range(40_000))

    async def shoot(http: httpx.AsyncClient) -> str:
        multipart = {f"f{number}": (None, "x" * 1_000) for number in range(500)}
        answers = [
            await http.post(
                "/send", content=wide, headers={"Content-Type": "application/x-www-form-urlencoded"}
            ),
            await http.post(
                "/api/ingest/v1/uploads", files=multipart, headers={"Cookie": "__Host-konullu=x"}
            ),
            await http.post("/api/ingest/v1/submissions", content=b"[" * 3_900_000),
        ]
        return " ".join(str(each.status_code) for each in answers)

    return shoot


async def slow_bodies(stack: Supervised, _http: httpx.AsyncClient) -> Shot:
    """Connections that begin to send and go on one byte at a time."""
    held: list[socket.socket] = []

    async def shoot(_http: httpx.AsyncClient) -> str:
        if len(held) < 30:
            line = socket.create_connection(("127.0.0.1", stack.base), source_address=(ATTACKER, 0))
            line.setblocking(False)
            held.append(line)
            head = "POST /api/ingest/v1/submissions HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{"
            await asyncio.get_running_loop().sock_sendall(line, head.encode())
            return "opened"
        await asyncio.sleep(0.2)
        for line in held:
            try:
                line.send(b"x")
            except OSError:
                return "cut off"
        return "held"

    return shoot


async def uploads_beyond_quota(_stack: Supervised, http: httpx.AsyncClient) -> Shot:
    """Several uploads of one newcomer side by side, each with more than was announced."""
    headers = {**await joined(http), "Tus-Resumable": "1.0.0"}

    async def shoot(http: httpx.AsyncClient) -> str:
        made = await http.post(
            "/api/ingest/v1/uploads", headers={**headers, "Upload-Length": str(30_000_000)}
        )
        if made.status_code != httpx.codes.CREATED:
            return f"announcing: {made.status_code}"
        place = f"/api/ingest/v1/uploads/{made.headers['location'].rstrip('/').rsplit('/', 1)[1]}"
        kind = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        sent = await asyncio.gather(
            *(http.patch(place, content=bytes(1 << 20), headers={**headers, **kind}) for _ in range(3))
        )
        return "sending: " + " ".join(sorted(str(each.status_code) for each in sent))

    return shoot


async def wrong_codes(_stack: Supervised, _http: httpx.AsyncClient) -> Shot:
    """Guessing at recovery codes and sign-in links."""

    async def shoot(http: httpx.AsyncClient) -> str:
        code = "".join(SEEDED.choice("0123456789ABCDEFGHJKMNPQRSTVWXYZ") for _ in range(20))
        answer = await http.post("/api/ingest/v1/recovery", json={"recovery_code": code})
        return str(answer.status_code)

    return shoot


async def slow_texts(_stack: Supervised, http: httpx.AsyncClient) -> Shot:
    """Texts on which a careless pattern takes the square of its time."""
    headers = await joined(http)
    texts = (
        "-" * 20_000,
        "a@" * 10_000,
        "1 " * 10_000,
        "\u0660" * 20_000,
        "www." * 5_000,
        " \u200f" * 10_000,
    )

    async def shoot(http: httpx.AsyncClient) -> str:
        key = {"Idempotency-Key": str(uuid4())}
        body = item(f"x {SEEDED.choice(texts)}"[:20_000])
        answer = await http.post("/api/ingest/v1/submissions", json=body, headers={**headers, **key})
        return str(answer.status_code)

    return shoot


ATTACKS: Final[tuple[Attack, ...]] = (
    newcomers,
    unknown_codes,
    oversized,
    slow_bodies,
    uploads_beyond_quota,
    wrong_codes,
    slow_texts,
)


def ratios(calm: list[float], attacked: list[float]) -> str:
    """How many times as long calls took, in the middle and near the end: of this run alone, for people to read."""

    def of(took: list[float]) -> tuple[float, float]:
        ordered = sorted(took)
        return statistics.median(ordered), ordered[int(len(ordered) * 0.95)]

    (middle, late), (middle_then, late_then) = of(calm), of(attacked)
    return f"median x{middle_then / middle:.1f}, 95th of a hundred x{late_then / late:.1f} ({len(attacked)} calls)"
