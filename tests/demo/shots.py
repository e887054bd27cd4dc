"""`make shots`: the screenshots of the README, made anew from a stack with the demonstration's items.

`python -m tests.demo.shots FOLDER` takes every page in every size and theme into a folder instead, to be looked at.
"""

import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.async_api import Browser, async_playwright

from shared.identity.tokens import COOKIE
from tests.browser.conftest import FLAGS
from tests.demo.drawn import photo
from tests.demo.items import ALTERNATIVE_TEXTS, ITEMS
from tests.support.people import Line, Staff, Volunteer, eventually
from tests.support.processes import within
from tests.support.stack import Stack, stack

DOCS: Final = Path(__file__).parents[2] / "docs" / "shots"
SIZES: Final = {360: 740, 1280: 860}
THEMES: Final = ("light", "dark")
DECIDED: Final = 16
SENT: Final = 22


@dataclass(frozen=True, slots=True)
class Shot:
    """A page as one person sees it."""

    name: str
    path: str
    token: str | None = None
    language: str = "en"


COMMITTED: Final = frozenset(
    {
        ("site", 1280, "light"),
        ("send", 360, "light"),
        ("receipt", 360, "dark"),
        ("queue", 1280, "light"),
        ("case", 1280, "dark"),
        ("desk", 1280, "light"),
        ("reach", 1280, "light"),
    }
)


async def send(author: Volunteer) -> None:
    """The demonstration's items, from one author."""
    # The front page's language first, its picture stories last, so that one of them leads the page.
    order = sorted(enumerate(ITEMS[:SENT]), key=lambda pair: (pair[1].language != "az", -pair[0]))
    for number, item in order:
        media = []
        for index in range(item.photos):
            upload = await author.upload(photo(number * 10 + index), "photo.jpg", "image/jpeg")
            media.append({"upload_id": upload, "alt": ALTERNATIVE_TEXTS[item.language].format(index + 1)})
        await author.send(item, media, number=number + 1, ai_edited=number == 1)


async def filled(built: Stack, line: Line) -> list[Shot]:
    """Send, decide and publish, and say which pages are worth a picture."""
    author = await Volunteer.register(line, name="Ayna", country="AZ", languages=["az"])
    moderator = Staff(line, await asyncio.to_thread(built.staff, "moderator", "Leyla"))
    editor = Staff(line, await asyncio.to_thread(built.staff, "editor", "Nino"))
    lead = await asyncio.to_thread(built.staff, "admin", "Elçin")
    await send(author)
    decided: list[str] = []

    async def enough() -> bool:
        held = await moderator.claim()
        if held is not None and await moderator.decide(held["claim_token"]):
            decided.append(held["submission"]["submission_id"])
        return len(decided) >= DECIDED

    await eventually(enough, seconds=90, what="decisions")
    first = decided[0]

    async def posted() -> bool:
        return {d["state"] for d in await editor.deliveries(first)} == {"posted"}

    await eventually(posted, seconds=60, what="the first one published")
    async with within(30):
        for number, name in enumerate(decided[:6]):
            for delivery in await editor.deliveries(name):
                for _ in range(number + 1):
                    await line.http.get(
                        f"/r/{delivery['short_link'].rsplit('/', 1)[1]}",
                        headers={"User-Agent": "Mozilla/5.0 Firefox"},
                    )

    async def on_site() -> str | None:
        for delivery in await editor.deliveries(first):
            if delivery["channel"] == "site" and delivery["url"]:
                return str(delivery["url"])
        return None

    page = await eventually(on_site, seconds=30, what="the page on the website")
    held = await moderator.claim()
    assert held is not None
    return [
        Shot("site", "/az/", language="az"),
        Shot("site-ar", "/ar/", language="ar"),
        Shot("item", page.removeprefix(built.url), language="az"),
        Shot("register", "/send/register"),
        Shot("send", "/send/new", author.token, "az"),
        Shot("mine", "/send", author.token, "tr"),
        Shot("receipt", f"/send/{first}", author.token),
        Shot("sign-in", "/sign-in", language="ru"),
        Shot("queue", "/desk/moderation", moderator.token),
        Shot("case", f"/desk/moderation/cases/{held['submission']['submission_id']}", moderator.token),
        Shot("desk", "/desk/publisher", editor.token),
        Shot("deliveries", f"/desk/publisher/submissions/{first}", editor.token),
        Shot("reach", "/reach", lead),
    ]


async def take(browser: Browser, built: Stack, shot: Shot, width: int, theme: str, into: Path) -> None:
    """One picture. Says when the page answered with an error."""
    context = await browser.new_context(
        viewport={"width": width, "height": SIZES[width]},
        locale=shot.language,
        color_scheme="dark" if theme == "dark" else "light",
    )
    if shot.token is not None:
        await context.add_cookies(
            [
                {
                    "name": COOKIE,
                    "value": shot.token,
                    "domain": "127.0.0.1",
                    "path": "/",
                    "secure": True,
                    "httpOnly": True,
                    "sameSite": "Strict",
                }
            ]
        )
    page = await context.new_page()
    answer = await page.goto(f"{built.url}{shot.path}", wait_until="load")
    if answer is None or not answer.ok:
        print(f"  {shot.name}: {shot.path} answered {answer and answer.status}")
    into.mkdir(parents=True, exist_ok=True)
    path = into / f"{shot.name}-{width}-{theme}.png"
    await page.screenshot(path=path, full_page=into != DOCS and width < 1000)
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(256)
    small.save(path, optimize=True)
    await context.close()


async def main(folder: Path | None) -> None:
    """Take the pictures."""
    with tempfile.TemporaryDirectory(prefix="konullu-shots-") as place, stack(Path(place)) as built:
        line = Line(built.url)
        shots = await filled(built, line)
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
            for shot in shots:
                for width in SIZES:
                    for theme in THEMES:
                        if folder is not None or (shot.name, width, theme) in COMMITTED:
                            await take(browser, built, shot, width, theme, folder or DOCS)
            await browser.close()
        await line.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
