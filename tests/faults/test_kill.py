"""Nothing accepted is lost and nothing is visible twice, whatever is killed or restarted, whenever.

Submissions go to three channels while seeded SIGKILLs hit every part of the stack, the supervisor too, and the channels
themselves answer 500 after accepting, or reset. Then the services are stopped in turn, as in a rolling restart. Two
hundred submissions, thirty kills and more seeds: `make drill`.
"""

import asyncio
import html
import os
import random
import re
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest

from tests.demo.__main__ import BROWSER
from tests.demo.drawn import photo
from tests.demo.items import ITEMS
from tests.support.drill import usually
from tests.support.killer import Killer
from tests.support.people import Line, Staff, Volunteer, campaign, eventually, expect
from tests.support.stack import SERVICES, Stack, stack

SEEDS: Final = [int(seed) for seed in os.environ.get("KONULLU_KILL_SEEDS", "20200905").split(",")]
SUBMISSIONS: Final = usually(80, drill=200)
KILLS: Final = usually(14, drill=32)
WITH_SENDING: Final = usually(2, drill=5)
WITH_OUTBOX: Final = usually(1, drill=3)
RESTARTED_SUBMISSIONS: Final = usually(40, drill=200)
RESTARTS: Final = usually(2, drill=5)
"""Of each service."""
WITHDRAWN_EVERY: Final = 20
DECIDED_SECONDS: Final = 120.0
SETTLE_SECONDS: Final = 180.0
LISTS_SECONDS: Final = 30.0
ENDED: Final = frozenset({"posted", "rejected", "needs_human", "cancelled", "removed", "residue"})


@dataclass
class Run:
    """What the people outside know."""

    line: Line
    accepted: dict[str, tuple[Volunteer, str]] = field(default_factory=dict)
    """Submission id to its author and title."""
    withdrawn: set[str] = field(default_factory=set)
    decided: set[str] = field(default_factory=set)
    clicked: int = 0
    tried_clicks: int = 0
    sending_over: bool = False
    stop_clicking: bool = False


async def send(run: Run, author: Volunteer, numbers: list[int], dice: random.Random) -> None:
    for number in numbers:
        item = ITEMS[number % len(ITEMS)]
        title = f"{item.title} № {number}"
        media = []
        if number % 8 == 0:
            upload = await author.upload(photo(number), "photo.jpg", "image/jpeg")
            media.append({"upload_id": upload, "alt": item.title})
        answer = await author.submit(
            {
                "title": title,
                "body": item.body,
                "language": item.language,
                "country": author.country,
                "hashtags": list(item.hashtags),
                "media": media,
                "attribution": {"mode": "anonymous"},
                "consent": {"terms_version": "2020-09", "people_shown": "none", "rights": "own"},
                "ai": {"made": False, "edited": False},
            },
            key=str(uuid4()),
        )
        run.accepted[answer["submission_id"]] = (author, title)
        if number % WITHDRAWN_EVERY == 0:
            await asyncio.sleep(dice.uniform(0, 2))
            await author.withdraw(answer["submission_id"])
            run.withdrawn.add(answer["submission_id"])


async def moderate(run: Run, moderator: Staff) -> None:
    """Decide until everything accepted is decided; what a kill held up comes when its message comes again."""
    deadline = float("inf")
    while monotonic() < deadline:
        if run.sending_over and deadline == float("inf"):
            deadline = monotonic() + DECIDED_SECONDS
        if run.sending_over and run.decided | run.withdrawn >= set(run.accepted):
            return
        next_one = await moderator.claim()
        # A hand-over whose answer was lost is found among one's own.
        held = [next_one] if next_one is not None else await moderator.mine()
        for one in held:
            outcome = await moderator.decide(one["claim_token"])
            if outcome is not None and outcome["state"] == "approved":
                run.decided.add(one["submission"]["submission_id"])
        if not held:
            await asyncio.sleep(0.2)


async def click(run: Run, editor: Staff, dice: random.Random) -> None:
    async with httpx.AsyncClient(timeout=5, headers=BROWSER) as reader:
        while not run.stop_clicking:
            await asyncio.sleep(0.3)
            if not run.decided:
                continue
            chosen = dice.choice(sorted(run.decided))
            deliveries = [d for d in await editor.deliveries(chosen) if d["state"] == "posted"]
            if not deliveries:
                continue
            code = dice.choice(deliveries)["short_link"].rsplit("/", 1)[1]
            run.tried_clicks += 1
            try:
                answer = await reader.get(f"{run.line.url}/r/{code}")
            except httpx.TransportError:
                continue
            run.clicked += answer.status_code == httpx.codes.FOUND


async def journey(
    run: Run, built: Stack, seed: int, submissions: int, disturb: Callable[[], Awaitable[None]]
) -> Staff:
    """Everything is sent, decided and clicked at while something disturbs it; gives back an editor to ask."""
    dice = random.Random(seed)
    moderators = [Staff(run.line, built.staff("moderator", f"Moderator {n}")) for n in range(3)]
    editor = Staff(run.line, built.staff("editor", "Editor"))
    authors = [
        await Volunteer.register(run.line, name=f"Author {n}", country=country, languages=["az"])
        for n, country in enumerate(["AZ", "TR", "DE", "CA"])
    ]
    shares = [list(range(start, submissions, len(authors))) for start in range(len(authors))]
    disturbance = asyncio.ensure_future(disturb())
    clicks = asyncio.create_task(click(run, editor, dice))
    reviews = [asyncio.create_task(moderate(run, moderator)) for moderator in moderators]
    await asyncio.gather(
        *(send(run, author, share, dice) for author, share in zip(authors, shares, strict=True))
    )
    await disturbance
    run.sending_over = True
    await asyncio.gather(*reviews)
    run.stop_clicking = True
    await clicks
    return editor


async def ended(run: Run, editor: Staff) -> dict[str, list[dict[str, Any]]]:
    """The deliveries of everything accepted, once all of them have ended."""
    waiting = set(run.accepted)
    found: dict[str, list[dict[str, Any]]] = {}

    async def all_ended() -> bool:
        for submission in sorted(waiting):
            deliveries = await editor.deliveries(submission)
            gone = submission in run.withdrawn
            if all(d["state"] in ENDED for d in deliveries) and (gone or len(deliveries) == 3):
                found[submission] = deliveries
                waiting.discard(submission)
        return not waiting

    try:
        await eventually(all_ended, seconds=SETTLE_SECONDS, what="every delivery ended")
    except TimeoutError:
        left = {
            s: [(d["channel"], d["state"]) for d in await editor.deliveries(s)] for s in sorted(waiting)[:10]
        }
        pytest.fail(f"{len(waiting)} submissions have deliveries that have not ended: {left}")
    return found


async def visible(run: Run, built: Stack) -> dict[str, Counter[str]]:
    """How often each title is to be seen on each channel, from outside."""
    seen: dict[str, Counter[str]] = {"tg": Counter(), "partners": Counter(), "site": Counter()}
    titles = {title for _, title in run.accepted.values()}
    for post in built.timeline():
        seen["tg"].update(title for title in titles if f"{title}\n" in f"{post['text']}\n")
    seen["partners"].update(hook["title"] for hook in built.received())
    sitemap = await run.line.ask("GET", "/sitemap.xml", again_on=frozenset({502, 503}))
    for place in sorted(set(re.findall(r"<loc>([^<]+)</loc>", sitemap.text))):
        page = await run.line.ask("GET", place, again_on=frozenset({502, 503}))
        heading = re.search(r"<h1[^>]*>(.*?)</h1>", page.text, re.DOTALL)
        if heading is not None:
            seen["site"].update([html.unescape(heading[1]).strip()])
    return seen


async def settled_view(
    run: Run, built: Stack, deliveries: dict[str, list[dict[str, Any]]]
) -> dict[str, Counter[str]]:
    """What is visible once the website's lists, which are gathered and written together, have caught up."""
    expected = {
        title
        for submission, (_, title) in run.accepted.items()
        if any(d["channel"] == "site" and d["state"] == "posted" for d in deliveries[submission])
    }
    seen = await visible(run, built)
    deadline = monotonic() + LISTS_SECONDS
    while expected - set(seen["site"]) and monotonic() < deadline:
        seen = await visible(run, built)
    return seen


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", SEEDS)
async def test_nothing_is_lost_and_nothing_is_shown_twice(seed: int, tmp_path: Path) -> None:
    print(f"seed {seed}")
    telegram = [
        "--seed",
        str(seed),
        "--rate",
        "error_after=0.02",
        "--rate",
        "reset_after=0.01",
        "--rate",
        "error_before=0.01",
    ]
    webhook = ["--seed", str(seed), "--rate", "error_after=0.04", "--rate", "reset_before=0.04"]
    with stack(tmp_path, telegram=telegram, webhook=webhook) as built:
        run, killer = Run(Line(built.url)), Killer(built, seed)
        editor = await journey(
            run, built, seed, SUBMISSIONS, lambda: killer.run(kills=KILLS, pause=(0.8, 2.4))
        )
        await eventually(lambda: _true(built.ready()), seconds=60, what="the stack ready again")
        deliveries = await ended(run, editor)
        seen = await settled_view(run, built, deliveries)
        injected = httpx.get(f"{built.telegram.url}/faults", timeout=5).json()["injected"]
        tally = killer.tally
        people = [d for listed in deliveries.values() for d in listed if d["state"] == "needs_human"]
        ambiguous = tally.telegram_in_flight + sum(
            n for kind, n in injected.items() if kind != "rate_limited"
        )
        figures = {
            "seed": seed,
            "kills": dict(tally.kills),
            "with a delivery in sending": tally.with_sending,
            "with an outbox not empty": tally.with_outbox,
            "calls repeated by people": run.line.repeated,
            "needs a person": len(people),
            "ambiguous on telegram": ambiguous,
            "clicks": (run.clicked, run.tried_clicks),
        }
        print(figures)

        assert sum(tally.kills.values()) >= KILLS, figures
        assert tally.with_sending >= WITH_SENDING, figures
        assert tally.with_outbox >= WITH_OUTBOX, figures
        await each_is_shown_once(run, deliveries, seen)
        assert {d["channel"] for d in people} <= {"tg"}, people
        assert len(people) <= ambiguous, figures
        await totals_are_right(run, built)
        await run.line.close()


@pytest.mark.timeout(900)
async def test_restarting_each_service_in_turn_under_load_loses_nothing_and_shows_nothing_twice(
    tmp_path: Path,
) -> None:
    with stack(tmp_path) as built:
        run = Run(Line(built.url))
        restarted: Counter[str] = Counter()

        async def restart_each() -> None:
            for name in SERVICES * RESTARTS:
                old = built.pids()[name]
                os.kill(old, signal.SIGTERM)
                restarted[name] += 1
                anew = partial(running_anew, built, name, old)
                await eventually(anew, seconds=60, what=f"{name} again")

        editor = await journey(run, built, SEEDS[0], RESTARTED_SUBMISSIONS, restart_each)
        await eventually(lambda: _true(built.ready()), seconds=60, what="the stack ready again")
        deliveries = await ended(run, editor)
        seen = await settled_view(run, built, deliveries)
        print({"restarts": dict(restarted), "calls repeated by people": run.line.repeated})

        assert restarted == dict.fromkeys(SERVICES, RESTARTS)
        await each_is_shown_once(run, deliveries, seen)
        # Told to stop, a service ends its calls first: none is left of which nobody knows how it ended.
        assert [d for listed in deliveries.values() for d in listed if d["state"] == "needs_human"] == []
        await totals_are_right(run, built)
        await run.line.close()


async def running_anew(built: Stack, name: str, old: int) -> bool:
    """Whether the service runs as another process than before, and answers."""
    return built.pids().get(name, old) != old and built.ready()


async def each_is_shown_once(
    run: Run, deliveries: dict[str, list[dict[str, Any]]], seen: dict[str, Counter[str]]
) -> None:
    """Nothing accepted is lost; what is posted is seen once on each channel, what is withdrawn on none."""
    lost = [s for s in run.accepted if s not in run.withdrawn and not deliveries[s]]
    assert lost == []
    for submission, (author, title) in run.accepted.items():
        ledger = await author.ledger(submission)
        states = {d["channel"]: d["state"] for d in deliveries[submission]}
        for channel, counted in seen.items():
            shown = counted[title]
            if submission in run.withdrawn:
                unproven = states.get(channel) in {"needs_human", "residue"}
                assert shown == 0 or unproven, (title, channel, states)
            elif states[channel] == "posted":
                assert shown == 1, (title, channel, shown)
            else:
                assert shown <= 1, (title, channel, shown)
        state = "withdrawn" if submission in run.withdrawn else "published"
        assert ledger["state"] == state, (title, ledger)


async def totals_are_right(run: Run, built: Stack) -> None:
    """The public totals equal what the people outside know, and a recount from the events changes nothing."""

    async def settled() -> bool:
        shown = await campaign(run.line)
        return bool(
            shown["submissions"]["value"] == len(run.accepted)
            and shown["published"]["value"] == len(run.accepted) - len(run.withdrawn)
            and run.clicked <= shown["clicks"]["value"] <= run.tried_clicks
        )

    try:
        await eventually(settled, seconds=60, what="the totals")
    except TimeoutError:
        pytest.fail(
            f"{await campaign(run.line)} with {len(run.accepted)} accepted, {len(run.withdrawn)} withdrawn"
        )
    before = await campaign(run.line)
    built.command("recount")
    after = await campaign(run.line)
    assert {k: v and v["value"] for k, v in before.items()} == {k: v and v["value"] for k, v in after.items()}
    expect(await run.line.ask("GET", "/api/metrics/v1/campaign"), 200)


async def _true(value: bool) -> bool:
    return value
