"""A real browser against real processes. Whatever a page says on its console is a failure: also a refused inline script."""

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from tests.support.pages.desk import Desk, open_desk
from tests.support.processes import Server

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)
OpenPage = Callable[..., Page]


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="package")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
    yield browser
    browser.close()


@pytest.fixture(scope="package")
def desk(
    tmp_path_factory: pytest.TempPathFactory, nats_server: Server, mongo_server: Server
) -> Iterator[Desk]:
    """The portal, for all tests of this folder."""
    opened = open_desk(tmp_path_factory.mktemp("desk"), nats_server.url, mongo_server.url)
    yield opened
    opened.gateway.stop()
    opened.ingest.stop()


@pytest.fixture
def open_page(chromium: Browser, desk: Desk) -> Iterator[OpenPage]:
    """Opens a page in a browser of its own, phone-sized unless said otherwise."""
    contexts: list[BrowserContext] = []
    said: list[str] = []

    def opened(*, width: int = 360, height: int = 740, language: str = "en", theme: str = "light") -> Page:
        context = chromium.new_context(
            base_url=desk.url,
            viewport={"width": width, "height": height},
            locale=language,
            color_scheme="dark" if theme == "dark" else "light",
            permissions=["clipboard-read", "clipboard-write"],
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        return page

    yield opened
    for context in contexts:
        context.close()
    expected = ("422 (Unprocessable", "ERR_CONNECTION", "ERR_INTERNET", "ERR_FAILED", "502", "503", "404")
    assert [text for text in said if not any(word in text for word in expected)] == []


@pytest.fixture
def phone(open_page: OpenPage) -> Page:
    """A phone in English."""
    return open_page()


@pytest.fixture(scope="package")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two photos as a camera would make them: large enough to need more than one piece."""
    folder = tmp_path_factory.mktemp("photos")
    return [_photo(folder / "carpet.jpg", (140, 32, 40)), _photo(folder / "fortress.jpg", (40, 80, 120))]


def _photo(path: Path, colour: tuple[int, int, int]) -> Path:
    noise = Image.effect_noise((2600, 1900), 90).convert("RGB")
    image = Image.blend(noise, Image.new("RGB", noise.size, colour), 0.35)
    ImageDraw.Draw(image).polygon([(1300, 200), (1700, 950), (1300, 1700), (900, 950)], fill=(230, 200, 120))
    with BytesIO() as buffer:
        image.save(buffer, "JPEG", quality=97)
        path.write_bytes(buffer.getvalue())
    return path
