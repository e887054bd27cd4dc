"""Bodies that nothing can read: the sentence names the true reason."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from shared import problems


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    problems.install(app)

    class Body(BaseModel, extra="forbid"):
        a: int = 0

    @app.post("/fields")
    async def fields(body: Body) -> int:
        return body.a

    @app.post("/")
    async def take(body: dict[str, Any]) -> dict[str, Any]:
        return body

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
        yield client


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (b"{", "malformed_json", "not valid JSON"),
        ('{"a": "é"}'.encode("latin-1"), "malformed_body", "not valid UTF-8"),
        (b"[" * 50_000, "malformed_json", "nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "malformed_json", "endless number"),
    ],
    ids=["cut off", "Latin-1", "nested", "endless"],
)
async def test_what_cannot_be_read_is_told_apart(
    http: httpx.AsyncClient, content: bytes, code: str, says: str
) -> None:
    answer = await http.post("/", content=content, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["type"]) == (400, f"urn:konullu:problem:{code}")
    assert says in answer.json()["detail"]


@pytest.mark.parametrize("content", [b'{"\\ud800": 1}', b'{"a": "\\ud800"}'])
async def test_half_a_character_is_refused_and_can_be_told(http: httpx.AsyncClient, content: bytes) -> None:
    answer = await http.post("/fields", content=content, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["type"]) == (422, "urn:konullu:problem:invalid")
    assert answer.headers["content-type"] == "application/problem+json"
