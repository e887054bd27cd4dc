"""Every component at once, on a phone and on a desk, by day and by night."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from playwright.sync_api import Page, Route, expect

from shared.http.problems import Problem
from shared.web import Pages
from tests.support.pages.checks import faults_of
from tests.support.pages.desk import aside

pytestmark = pytest.mark.chromium

OpenPage = Callable[..., Page]
STATES = [
    *(
        "received",
        "in_review",
        "changes_requested",
        "approved",
        "rejected",
        "scheduled",
        "published",
        "withdrawn",
    ),
    *("recalled", "needs_human", "sending", "unknown", "cancelled", "removing", "removed", "residue", "held"),
]
PICTURE = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="320" height="240"><rect width="320" height="240"/></svg>'
)


def gallery() -> FastAPI:
    app = FastAPI()
    pages = Pages("gallery", Path(__file__).parent, "/gallery")
    router = pages.router()

    @router.get("/gallery")
    async def show(request: Request) -> Response:
        now = datetime.now(UTC)
        steps = [
            {"label": "Received", "status": "done", "at": now - timedelta(hours=3)},
            {"label": "In review", "status": "current", "detail": "in someone's hands"},
            {"label": "Published", "status": "todo"},
        ]
        return pages.render(
            request,
            "gallery.html",
            states=STATES,
            then=now - timedelta(hours=3),
            soon=now + timedelta(seconds=75),
            steps=steps,
            picture="/picture.svg",
            problem=Problem(409, "lease_lost", "The lease ended."),
            hostile="<script>document.title='taken'</script>",
        )

    @app.get("/picture.svg")
    async def picture() -> Response:
        return Response(PICTURE, media_type="image/svg+xml")

    app.include_router(router)
    app.include_router(pages.static_router())
    return app


@pytest.fixture
def show(open_page: OpenPage) -> Callable[..., Page]:
    transport = httpx.ASGITransport(gallery())

    async def get(url: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.get(url)

    def answer(route: Route) -> None:
        found = aside(get(route.request.url))
        route.fulfill(status=found.status_code, headers=dict(found.headers), body=found.content)

    def opened(**options: object) -> Page:
        page = open_page(**options)
        page.route("**/*", answer)
        page.goto("/gallery")
        return page

    return opened


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_every_component_has_names_contrast_and_room(
    show: Callable[..., Page], width: int, theme: str
) -> None:
    assert faults_of(show(width=width, theme=theme)) == []


def test_a_picture_is_shielded_until_somebody_chooses_to_look(show: Callable[..., Page]) -> None:
    page = show(width=1280)
    shielded = page.locator(".media").nth(1)
    filtered = "element => getComputedStyle(element).filter"
    assert "blur(28px)" in shielded.locator("img").evaluate(filtered)
    shielded.get_by_label("Blur").uncheck()
    assert "blur" not in shielded.locator("img").evaluate(filtered)
    assert "grayscale" in shielded.locator("img").evaluate(filtered)


def test_keys_walk_through_a_list_and_press_buttons_but_not_while_writing(show: Callable[..., Page]) -> None:
    page = show(width=1280)
    page.keyboard.press("j")
    expect(page.locator("[data-item]").nth(1)).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator("[data-item]").nth(0)).to_be_focused()
    page.keyboard.press("1")
    expect(page.get_by_label("Not about the campaign")).to_be_checked()
    page.locator("#title").focus()
    page.keyboard.type("a1")
    expect(page.get_by_label("Not about the campaign")).to_be_checked()
    assert page.locator("#title").input_value() == "a1"


def test_a_lease_says_when_it_ends(show: Callable[..., Page]) -> None:
    page = show(width=1280)
    lease = page.locator("[data-lease]")
    expect(lease).to_contain_text("1:1")
    page.evaluate(
        "document.querySelector('[data-countdown]').dataset.countdown = new Date(Date.now() + 30000).toISOString()"
    )
    expect(lease).to_have_attribute("data-lease", "ending")
    page.evaluate("document.querySelector('[data-countdown]').dataset.countdown = new Date(0).toISOString()")
    expect(lease).to_have_attribute("data-lease", "lost")
    expect(lease).to_contain_text("no longer in your hands")


def test_a_chart_has_its_numbers_in_a_table_behind_it(show: Callable[..., Page]) -> None:
    page = show()
    chart = page.get_by_label("Views by language")
    chart.locator("summary").click()
    expect(chart.locator("tbody tr")).to_have_count(3)
    expect(chart.locator("tbody tr").first).to_contain_text("90")


def test_technical_ids_are_behind_details_and_can_be_copied(show: Callable[..., Page]) -> None:
    page = show()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    code = page.locator("code", has_text="0b0e-77")
    expect(code).to_be_hidden()
    page.locator("details", has=code).locator("summary").click()
    page.get_by_role("button", name="Copy").last.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "0b0e-77"
