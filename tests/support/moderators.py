"""People who use a moderation that runs inside the test."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx

from shared.events import (
    SUBMISSION_RECEIVED,
    Event,
    Role,
    Scopes,
    SubmissionReceived,
    Topic,
)
from shared.identity.tokens import Issuer, Principal, signing_key
from tests.support.processes import within
from tests.support.running import Running
from tests.support.signed import publish_signed


class Person:
    """Somebody with a token."""

    def __init__(
        self, service: Running, name: str, role: Role = "moderator", **scopes: tuple[str, ...]
    ) -> None:
        key = signing_key(service.runtime.settings.keys / "tokens.pem")
        token = Issuer(key).issue(Principal(name, role, Scopes(**scopes)), now=datetime.now(UTC))
        self.name = name
        self._service = service
        self._headers = {"Authorization": f"Bearer {token}"}

    async def ask(self, method: str, path: str, status: int = 200, **more: Any) -> httpx.Response:
        headers = {**self._headers, **more.pop("headers", {})}
        answer = await self._service.http.request(method, path, headers=headers, **more)
        assert answer.status_code == status, answer.text
        return answer

    async def claim(self, **wanted: Any) -> dict[str, Any]:
        claim: dict[str, Any] = (await self.ask("POST", "/v1/claims", 201, json=wanted)).json()
        return claim

    async def decide(
        self, claim: dict[str, Any], verdict: str, status: int = 200, **more: Any
    ) -> dict[str, Any]:
        body = {"claim_token": claim["claim_token"], "verdict": verdict, **more}
        answer: dict[str, Any] = (await self.ask("POST", "/v1/decisions", status, json=body)).json()
        return answer

    async def refused(self, method: str, path: str, status: int, code: str, **more: Any) -> dict[str, Any]:
        answer = await self.ask(method, path, status, **more)
        assert answer.headers["content-type"] == "application/problem+json"
        problem: dict[str, Any] = answer.json()
        assert problem["type"] == f"urn:konullu:problem:{code}", problem
        assert problem["detail"]
        return problem


async def tell(service: Running, topic: Topic[Any], event: Event) -> None:
    key = signing_key(service.runtime.settings.keys / "tokens.pem")
    await publish_signed(service.runtime.publisher, topic, event, key, str(event.event_id))


async def until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    async with within(20):
        while not await holds():
            await asyncio.sleep(0.02)
    assert what


async def submitted(service: Running, *events: SubmissionReceived) -> None:
    """Sent by the bus, and waiting."""
    for event in events:
        await tell(service, SUBMISSION_RECEIVED, event)
    reader = Person(service, "watcher", "admin")

    async def all_there() -> bool:
        answers = [
            await service.http.get(f"/v1/cases/{event.subject_id}", headers=reader._headers)
            for event in events
        ]
        return all(answer.status_code == 200 for answer in answers)

    await until(all_there, "the cases")
