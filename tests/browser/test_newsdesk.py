"""An editor with a desk and with a phone: what waits, settling it, taking a submission back."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.pages.checks import faults_of, small_targets
from tests.support.pages.newsdesk import Newsdesk, open_newsdesk
from tests.support.processes import Server, until

pytestmark = pytest.mark.chromium

TITLE = "Qarabağ xalçası <b>naxışları</b>"
UNANSWERED = {"site": "posted", "tg": "needs_human"}


@pytest.fixture(scope="module")
def newsdesk(
    tmp_path_factory: pytest.TempPathFactory, nats_server: Server, mongo_server: Server
) -> Iterator[Newsdesk]:
    home = tmp_path_factory.mktemp("newsdesk")
    with open_newsdesk(home, nats_server.url, mongo_server.url) as opened:
        yield opened


@pytest.fixture
def submission(newsdesk: Newsdesk) -> str:
    key = str(uuid4())
    newsdesk.approve(key, UNANSWERED, title=TITLE)
    return key


def opened(
    chromium: Browser, newsdesk: Newsdesk, *, width: int = 1280, theme: str = "light", language: str = "en"
) -> Page:
    context = chromium.new_context(
        base_url=newsdesk.url,
        viewport={"width": width, "height": 800},
        locale=language,
        color_scheme="dark" if theme == "dark" else "light",
    )
    context.add_cookies([newsdesk.cookie()])  # type: ignore[list-item]
    return context.new_page()


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/desk/publisher", "/desk/publisher/submissions/{}"])
def test_every_page_can_be_read_and_reached(
    chromium: Browser, newsdesk: Newsdesk, submission: str, width: int, theme: str, path: str
) -> None:
    page = opened(chromium, newsdesk, width=width, theme=theme)
    page.goto(path.format(submission))

    expect(page.get_by_text(TITLE).first).to_be_visible()
    if shots := os.environ.get("SHOTS"):
        name = "today" if path.endswith("publisher") else "submission"
        page.screenshot(path=Path(shots) / f"publisher-{name}-{width}-{theme}.png", full_page=True)
    assert faults_of(page) == []
    assert small_targets(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.context.close()


def test_a_person_says_that_it_is_there(chromium: Browser, newsdesk: Newsdesk, submission: str) -> None:
    page = opened(chromium, newsdesk)
    page.goto("/desk/publisher")
    waiting = page.locator("li[data-delivery]").filter(has=page.locator(f"a[href$='{submission}']"))
    waiting.locator("input[type=url]").fill("https://t.me/voices/7")
    waiting.get_by_role("button", name="It is there", exact=True).click()

    page.wait_for_url(f"**/submissions/{submission}")
    expect(page.get_by_role("link", name="https://t.me/voices/7")).to_be_visible()
    assert newsdesk.states(submission) == {"site": "posted", "tg": "posted"}
    page.context.close()


def test_an_editor_takes_a_submission_back_and_sees_the_proof(chromium: Browser, newsdesk: Newsdesk) -> None:
    key = str(uuid4())
    newsdesk.approve(key, {"site": "posted"}, title="Old bridge", language="en")
    page = opened(chromium, newsdesk, width=360)
    page.goto(f"/desk/publisher/submissions/{key}")

    page.get_by_text("Take it back everywhere").click()
    page.get_by_label("Reason").fill("The family asked for it.")
    page.get_by_label("Yes, remove it everywhere").check()
    page.get_by_role("button", name="Take it back").click()

    until(lambda: newsdesk.states(key) == {"site": "removed"}, seconds=20, what="the removal")
    page.reload()
    expect(page.get_by_text("Proof of removal")).to_be_visible()
    expect(page.get_by_text("The family asked for it.")).to_be_visible()
    page.context.close()


def test_who_is_not_signed_in_is_led_to_the_sign_in_page(chromium: Browser, newsdesk: Newsdesk) -> None:
    context = chromium.new_context(base_url=newsdesk.url)
    answer = context.request.get("/desk/publisher", max_redirects=0)

    assert (answer.status, answer.headers["location"]) == (303, "/sign-in?next=%2Fdesk%2Fpublisher")
    context.close()
