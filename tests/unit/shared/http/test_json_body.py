"""A body read by the route itself is taken and refused as FastAPI does it."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from shared.http import problems
from shared.http.json_body import json_body


class Thing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    size: int = 0
    parts: list["Thing"] = []


def app() -> FastAPI:
    made = FastAPI()
    problems.install(made)

    @made.post("/theirs")
    async def theirs(body: Thing) -> str:
        return ascii(body)

    @made.post("/ours")
    async def ours(request: Request) -> str:
        return ascii(await json_body(request, Thing))

    return made


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app()), base_url="http://test") as client:
        yield client


CONTENTS = [
    b'{"name": "a", "size": 3, "parts": [{"name": "b"}]}',
    b'{"name": "a", "size": "3"}',
    b'{"name": "a", "size": 1e3}',
    b'{"name": "a", "size": 1.5}',
    b'{"name": "a", "size": NaN}',
    b'{"name": "a", "other": 1}',
    b'{"parts": [{"name": 1}]}',
    b'{"name": "\\ud800"}',
    b'{"name": "\\ud83d\\ude00"}',
    b'{"name": "a", "name": "b"}',
    b'{"name": ',
    b'{"name": "\xff"}',
    b'\xef\xbb\xbf{"name": "a"}',
    '{"name": "ş"}'.encode("utf-16"),
    b"[" * 30_000,
    b'{"size": ' + b"9" * 5_000 + b"}",
    b"[]",
    b"null",
    b'"text"',
]
KINDS = [
    "application/json",
    "application/json; charset=utf-8",
    "APPLICATION/JSON",
    "application/merge-patch+json",
    "text/plain",
    "application/x-www-form-urlencoded",
    "text/json",
    "",
]


def said(answer: httpx.Response) -> tuple[int, object]:
    told = answer.json()
    return answer.status_code, told if answer.is_success else (told["type"], told["detail"])


async def the_same(http: httpx.AsyncClient, content: bytes, kind: str) -> None:
    headers = {"content-type": kind} if kind else {}
    theirs, ours = [await http.post(path, content=content, headers=headers) for path in ("/theirs", "/ours")]
    assert said(ours) == said(theirs)


@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: repr(content[:30]))
async def test_a_body_is_taken_or_refused_in_the_same_words(http: httpx.AsyncClient, content: bytes) -> None:
    await the_same(http, content, "application/json")


@pytest.mark.parametrize("kind", KINDS)
async def test_another_kind_of_content_is_told_apart_in_the_same_way(
    http: httpx.AsyncClient, kind: str
) -> None:
    await the_same(http, CONTENTS[0], kind)


@given(content=st.one_of(st.binary(min_size=1), st.text(min_size=1).map(str.encode)))
async def test_whatever_comes_is_answered_alike(content: bytes) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app()), base_url="http://test") as client:
        await the_same(client, content, "application/json")


async def test_an_empty_body_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.post("/ours", content=b"", headers={"content-type": "application/json"})

    assert answer.status_code == 422
