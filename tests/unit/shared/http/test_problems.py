"""Every failure is answered with a sentence that names the true reason, and leaves the connection usable."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from pymongo.errors import AutoReconnect, OperationFailure

from shared.failures import Conflict
from shared.http import problems

FAILURES = {
    "our own fault": RuntimeError("a secret of the process"),
    "a wrong request to the store": OperationFailure("bad", 2),
    "the store away": AutoReconnect("connection closed"),
    "a lost race for time": TimeoutError(),
    "lost races": Conflict("this case"),
}


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

    @app.get("/fails/{how}")
    async def fails(how: str) -> None:
        raise FAILURES[how]

    @app.get("/half")
    async def half() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"half"
            raise RuntimeError("the rest is lost")

        return StreamingResponse(pieces())

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


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        ("our own fault", 500, "internal"),
        ("a wrong request to the store", 500, "internal"),
        ("the store away", 503, "unavailable"),
        ("a lost race for time", 500, "internal"),
        ("lost races", 409, "conflict"),
    ],
)
async def test_a_failure_nobody_expected_is_answered_and_goes_no_further(
    http: httpx.AsyncClient, how: str, status: int, code: str
) -> None:
    # The transport raises what the application raises; a server would close the connection for it.
    answer = await http.get(f"/fails/{how}")

    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:konullu:problem:{code}")
    assert "secret" not in answer.text


async def test_a_write_whose_end_is_unknown_is_not_told_as_undone(http: httpx.AsyncClient) -> None:
    detail = (await http.get("/fails/the store away")).json()["detail"]

    assert "not known" in detail
    assert "same again" in detail


async def test_half_an_answer_ends_its_connection(http: httpx.AsyncClient) -> None:
    with pytest.raises(RuntimeError, match="the rest is lost"):
        await http.get("/half")
