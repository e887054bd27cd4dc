"""People who use a stack from outside, over HTTP alone. Each call is repeated under its key until it is answered."""

import asyncio
import base64
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from uuid import uuid4

import httpx

from tests.support.processes import BUSY

CHUNK: Final = 1 << 20
TUS: Final = {"Tus-Resumable": "1.0.0"}
PATIENCE_SECONDS: Final = 240.0
TRY_AGAIN: Final = frozenset({409, 429, 500, 502, 503, 504})


class NotAnsweredError(Exception):
    """A call found no answer within the patience of the person."""


class Story(Protocol):
    """What somebody has to tell."""

    @property
    def title(self) -> str: ...
    @property
    def body(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def country(self) -> str: ...
    @property
    def hashtags(self) -> tuple[str, ...]: ...


def metadata(name: str, kind: str) -> str:
    """A file's name and type as tus wants them."""
    pairs = {"filename": name, "filetype": kind}
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())


@dataclass
class Line:
    """A patient connection to a stack's gateway: repeats what was not answered, so a call must be repeatable."""

    url: str
    patience: float = PATIENCE_SECONDS
    http: httpx.AsyncClient = field(init=False)
    repeated: int = 0

    def __post_init__(self) -> None:
        self.http = httpx.AsyncClient(base_url=self.url, timeout=30, limits=httpx.Limits(max_connections=100))

    async def ask(
        self, method: str, path: str, *, again_on: frozenset[int] = TRY_AGAIN - {409}, **options: Any
    ) -> httpx.Response:
        """The answer, once there is one that is not of the passing kind."""
        deadline = time.monotonic() + self.patience
        last = "no answer"
        while time.monotonic() < deadline:
            try:
                answer = await self.http.request(method, path, **options)
            except httpx.TransportError as error:
                last = repr(error)
            else:
                if answer.status_code not in again_on:
                    return answer
                last = f"{answer.status_code} {answer.text[:200]}"
            self.repeated += 1
            await asyncio.sleep(0.2)
        text = f"{method} {path}: {last}"
        raise NotAnsweredError(text)

    async def close(self) -> None:
        """Hang up."""
        await self.http.aclose()


def expect(answer: httpx.Response, *codes: int) -> httpx.Response:
    """The answer, if it has one of these codes. Raises `AssertionError` with the problem otherwise."""
    if answer.status_code not in codes:
        text = f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:800]}"
        raise AssertionError(text)
    return answer


@dataclass
class Volunteer:
    """Somebody who sends."""

    line: Line
    token: str
    person_id: str
    country: str

    @classmethod
    async def register(cls, line: Line, *, name: str, country: str, languages: Sequence[str]) -> "Volunteer":
        """Join."""
        body = {"name": name, "country": country, "languages": list(languages)}
        made = expect(await line.ask("POST", "/api/ingest/v1/volunteers", json=body), 201).json()
        return cls(line, made["token"], made["volunteer_id"], country)

    @property
    def headers(self) -> dict[str, str]:
        """What every call carries."""
        return {"Authorization": f"Bearer {self.token}"}

    async def upload(self, content: bytes, name: str, kind: str) -> str:
        """Send a file by tus, going on where it stopped; its upload id."""
        made = expect(
            await self.line.ask(
                "POST",
                "/api/ingest/v1/uploads",
                headers={
                    **self.headers,
                    **TUS,
                    "Upload-Length": str(len(content)),
                    "Upload-Metadata": metadata(name, kind),
                },
            ),
            201,
        )
        place = str(httpx.URL(f"{self.line.url}/api/ingest/v1/uploads").join(made.headers["location"]))
        deadline = time.monotonic() + self.line.patience
        while time.monotonic() < deadline:
            head = await self.line.ask("HEAD", place, headers={**self.headers, **TUS})
            offset = int(expect(head, 200, 204).headers["upload-offset"])
            if offset == len(content):
                return place.rstrip("/").rsplit("/", 1)[1]
            piece = content[offset : offset + CHUNK]
            await self.line.ask(
                "PATCH",
                place,
                content=piece,
                again_on=frozenset(),
                headers={
                    **self.headers,
                    **TUS,
                    "Upload-Offset": str(offset),
                    "Content-Type": "application/offset+octet-stream",
                    "Upload-Checksum": "sha256 " + base64.b64encode(hashlib.sha256(piece).digest()).decode(),
                },
            ) if piece else None
        text = f"upload of {name} to {place}"
        raise NotAnsweredError(text)

    async def upload_at_once(self, content: bytes, name: str, kind: str) -> str:
        """Send a small file with the request that announces it; its upload id. What stays away is sent as `upload` does."""
        made = expect(
            await self.line.ask(
                "POST",
                "/api/ingest/v1/uploads",
                content=content,
                headers={
                    **self.headers,
                    **TUS,
                    "Upload-Length": str(len(content)),
                    "Upload-Metadata": metadata(name, kind),
                    "Content-Type": "application/offset+octet-stream",
                    "Upload-Checksum": "sha256 "
                    + base64.b64encode(hashlib.sha256(content).digest()).decode(),
                },
            ),
            201,
        )
        if int(made.headers.get("upload-offset", 0)) != len(content):
            return await self.upload(content, name, kind)
        return made.headers["location"].rstrip("/").rsplit("/", 1)[1]

    async def send(
        self, story: Story, media: Sequence[Mapping[str, str]], *, number: int, ai_edited: bool = False
    ) -> str:
        """Submit a story under a pseudonym with a number; its submission id."""
        answer = await self.submit(
            {
                "title": story.title,
                "body": story.body,
                "language": story.language,
                "country": story.country,
                "hashtags": list(story.hashtags),
                "media": list(media),
                "attribution": {"mode": "pseudonym", "text": f"Könüllü {number}"},
                "consent": {"terms_version": "2020-09", "people_shown": "none", "rights": "own"},
                "ai": {"made": False, "edited": ai_edited},
            }
        )
        return str(answer["submission_id"])

    async def submit(self, item: Mapping[str, Any], *, key: str | None = None) -> dict[str, Any]:
        """Send a submission under one key until it is accepted."""
        answer = await self.line.ask(
            "POST",
            "/api/ingest/v1/submissions",
            json=dict(item),
            headers={**self.headers, "Idempotency-Key": key or str(uuid4())},
            again_on=TRY_AGAIN,
        )
        made: dict[str, Any] = expect(answer, 202).json()
        return made

    async def ledger(self, submission_id: str) -> dict[str, Any]:
        """What became of it."""
        answer = await self.line.ask(
            "GET", f"/api/ingest/v1/submissions/{submission_id}", headers=self.headers
        )
        found: dict[str, Any] = expect(answer, 200).json()
        return found

    async def withdraw(self, submission_id: str, reason: str = "") -> None:
        """Take it back."""
        answer = await self.line.ask(
            "POST",
            f"/api/ingest/v1/submissions/{submission_id}/withdrawal",
            json={"reason": reason} if reason else {},
            headers={**self.headers, "Idempotency-Key": str(uuid4())},
            again_on=TRY_AGAIN,
        )
        expect(answer, 200, 202)


@dataclass
class Staff:
    """Somebody who decides, publishes or counts."""

    line: Line
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """What every call carries."""
        return {"Authorization": f"Bearer {self.token}"}

    async def claim(self, **filters: Any) -> dict[str, Any] | None:
        """The next case in one's hands; `None` when nothing fits."""
        answer = await self.line.ask("POST", "/api/moderation/v1/claims", json=filters, headers=self.headers)
        if expect(answer, 201, 204).status_code == httpx.codes.NO_CONTENT:
            return None
        held: dict[str, Any] = answer.json()
        return held

    async def mine(self) -> list[dict[str, Any]]:
        """The cases in one's hands, also those whose hand-over was never answered."""
        answer = await self.line.ask("GET", "/api/moderation/v1/claims", headers=self.headers)
        held: list[dict[str, Any]] = expect(answer, 200).json()["items"]
        return held

    async def decide(self, claim_token: str, verdict: str = "approve", **more: Any) -> dict[str, Any] | None:
        """Decide; `None` when the lease was lost or somebody else decided."""
        answer = await self.line.ask(
            "POST",
            "/api/moderation/v1/decisions",
            json={"claim_token": claim_token, "verdict": verdict, **more},
            headers=self.headers,
        )
        if expect(answer, 200, 409).status_code == httpx.codes.CONFLICT:
            return None
        made: dict[str, Any] = answer.json()
        return made

    async def deliveries(self, submission_id: str) -> list[dict[str, Any]]:
        """Every delivery of a submission."""
        answer = await self.line.ask(
            "GET",
            "/api/publisher/v1/deliveries",
            params={"submission_id": submission_id},
            headers=self.headers,
        )
        found: list[dict[str, Any]] = expect(answer, 200).json()["items"]
        return found

    async def recall(self, submission_id: str, reason: str) -> None:
        """Take it down everywhere."""
        answer = await self.line.ask(
            "POST",
            "/api/publisher/v1/recalls",
            json={"submission_id": submission_id, "reason": reason},
            headers=self.headers,
        )
        expect(answer, 202)


async def campaign(line: Line) -> dict[str, Any]:
    """The public figures."""
    found: dict[str, Any] = expect(await line.ask("GET", "/api/metrics/v1/campaign"), 200).json()
    return found


async def eventually(check: Any, *, seconds: float, what: str) -> Any:
    """Poll an async `check` until it gives something true; give that back. A busy machine moves the deadline."""
    deadline = time.monotonic() + seconds * BUSY
    while True:
        found = await check()
        if found:
            return found
        if time.monotonic() > deadline:
            text = f"{what}: not within {seconds} s"
            raise TimeoutError(text)
        await asyncio.sleep(0.1)
