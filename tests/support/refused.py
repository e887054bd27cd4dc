"""What every refusal has in common, and the people who are refused."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import jwt

from tests.support.people import eventually
from tests.support.stack import Stack

SECRETS: Final = ("Traceback", 'File "/', "mongodb://", "nats://", "PRIVATE KEY", "pymongo", "whsec_")
API: Final = "/api"


@dataclass(frozen=True)
class Someone:
    """A person with a token."""

    token: str

    @property
    def person_id(self) -> str:
        """Whom the token speaks for."""
        return str(self.claims["sub"])

    @property
    def claims(self) -> dict[str, Any]:
        """What the token says."""
        return jwt.decode(self.token, options={"verify_signature": False})

    @property
    def bearer(self) -> dict[str, str]:
        """What their calls carry."""
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def once(self) -> dict[str, str]:
        """The same with a fresh idempotency key."""
        return {**self.bearer, "Idempotency-Key": str(uuid4())}


@dataclass(frozen=True)
class Call:
    """A request that must be refused, and how."""

    status: int
    code: str
    method: str
    path: str
    says: str = ""
    """What the sentence must name."""
    options: Mapping[str, Any] = field(default_factory=dict)


def call(status: int, code: str, request: str, says: str = "", **options: Any) -> Call:
    """A call; `request` is the method and the path below /api."""
    method, path = request.split(" ", 1)
    return Call(status, code, method, path if path.startswith("/r/") else f"{API}/{path}", says, options)


def check(answer: httpx.Response, status: int, code: str, says: str = "") -> dict[str, Any]:
    """The problem document of an answer that is the expected refusal and nothing else."""
    where = f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:500]}"
    assert answer.status_code == status, where
    assert answer.headers["content-type"] == "application/problem+json", where
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == f"urn:konullu:problem:{code}", where
    assert problem["status"] == status, where
    assert problem["title"], where
    assert len(problem["detail"].split()) > 4, where
    assert problem["detail"].endswith("."), where
    assert says in problem["detail"], where
    assert not [secret for secret in SECRETS if secret in answer.text], where
    return problem


async def all_refused(http: httpx.AsyncClient, calls: Mapping[str, Call]) -> None:
    """Every call is refused as it says. All that differ are told together."""
    wrong: list[str] = []
    for name, each in calls.items():
        answer = await http.request(each.method, each.path, **each.options)
        try:
            check(answer, each.status, each.code, each.says)
        except (AssertionError, KeyError, json.JSONDecodeError) as error:
            wrong.append(f"{name} (want {each.status} {each.code} {each.says!r}): {error}")
    assert not wrong, "\n".join(wrong)


@dataclass
class Cast:
    """The stack and its people."""

    stack: Stack
    author: Someone
    stranger: Someone
    moderator: Someone
    second: Someone
    elsewhere: Someone
    """A moderator for Türkiye alone."""
    editor: Someone
    editor_elsewhere: Someone
    coordinator: Someone

    @classmethod
    def of(cls, stack: Stack) -> "Cast":
        """Everybody registered or hired."""
        far = ("--countries", "TR")
        return cls(
            stack,
            author=joined(stack, "Aygün"),
            stranger=joined(stack, "Mehmet"),
            moderator=Someone(stack.staff("moderator", "Leyla")),
            second=Someone(stack.staff("moderator", "Samir")),
            elsewhere=Someone(stack.staff("moderator", "Deniz", *far)),
            editor=Someone(stack.staff("editor", "Nino")),
            editor_elsewhere=Someone(stack.staff("editor", "Emre", *far)),
            coordinator=Someone(stack.staff("coordinator", "Ümit")),
        )

    @property
    def signing_key(self) -> Path:
        """The key that tokens are signed with."""
        [found] = self.stack.home.rglob("tokens.pem")
        return found


def joined(stack: Stack, name: str) -> Someone:
    """A new volunteer in Azerbaijan."""
    body = {"name": name, "country": "AZ", "languages": ["az"]}
    answer = httpx.post(f"{stack.url}/api/ingest/v1/volunteers", json=body, timeout=15)
    assert answer.status_code == httpx.codes.CREATED, answer.text
    return Someone(answer.json()["token"])


def item(**changes: Any) -> dict[str, Any]:
    """A submission that can be taken."""
    return {
        "title": "Şəhər muzeyində xalça sərgisi",
        "body": "Birinci sətir.\nİkinci sətir.",
        "language": "az",
        "country": "AZ",
        "consent": {"terms_version": "2020-09", "people_shown": "none", "rights": "own"},
        **changes,
    }


async def sent(http: httpx.AsyncClient, author: Someone, **changes: Any) -> str:
    """The id of a submission just accepted."""
    answer = await http.post("/api/ingest/v1/submissions", json=item(**changes), headers=author.once)
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    return str(answer.json()["submission_id"])


async def held(http: httpx.AsyncClient, moderator: Someone, submission_id: str) -> str:
    """The claim token of this very case, once it has arrived on the desk."""

    async def given() -> str | None:
        answer = await http.post(
            "/api/moderation/v1/claims", json={"submission_id": submission_id}, headers=moderator.bearer
        )
        return str(answer.json()["claim_token"]) if answer.status_code == httpx.codes.CREATED else None

    found: str = await eventually(given, seconds=30, what=f"{submission_id} on the desk")
    return found


async def decided(
    http: httpx.AsyncClient, moderator: Someone, submission_id: str, **decision: Any
) -> tuple[str, dict[str, Any]]:
    """The claim token and the body of a decision that was taken."""
    token = await held(http, moderator, submission_id)
    body = {"claim_token": token, "verdict": "approve", **decision}
    answer = await http.post("/api/moderation/v1/decisions", json=body, headers=moderator.bearer)
    assert answer.status_code == httpx.codes.OK, answer.text
    return token, body


async def own(http: httpx.AsyncClient, author: Someone) -> Sequence[Any]:
    """What somebody has sent, as they see it."""
    answer = await http.get("/api/ingest/v1/submissions", headers=author.bearer)
    items: list[Any] = answer.json()["items"]
    return items


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)
