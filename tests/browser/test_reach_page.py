"""The reach page in a real browser: empty, filled, on a phone, in the dark."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from shared.events import Event, PersonRegistered, Role
from tests.support.builders.reach_events import click, delivery, identifier, sample
from tests.support.pages.checks import faults_of, small_targets
from tests.support.pages.reach import Reach, open_reach
from tests.support.processes import Server, start_nats, until

pytestmark = pytest.mark.chromium
PATIENCE_MS = 20_000
Look = Callable[..., Page]


@pytest.fixture
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start_nats(tmp_path_factory.mktemp("nats"))
    yield server
    server.stop()


@pytest.fixture
def reach(tmp_path_factory: pytest.TempPathFactory, broker: Server, mongo_server: Server) -> Iterator[Reach]:
    opened = open_reach(tmp_path_factory.mktemp("home"), broker.url, mongo_server.url)
    yield opened
    opened.server.stop()


@pytest.fixture
def look(chromium: Browser, reach: Reach) -> Iterator[Look]:
    """Opens the page for somebody. What it says on its console fails the test."""
    contexts: list[BrowserContext] = []
    said: list[str] = []

    def opened(
        path: str = "/reach",
        role: Role = "coordinator",
        *,
        width: int = 1280,
        language: str = "en",
        theme: str = "light",
    ) -> Page:
        context = chromium.new_context(
            base_url=reach.url,
            viewport={"width": width, "height": 800},
            locale=language,
            color_scheme="dark" if theme == "dark" else "light",
        )
        context.set_default_timeout(PATIENCE_MS)
        context.add_cookies([reach.cookie(role)])  # type: ignore[list-item]
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [text for text in said if "403" not in text] == []


def filled(reach: Reach, *, days: int = 20) -> None:
    """Reach as a campaign of some weeks has it."""
    chance = Random(1)
    now = datetime.now(UTC).replace(microsecond=0)
    deliveries = [
        delivery(chance, number, country=chance.choice(("TR", "CA", "NL", "PL", "MD", "IT", "UA", "GE")))
        for number in range(24)
    ]
    people = [
        PersonRegistered(
            event_id=identifier(chance),
            occurred_at=now,
            subject_id=str(number),
            version=1,
            country=chance.choice(("TR", "CA", "NL")),
            languages=("az",),
        )
        for number in range(12)
    ]
    clicks = [
        click(chance, chance.choice(deliveries), occurred_at=now - timedelta(days=chance.randrange(days)))
        for _ in range(300)
    ]
    samples = [
        sample(chance, one, metric="views", kind="cumulative", observed_at=now, occurred_at=now)
        for one in deliveries[::2]
    ]
    reached = sample(chance, deliveries[0], metric="reached", kind="cumulative", value=1234, observed_at=now)
    events: list[Event] = [*deliveries, *people, *clicks, *samples, reached]
    reach.tell(*events)

    def there() -> bool:
        clicked = [row["value"] for row in reach.rows("by=") if row["kind"] == "delta"]
        viewed = [row for row in reach.rows("by=channel") if row["metric"] == "views"]
        return clicked == [300] and bool(viewed)

    until(there, seconds=40, what="the reach being counted")


def test_an_empty_page_says_what_will_be_there(look: Look) -> None:
    page = look(width=360)

    expect(page.get_by_role("heading", name="No reach has been measured yet")).to_be_visible()
    assert page.locator(".figure").count() == 8
    assert page.get_by_text("not measured yet").count() == 8
    assert [*faults_of(page), *small_targets(page)] == []


def test_every_figure_has_its_source_and_time_and_every_picture_its_table(reach: Reach, look: Look) -> None:
    filled(reach)

    page = look()
    measured = page.locator(".figure").filter(has=page.locator("time"))
    assert measured.count() == 7
    for index in range(7):
        expect(measured.nth(index)).to_contain_text("Source")
    page.get_by_role("link", name="Clicks").click()
    expect(page.get_by_role("heading", name="Day by day")).to_be_visible()
    page.get_by_role("region", name="Channel", exact=True).get_by_text("Show as a table").click()
    cells = page.get_by_role("region", name="Channel", exact=True).locator("td")
    assert sum(int(cell.inner_text().replace(",", "")) for cell in cells.all()) == 300

    page.get_by_label("Table: lines").select_option("country")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("heading", name="Country of origin × Language")).to_be_visible()
    page.get_by_label("From", exact=True).fill("2001-01-01")
    page.get_by_label("To", exact=True).fill("2001-01-02")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_text("Nothing was measured in these days")).to_be_visible()
    page.get_by_label("From", exact=True).fill("2001-01-03")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("later than")
    page.get_by_role("link", name="Show all days").click()
    expect(page.get_by_role("heading", name="Hashtag")).to_be_visible()

    for width, theme in ((360, "light"), (360, "dark"), (1280, "dark")):
        for path in ("/reach", "/reach?measure=clicks.delta"):
            other = look(path, width=width, theme=theme)
            assert [*faults_of(other), *small_targets(other)] == [], (width, theme, path)


@pytest.mark.parametrize("language", ["az", "tr", "ru"])
def test_it_speaks_other_languages_and_fits(reach: Reach, look: Look, language: str) -> None:
    page = look(width=360, language=language)

    assert page.locator("html").get_attribute("lang") == language
    assert faults_of(page) == []


def test_it_is_not_for_volunteers(look: Look) -> None:
    page = look(role="volunteer")

    expect(page.get_by_role("heading", name="This page is not for you", level=2)).to_be_visible()
