from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from shared.events import Role
from shared.failures import Unavailable
from shared.http.problems import Problem, install
from shared.identity.tokens import COOKIE, Principal, csrf_token
from shared.web import LANGUAGES, Pages

NOW = datetime(2026, 5, 28, 12, 0, tzinfo=UTC)
TEMPLATE = """{% extends "base.html" %}{% import "components.html" as ui with context %}
{% block title %}{{ _("Send") }}{% endblock %}
{% block content %}<h1>{{ title }}</h1>{{ ui.when(at) }}
<form method="post">{{ csrf_field }}</form>{% endblock %}"""


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "own.js").write_text("export {};")
    (tmp_path / "page.html").write_text(TEMPLATE)
    pages = Pages("ingest", tmp_path, "/send", campaign="Nowruz & friends", clock=lambda: NOW)
    router = pages.router()

    @router.get("/send")
    async def page(request: Request, title: str = "Hello", role: Role | None = None) -> Response:
        principal = Principal("p1", role) if role else None
        return pages.render(
            request, "page.html", principal=principal, title=title, at=NOW - timedelta(hours=2)
        )

    @router.get("/send/lacking")
    async def lacking(request: Request) -> Response:
        return pages.render(request, "page.html", title="x")

    @router.api_route("/send/problem/{status}", methods=["GET", "POST"])
    async def problem(status: int) -> Response:
        raise Problem(status, "told", "A <b>reason</b>.")

    @router.get("/send/away")
    async def away() -> Response:
        raise Unavailable("The store")

    app = FastAPI()
    install(app)
    app.include_router(router)
    app.include_router(pages.static_router())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://desk.test"
    ) as client:
        yield client


async def test_text_is_shown_and_never_run(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/send", params={"title": "<script>alert(1)</script>"})
    assert "<h1>&lt;script&gt;alert(1)&lt;/script&gt;</h1>" in answer.text
    assert "Nowruz &amp; friends" in answer.text


async def test_nothing_inline_may_run_and_nothing_comes_from_elsewhere(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/send")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert " style=" not in answer.text
    assert " onclick=" not in answer.text


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_language_that_was_chosen_is_kept(browser: httpx.AsyncClient, language: str) -> None:
    chosen = await browser.get("/send", params={"lang": language})
    assert f'<html lang="{language}" dir="ltr" ' in chosen.text
    kept = await browser.get("/send", headers={"Accept-Language": "en"})
    assert f'<html lang="{language}" dir="ltr" ' in kept.text
    assert language == kept.headers["Content-Language"]


async def test_the_language_switch_keeps_the_rest_of_the_address(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/send", params={"title": "a&b", "lang": "tr"})
    assert 'href="?title=a%26b&amp;lang=ru"' in answer.text


async def test_a_time_is_relative_and_exact(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/send")
    assert '<time class="when" datetime="2026-05-28T10:00:00+00:00">' in answer.text
    assert "2 hours ago" in answer.text
    assert "28 May 2026, 10:00 UTC" in answer.text


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (None, ["/send", "/sign-in"]),
        ("volunteer", ["/send"]),
        ("coordinator", ["/reach"]),
        ("moderator", ["/desk/moderation", "/reach"]),
        ("editor", ["/desk/moderation", "/desk/publisher", "/reach"]),
        ("admin", ["/desk/moderation", "/desk/publisher", "/reach"]),
    ],
)
async def test_the_way_round_depends_on_the_role(
    browser: httpx.AsyncClient, role: str | None, expected: list[str]
) -> None:
    answer = await browser.get("/send", params={"role": role} if role else {})
    places = ["/send", "/desk/moderation", "/desk/publisher", "/reach", "/sign-in"]
    assert expected == [place for place in places if f'href="{place}"' in answer.text]


async def test_a_form_carries_the_token_of_its_session(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/send", headers={"Cookie": f"{COOKIE}=abc"})
    assert f'<input type="hidden" name="csrf" value="{csrf_token("abc")}">' in answer.text


async def test_a_session_is_prolonged_by_people_and_not_by_a_page_left_open(
    browser: httpx.AsyncClient,
) -> None:
    session = {"Cookie": f"{COOKIE}=abc"}
    used = await browser.get("/send", params={"role": "editor"}, headers=session)
    assert f"{COOKIE}=abc" in used.headers["set-cookie"]
    left_open = await browser.get("/send", params={"role": "editor"}, headers=session | {"X-Renewal": "1"})
    assert "set-cookie" not in left_open.headers


async def test_a_page_that_lacks_a_name_is_a_mistake_and_not_an_empty_place(
    browser: httpx.AsyncClient,
) -> None:
    answer = await browser.get("/send/lacking")
    assert answer.status_code == 500


@pytest.mark.parametrize("status", [403, 404, 409, 422, 429, 503])
async def test_a_problem_is_a_page_with_a_way_on(browser: httpx.AsyncClient, status: int) -> None:
    answer = await browser.get(f"/send/problem/{status}")
    assert status == answer.status_code
    assert "text/html" in answer.headers["content-type"]
    assert "A &lt;b&gt;reason&lt;/b&gt;." in answer.text
    assert "Try again" in answer.text


async def test_the_store_being_away_is_said_kindly(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/send/away")
    assert answer.status_code == 503
    assert "Everything that was received before is safe" in answer.text


async def test_who_is_not_signed_in_is_led_there_and_back(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/send/problem/401?a=1")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Fsend%2Fproblem%2F401%3Fa%3D1"
    posted = await browser.post("/send/problem/401")
    assert posted.status_code == 401


async def test_files_are_kept_for_a_year_under_an_address_of_their_content(
    browser: httpx.AsyncClient,
) -> None:
    page = (await browser.get("/send")).text
    address = page.split('rel="stylesheet" href="')[1].split('"')[0]
    fresh = await browser.get(address)
    assert "immutable" in fresh.headers["Cache-Control"]
    assert fresh.headers["content-type"] == "text/css; charset=utf-8"
    version = address.split("/")[3]
    assert (await browser.get(address.replace(version, "0" * 12))).headers["Cache-Control"] == "no-store"
    assert (await browser.get(f"/send/static/{version}/own.js")).status_code == 200
    assert (await browser.get(f"/send/static/{version}/..%2Fpage.html")).status_code == 404
