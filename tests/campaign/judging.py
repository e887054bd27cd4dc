"""What was found from outside, against what was sent: nobody looks into a database here."""

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from tests.bench.load import Caller
from tests.campaign.plan import Plan
from tests.campaign.sending import BROWSER, LOOKING, MARKER, Sent, side_by_side
from tests.support.people import Line, Staff, campaign, eventually, expect
from tests.support.stack import Stack

LOCATION: Final = re.compile(r"<loc>([^<]+)</loc>")
TOTALS_SECONDS: Final = 60.0
LEDGERS: Final = 60
"""So many authors' ledgers are asked for their reach."""


async def everything(built: Stack, line: Line, lead: Staff, plan: Plan, sent: list[Sent]) -> list[str]:
    """All that is not as it should be; nothing when all is well."""
    wrong = _accepted(plan, sent)
    wrong += _once("on Telegram", plan, [post["text"] for post in await asyncio.to_thread(built.timeline)])
    hooks = await asyncio.to_thread(built.received)
    wrong += _once("at the partner", plan, [hook["title"] for hook in hooks])
    wrong += await _pages(built, sent)
    wrong += await _totals(line, plan)
    wrong += await _breakdowns(line, lead, plan)
    wrong += await _ledgers(sent)
    if dead := await asyncio.to_thread(built.command, "dead", "list"):
        wrong.append(f"messages were put aside: {dead[:500]}")
    return wrong


def _accepted(plan: Plan, sent: list[Sent]) -> list[str]:
    times = Counter(one.submission_id for one in sent)
    wrong = [f"{name} was given to {count} items" for name, count in times.items() if count > 1]
    if len(sent) != len(plan.items):
        wrong.append(f"{len(sent)} of {len(plan.items)} items were accepted")
    return wrong


def _once(where: str, plan: Plan, texts: list[str]) -> list[str]:
    """Each item is found in exactly one of the texts, and nothing else is there."""
    shown = Counter(int(found[1]) for text in texts if (found := MARKER.search(text)))
    wrong = [
        f"{item.title}: {shown[item.number]} times {where}" for item in plan.items if shown[item.number] != 1
    ]
    if len(texts) != len(plan.items):
        wrong.append(f"{len(texts)} texts {where} instead of {len(plan.items)}")
    return wrong


async def _pages(built: Stack, sent: list[Sent]) -> list[str]:
    """Each item has its page on the website, and the sitemap names it once."""
    wrong: list[str] = []
    reader = Caller(built.url)
    named = Counter(await _sitemap(built))

    async def one(each: Sent) -> None:
        path = urlsplit(str(each.delivery("site")["url"])).path
        status, page = await reader.ask(path, {}, BROWSER, "GET")
        text = page.decode()
        if status != httpx.codes.OK or each.item.marker not in text:
            wrong.append(f"{each.item.title}: its page {path} answered {status} or shows something else")
        if f'lang="{each.item.language}"' not in text:
            wrong.append(f"{each.item.title}: its page is not in {each.item.language}")
        if named[path] != 1:
            wrong.append(f"{each.item.title}: {named[path]} times in the sitemap")

    await side_by_side(sent, one, at_once=LOOKING)
    reader.close()
    return wrong


async def _sitemap(built: Stack) -> list[str]:
    """The paths in the sitemap, and in those that it names."""
    paths, waiting = [], ["/sitemap.xml"]
    async with httpx.AsyncClient(base_url=built.url, timeout=30) as reader:
        while waiting:
            found = LOCATION.findall(expect(await reader.get(waiting.pop()), 200).text)
            waiting += [urlsplit(url).path for url in found if url.endswith(".xml")]
            paths += [urlsplit(url).path for url in found if not url.endswith(".xml")]
    return paths


async def _totals(line: Line, plan: Plan) -> list[str]:
    expected = {
        "members": len(plan.countries),
        "countries": len(plan.countries),
        "submissions": len(plan.items),
        "published": len(plan.items),
        "videos": plan.videos,
        "views": plan.views,
        "reached": None,
        "clicks": plan.clicks,
    }

    async def totals() -> dict[str, Any]:
        shown = await campaign(line)
        return {name: (shown[name] or {}).get("value") for name in expected}

    async def equal() -> bool:
        return await totals() == expected

    try:
        await eventually(equal, seconds=TOTALS_SECONDS, what="the totals")
    except TimeoutError:
        return [f"the totals are {await totals()} instead of {expected}"]
    return []


async def _breakdowns(line: Line, lead: Staff, plan: Plan) -> list[str]:
    """Clicks and views by language, by country and by both, equal to what readers did."""
    wrong: list[str] = []
    for by in ("language", "country", "language,country"):
        wanted: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        for item in plan.items:
            of: Mapping[str, str] = {"language": item.language, "country": item.country}
            key = tuple(of[name] for name in by.split(","))
            wanted[key].update(clicks=item.clicks, views=item.views[-1])
        answer = await line.ask("GET", "/api/metrics/v1/reach", params={"by": by}, headers=lead.headers)
        found: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        for row in expect(answer, 200).json()["items"]:
            if row["metric"] in {"clicks", "views"}:
                found[tuple(row[name] for name in by.split(","))][row["metric"]] += row["value"]
        wrong += [
            f"reach of {key}: {dict(found[key])} instead of {dict(wanted[key])}"
            for key in wanted.keys() | found.keys()
            if +wanted[key] != +found[key]
        ]
    return wrong


async def _ledgers(sent: list[Sent]) -> list[str]:
    """Authors see the same figures as the campaign's lead."""
    wrong: list[str] = []

    async def one(each: Sent) -> None:
        seen: dict[str, Any] = {}

        async def equal() -> bool:
            nonlocal seen
            ledger = await each.author.ledger(each.submission_id)
            seen = {name: figure["value"] for name, figure in (ledger.get("reach") or {}).items()}
            wanted = {"clicks": each.item.clicks, "views": each.item.views[-1]}
            return wanted == {name: int(seen.get(name) or 0) for name in wanted}

        try:
            await eventually(equal, seconds=TOTALS_SECONDS, what="the ledger's reach")
        except TimeoutError:
            wrong.append(f"{each.item.title}: its author sees {seen}")

    await side_by_side(sent[:: max(1, len(sent) // LEDGERS)], one, at_once=LOOKING)
    return wrong
