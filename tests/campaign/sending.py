"""The people of the campaign: who sends, who decides, who reads."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID, uuid5

from nats.aio.client import Client as Link

from shared.bus.consuming import Publisher
from shared.events import REACH_SAMPLED, ReachSampled
from tests.bench.load import Caller
from tests.campaign.plan import Item, Plan
from tests.support.people import Line, Staff, Volunteer
from tests.support.stack import Stack

SENDERS: Final = 16
CLICKING: Final = 16
LOOKING: Final = 16
PUBLISHING: Final = 200
BROWSER: Final = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
NAMESPACE: Final = UUID("6f3b1c6e-6b0e-4d7e-9d0c-2020202020ab")
MARKER: Final = re.compile(r"\((\d{4})\)")

T = TypeVar("T")


@dataclass
class Sent:
    """An item and what its author was told."""

    item: Item
    author: Volunteer
    submission_id: str
    deliveries: list[dict[str, Any]] = field(default_factory=list)

    def delivery(self, channel: str) -> dict[str, Any]:
        """Its delivery to a channel."""
        return next(each for each in self.deliveries if each["channel"] == channel)


@dataclass
class Progress:
    """What has been done so far, for whoever watches."""

    wanted: int
    done: Counter[str] = field(default_factory=Counter)
    began: float = field(default_factory=time.monotonic)

    def line(self) -> str:
        """One line."""
        shown = ", ".join(f"{name} {count:,}" for name, count in self.done.items())
        return f"  {time.monotonic() - self.began:5.0f} s  {shown} (of {self.wanted:,} items)"


async def side_by_side(things: Iterable[T], work: Callable[[T], Awaitable[None]], *, at_once: int) -> None:
    """Do the work for each, so many at a time. The first failure ends it."""
    waiting = iter(things)

    async def worker() -> None:
        for thing in waiting:
            await work(thing)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker())


async def send(line: Line, plan: Plan, folder: Path, progress: Progress) -> list[Sent]:
    """A volunteer in each country sends that country's items, with the pictures that lie in `folder`."""
    authors: dict[str, Volunteer] = {}
    sent: list[Sent] = []

    async def join(country: str) -> None:
        languages = list(dict.fromkeys(item.language for item in plan.items if item.country == country))
        authors[country] = await Volunteer.register(
            line, name=f"Volunteer {country}", country=country, languages=languages
        )

    async def one(item: Item) -> None:
        author, media = authors[item.country], []
        if item.media:
            ending, kind = ("mp4", "video/mp4") if item.media == "video" else ("jpg", "image/jpeg")
            content = (folder / f"{item.number}.{ending}").read_bytes()
            upload = await author.upload_at_once(content, f"{item.number}.{ending}", kind)
            media.append({"upload_id": upload, "alt": item.alt})
        sent.append(Sent(item, author, await author.send(item, media, number=item.number)))
        progress.done["accepted"] = len(sent)

    await side_by_side(plan.countries, join, at_once=SENDERS)
    await side_by_side(plan.items, one, at_once=SENDERS)
    return sent


async def review(moderators: list[Staff], progress: Progress, *, patience: float) -> None:
    """Everybody claims and approves until all is approved; a case that needs two people gets two."""
    approved: set[str] = set()
    deadline = time.monotonic() + patience

    async def one(moderator: Staff) -> None:
        while len(approved) < progress.wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"only {len(approved)} of {progress.wanted} cases could be decided")
            held = await moderator.claim()
            if held is None:
                await asyncio.sleep(0.2)
                continue
            outcome = await moderator.decide(held["claim_token"])
            if outcome is not None and outcome["state"] in {"approved", "scheduled"}:
                approved.add(held["submission"]["submission_id"])
                progress.done["approved"] = len(approved)

    await asyncio.gather(*(one(moderator) for moderator in moderators))


async def published(built: Stack, progress: Progress, *, patience: float) -> None:
    """Wait until Telegram and the partner show as many as were sent."""
    deadline = time.monotonic() + patience
    while True:
        posts, hooks = await asyncio.gather(
            asyncio.to_thread(built.timeline), asyncio.to_thread(built.received)
        )
        progress.done["on Telegram"], progress.done["at the partner"] = len(posts), len(hooks)
        if min(len(posts), len(hooks)) >= progress.wanted:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"published: {progress.line()}")
        await asyncio.sleep(1)


async def look(editor: Staff, sent: list[Sent], progress: Progress, *, patience: float) -> None:
    """Ask the publisher for every item's deliveries, each until all of them are posted."""
    deadline = time.monotonic() + patience

    async def one(each: Sent) -> None:
        while True:
            each.deliveries = await editor.deliveries(each.submission_id)
            states = {found["state"] for found in each.deliveries}
            if states == {"posted"} and len(each.deliveries) == 3:
                break
            if time.monotonic() > deadline:
                raise TimeoutError(f"{each.item.title}: {states}")
            await asyncio.sleep(0.5)
        progress.done["posted"] += 1

    await side_by_side(sent, one, at_once=LOOKING)


async def click(built: Stack, sent: list[Sent], progress: Progress) -> None:
    """Readers follow the short link under each post on Telegram, as often as the plan says."""
    codes = {
        int(found[1]): post["marker"]
        for post in await asyncio.to_thread(built.timeline)
        if (found := MARKER.search(post["text"]))
    }
    links = [f"/r/{codes[one.item.number]}" for one in sent for _ in range(one.item.clicks)]
    readers = Caller(built.url)

    async def follow(path: str) -> None:
        status, answer = await readers.ask(path, {}, BROWSER, "GET")
        if status != 302:
            raise AssertionError(f"the short link {path} answered {status}: {answer[:200]!r}")
        progress.done["clicks"] += 1

    await side_by_side(links, follow, at_once=CLICKING)
    readers.close()


async def report_views(link: Link, sent: list[Sent], progress: Progress) -> None:
    """Telegram's figures, which no channel can be asked for yet: put on the bus as the publisher puts what it samples."""
    publisher, now = Publisher(link), datetime.now(UTC)

    async def one(pair: tuple[Sent, int]) -> None:
        each, at = pair
        delivery = each.delivery("tg")["delivery_id"]
        event = ReachSampled(
            event_id=uuid5(NAMESPACE, f"{delivery}/{at}"),
            occurred_at=now,
            subject_id=delivery,
            version=at + 1,
            submission_id=each.submission_id,
            channel="tg",
            kind="cumulative",
            metric="views",
            value=each.item.views[at],
            observed_at=now - timedelta(minutes=10 * (len(each.item.views) - at)),
            source="telegram:report",
        )
        await publisher.publish(
            REACH_SAMPLED.subject,
            event.model_dump_json().encode(),
            stream=REACH_SAMPLED.stream,
            message_id=str(event.event_id),
        )
        progress.done["samples"] += 1

    told = [(each, at) for each in sent for at in range(len(each.item.views))]
    await side_by_side(told, one, at_once=PUBLISHING)
