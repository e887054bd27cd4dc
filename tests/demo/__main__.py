"""`make demo`: a stack of its own, 27 items through the whole flow, and a verdict from outside alone.

No database is read: what counts is the webhook receiver's log, the Telegram test server's timeline, the website's files
over HTTP, and `/v1/campaign`. Exit 0 only if every item arrived everywhere exactly once and the totals are right.
"""

import asyncio
import json
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import httpx

from tests.demo.drawn import photo, video
from tests.demo.items import ALTERNATIVE_TEXTS, ITEMS, Item
from tests.support.people import Line, Staff, Volunteer, campaign, eventually
from tests.support.stack import Stack, stack

CLICKS_AT_MOST = 3
PATIENCE_SECONDS = 120.0
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


@dataclass
class Sent:
    """An item and what its author was told."""

    item: Item
    volunteer: Volunteer
    submission_id: str
    ledger: dict[str, Any] = field(default_factory=dict)
    clicks: int = 0


def say(text: str) -> None:
    """Progress for whoever watches."""
    print(text, flush=True)


async def send(line: Line, folder: Path) -> list[Sent]:
    """Register a volunteer per country and send every item."""
    people: dict[str, Volunteer] = {}
    sent = []
    for number, item in enumerate(ITEMS):
        if item.country not in people:
            people[item.country] = await Volunteer.register(
                line, name=f"Demo {item.country}", country=item.country, languages=[item.language]
            )
        author = people[item.country]
        media = []
        for index in range(item.photos):
            upload = await author.upload(photo(number * 10 + index), f"photo-{index}.jpg", "image/jpeg")
            media.append({"upload_id": upload, "alt": ALTERNATIVE_TEXTS[item.language].format(index + 1)})
        if item.video:
            upload = await author.upload(video(folder / "demo.mp4"), "evening.mp4", "video/mp4")
            media.append({"upload_id": upload, "alt": ALTERNATIVE_TEXTS[item.language].format(1)})
        sent.append(Sent(item, author, await author.send(item, media, number=number + 1)))
        say(f"  sent {number + 1:2}/{len(ITEMS)}  {item.language}  {item.title}")
    return sent


async def review(moderators: list[Staff], wanted: int) -> None:
    """Claim and approve until everything is decided; a case that needs two people gets two."""
    decided: Counter[str] = Counter()
    deadline = monotonic() + PATIENCE_SECONDS
    finished: set[str] = set()
    while len(finished) < wanted:
        if monotonic() > deadline:
            text = f"only {len(finished)} of {wanted} cases could be decided"
            raise TimeoutError(text)
        for moderator in moderators:
            held = await moderator.claim()
            if held is None:
                continue
            outcome = await moderator.decide(held["claim_token"])
            if outcome is not None:
                name = held["submission"]["submission_id"]
                decided[name] += 1
                if outcome["state"] == "approved":
                    finished.add(name)
    say(f"  approved {len(finished)}, {sum(1 for n in decided.values() if n > 1)} of them by two people")


async def publish(sent: list[Sent]) -> None:
    """Wait until the ledger of every item shows it posted on every channel."""

    async def posted(one: Sent) -> bool:
        one.ledger = await one.volunteer.ledger(one.submission_id)
        states = {d["channel"]: d["state"] for d in one.ledger["deliveries"]}
        return states == {"site": "posted", "partners": "posted", "tg": "posted"}

    for one in sent:
        await eventually(
            lambda one=one: posted(one), seconds=PATIENCE_SECONDS, what=f"{one.item.title} published"
        )
    say(f"  published {len(sent)} items on 3 channels")


async def click(sent: list[Sent], editor: Staff, line: Line) -> int:
    """Follow short links, a different number of times each; how often in all."""
    total = 0
    async with httpx.AsyncClient(timeout=10, headers=BROWSER) as reader:
        for number, one in enumerate(sent):
            deliveries = [d for d in await editor.deliveries(one.submission_id) if d["channel"] == "tg"]
            for _ in range(number % (CLICKS_AT_MOST + 1)):
                code = deliveries[0]["short_link"].rsplit("/", 1)[1]
                answer = await reader.get(f"{line.url}/r/{code}")
                if answer.status_code != httpx.codes.FOUND:
                    text = f"the short link of {one.item.title} answered {answer.status_code}"
                    raise AssertionError(text)
                one.clicks += 1
                total += 1
    return total


async def verdict(built: Stack, sent: list[Sent], clicks: int, line: Line) -> list[str]:
    """Everything that is not as it should be, seen from outside."""
    wrong: list[str] = []
    posts, hooks = built.timeline(), built.received()
    async with httpx.AsyncClient(timeout=10, headers=BROWSER) as reader:
        feeds = {
            language: await reader.get(f"{line.url}/{language}/feed.json")
            for language in {i.language for i in ITEMS}
        }
        listed = Counter(
            entry["title"]
            for answer in feeds.values()
            if answer.is_success
            for entry in answer.json()["items"]
        )
        for one in sent:
            title = one.item.title
            on_telegram = sum(title in post["text"] for post in posts)
            at_partner = sum(hook["submission_id"] == one.submission_id for hook in hooks)
            urls = {d["channel"]: d.get("url") for d in one.ledger["deliveries"]}
            page = await reader.get(str(urls["site"]))
            if on_telegram != 1:
                wrong.append(f"{title}: {on_telegram} times on Telegram")
            if at_partner != 1:
                wrong.append(f"{title}: {at_partner} times at the partner")
            if listed[title] != 1:
                wrong.append(f"{title}: {listed[title]} times in the website's feeds")
            if (
                not page.is_success
                or title not in page.text
                or f'lang="{one.item.language}"' not in page.text
            ):
                wrong.append(
                    f"{title}: its page at {urls['site']} answered {page.status_code} or shows something else"
                )
    if len(posts) != len(ITEMS):
        wrong.append(f"{len(posts)} posts on Telegram instead of {len(ITEMS)}")
    expected = {
        "members": len({item.country for item in ITEMS}),
        "countries": len({item.country for item in ITEMS}),
        "submissions": len(ITEMS),
        "published": len(ITEMS),
        "videos": sum(item.video for item in ITEMS),
        "views": None,
        "reached": None,
        "clicks": clicks,
    }

    async def totals() -> dict[str, Any]:
        shown = await campaign(line)
        return {name: (shown[name] or {}).get("value") for name in expected}

    async def equal() -> bool:
        return await totals() == expected

    try:
        await eventually(equal, seconds=30, what="the totals")
    except TimeoutError:
        wrong.append(f"the totals are {await totals()} instead of {expected}")
    return wrong


async def main(folder: Path) -> int:
    """Run the demonstration in `folder`. Gives back the exit code."""
    began = monotonic()
    say("starting a stack of its own …")
    with stack(folder) as built:
        say(f"  ready after {monotonic() - began:.1f} s at {built.url}")
        line = Line(built.url)
        moderators = [Staff(line, built.staff("moderator", name)) for name in ("Leyla", "Mehmet")]
        editor = Staff(line, built.staff("editor", "Nino"))
        say("volunteers send …")
        sent = await send(line, folder)
        say("moderators decide …")
        await review(moderators, len(sent))
        say("the publisher delivers …")
        await publish(sent)
        say("readers click …")
        clicks = await click(sent, editor, line)
        wrong = await verdict(built, sent, clicks, line)
        shown = sent[3]
        say("\nthe ledger of one item:")
        say(json.dumps(await shown.volunteer.ledger(shown.submission_id), indent=2, ensure_ascii=False))
        say("\nthe campaign's totals:")
        say(json.dumps(await campaign(line), indent=2, ensure_ascii=False))
        await line.close()
    took = monotonic() - began
    if wrong:
        say(f"\nNOT as it should be, after {took:.0f} s:")
        for line_ in wrong:
            say(f"  - {line_}")
        return 1
    say(
        f"\nall {len(ITEMS)} items arrived everywhere exactly once, and the totals are right, after {took:.0f} s"
    )
    return 0


if __name__ == "__main__":
    place = Path(tempfile.mkdtemp(prefix="konullu-demo-"))
    code = asyncio.run(main(place))
    if code == 0:
        shutil.rmtree(place, ignore_errors=True)
    else:
        say(f"what was left behind: {place}")
    sys.exit(code)
