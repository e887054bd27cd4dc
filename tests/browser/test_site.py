"""The public website as readers see it: in every direction, on a phone and a desk, by day and by night, on paper."""

import asyncio
import functools
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from services.publisher.channels.website.adapter import Website
from services.publisher.channels.website.site import Site
from shared.events import AiUse, Media
from shared.storage.media import MediaStore
from tests.support.builders.posts import SITE, picture, stored
from tests.support.builders.site_items import campaign, delivery
from tests.support.pages.checks import faults_of, small_targets

pytestmark = pytest.mark.chromium
CADDYFILE = Path(__file__).parents[2] / "deploy/caddy/Caddyfile"
TEXTS = {
    "az": ("Şəhər muzeyində xalça sərgisi açıldı", "Sərgi bu gün açıldı. Giriş hamı üçün pulsuzdur."),
    "ar": ("افتتاح معرض السجاد في متحف المدينة", "افتُتح المعرض اليوم. الدخول مجاني للجميع."),
    "ka": ("ქალაქის მუზეუმში ხალიჩების გამოფენა გაიხსნა", "გამოფენა დღეს გაიხსნა."),
    "ru": ("В городском музее открылась выставка ковров", "Выставка открылась сегодня. Вход свободный."),
    "en": ("A carpet exhibition opens in the city museum", "It opened today. Everybody is welcome."),
}


def policy() -> str:
    """The content security policy with which the gateway serves the website."""
    found = re.search(r'Content-Security-Policy "([^"]+)"', CADDYFILE.read_text())
    assert found is not None
    return found[1]


class Served(SimpleHTTPRequestHandler):
    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", policy())
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        pass


async def build(store: MediaStore) -> None:
    site = Site(store, campaign(), SITE)
    website = Website("site", site)
    for number, (language, (title, body)) in enumerate(TEXTS.items(), 1):
        media: tuple[Media, ...] = ()
        if number % 2:
            content = picture(("teal", "maroon", "olive")[number // 2], (1600, 1000))
            media = ((await stored(store, content)).model_copy(update={"width": 1600, "height": 1000}),)
        post = delivery(
            number,
            language=language,
            title=title,
            body=f"{body}\n\n{body}",
            media=media,
            ai=AiUse(edited=number == 1),
        )
        await website.commit(post, {})
    await site.rebuild()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("site")
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(asyncio.run, build(MediaStore(f"file://{root}"))).result()
    return root / "site"


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Served, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def pages(folder: Path) -> dict[str, str]:
    """A page of each kind by name."""
    story = {path.parts[-3]: path for path in folder.glob("*/??????????/index.html")}
    return {
        "front": "/",
        "front in Arabic": "/ar/",
        "empty front": "/en/",
        "hashtags": "/tags/",
        "hashtag": "/tags/xalça/",
        "story": f"/{story['az'].relative_to(folder).parent}/",
        "story in Arabic": f"/{story['ar'].relative_to(folder).parent}/",
        "missing": "/404.html",
    }


NAMES = (
    "front",
    "front in Arabic",
    "empty front",
    "hashtags",
    "hashtag",
    "story",
    "story in Arabic",
    "missing",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("width", "theme"), [(360, "light"), (1280, "dark")])
def test_nobody_stumbles(
    chromium: Browser, address: str, pages: dict[str, str], name: str, width: int, theme: str
) -> None:
    context = chromium.new_context(
        viewport={"width": width, "height": 800}, color_scheme="dark" if theme == "dark" else "light"
    )
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(urlsplit(request.url).netloc))
    page.goto(address + pages[name])

    assert faults_of(page) == []
    assert small_targets(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert set(asked) == {urlsplit(address).netloc}
    assert said == []
    context.close()


def test_a_reader_goes_from_the_front_to_a_story_and_on_by_hashtag(chromium: Browser, address: str) -> None:
    page: Page = chromium.new_page(viewport={"width": 360, "height": 740})
    page.goto(address)
    page.get_by_role("link", name="Azərbaycanca", exact=True).click()
    page.get_by_role("heading", name=TEXTS["az"][0]).click()
    assert page.get_by_role("heading", level=1).inner_text() == TEXTS["az"][0]

    page.get_by_role("link", name="#xalça").click()
    assert page.get_by_role("heading", name=TEXTS["az"][0]).is_visible()
    page.close()


def test_on_paper_there_is_the_story_and_where_it_came_from(
    chromium: Browser, address: str, pages: dict[str, str]
) -> None:
    page = chromium.new_page()
    page.goto(address + pages["story"])
    page.emulate_media(media="print")

    assert page.get_by_role("heading", level=1).is_visible()
    assert page.locator(".printed").is_visible()
    assert page.locator(".share").is_hidden()
    page.close()
