"""Reach through metrics: events in, redirects out, figures over HTTP, on the real servers."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.metrics.app import assemble
from services.metrics.counting.model import code_of
from services.metrics.settings import MetricsSettings
from shared.events import (
    BY_SUBJECT,
    DELIVERY_CHANGED,
    PERSON_REGISTERED,
    REACH_CLICKED,
    REACH_SAMPLED,
    REACH_TOTALLED,
    SUBMISSION_RECEIVED,
    SUBMISSION_WITHDRAWN,
    Attribution,
    Consent,
    DeliveryChanged,
    Event,
    PersonRegistered,
    ReachTotalled,
    Role,
    Scopes,
    SubmissionReceived,
    SubmissionWithdrawn,
    Topic,
)
from shared.identity.tokens import Issuer, OwnKeys, Principal, signing_key
from tests.support.builders.reach_events import click, delivery, history, sample
from tests.support.builders.reach_reference import Totals, reference
from tests.support.processes import Server, start_nats, within
from tests.support.running import Running, provisioned, running, settings_for
from tests.support.signed import publish_signed

PHONE = {"User-Agent": "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36"}
SECONDS = 30
LINKS_AT_ONCE = 20


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Server]:
    """A broker on which nobody else counts."""
    server = start_nats(tmp_path)
    yield server
    server.stop()


@dataclass
class Metrics:
    """Metrics, with the events that it is told."""

    service: Running
    token: str
    spool: Path
    told: list[Event] = field(default_factory=list)

    @property
    def key(self) -> Ed25519PrivateKey:
        """Ingest's, which signs what it is told."""
        return signing_key(self.service.runtime.settings.keys / "tokens.pem")

    async def tell(self, *events: Event, message_id: str | None = None) -> None:
        for event in events:
            topic: Topic[Any] = next(one for one in BY_SUBJECT.values() if one.event is type(event))
            await publish_signed(self.service.runtime.publisher, topic, event, self.key, message_id)
            self.told.append(event)

    async def get(self, path: str, *, token: str | None = None, **headers: str) -> httpx.Response:
        bearer = {"Authorization": f"Bearer {token or self.token}"}
        return await self.service.http.get(path, headers={**bearer, **headers})

    async def reach(self, query: str) -> list[dict[str, Any]]:
        answer = await self.get(f"/v1/reach?{query}")
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def campaign(self) -> dict[str, Any]:
        answer: dict[str, Any] = (await self.service.http.get("/v1/campaign")).json()
        return answer

    async def totals(self, *by: str) -> Totals:
        found: Totals = Counter()
        for row in await self.reach(f"by={','.join(by)}"):
            if row["metric"] != "reached":
                found[tuple(row[name] or "" for name in by), row["metric"], row["kind"]] += row["value"]
        return +found

    async def until_counted(self, *by: str) -> None:
        expected = reference(self.told, by)

        async def equal() -> bool:
            return await self.totals(*by) == expected

        await until(equal, f"the breakdown by {by} equals the reference")


async def until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    try:
        async with within(SECONDS):
            while not await holds():
                await asyncio.sleep(0.05)
    except TimeoutError:
        text = f"{what}: not within {SECONDS} s"
        raise AssertionError(text) from None


def token(service: Running, role: Role = "coordinator", scopes: Scopes | None = None) -> str:
    key = signing_key(service.runtime.settings.keys / "tokens.pem")
    return Issuer(key).issue(Principal("somebody", role, scopes or Scopes()), now=datetime.now(UTC))


@pytest.fixture
async def metrics(tmp_path: Path, broker: Server, mongo_url: str) -> AsyncIterator[Metrics]:
    shared = settings_for(
        tmp_path / "home", nats_url=broker.url, mongo_url=mongo_url, public="https://campaign.example"
    )
    settings = MetricsSettings.of(shared)
    await provisioned(settings)
    key = signing_key(settings.keys / "tokens.pem")
    async with running("metrics", settings, assemble, keys=OwnKeys(key.public_key())) as service:
        yield Metrics(service, token(service), settings.spool)


def person(country: str) -> PersonRegistered:
    return PersonRegistered(
        event_id=uuid4(),
        occurred_at=datetime.now(UTC),
        subject_id=str(uuid4()),
        version=1,
        country=country,
        languages=("az",),
    )


def received(submission_id: str, revision: int = 1) -> SubmissionReceived:
    return SubmissionReceived(
        event_id=uuid4(),
        occurred_at=datetime.now(UTC),
        subject_id=submission_id,
        version=revision,
        revision=revision,
        author_id="somebody",
        title="Nar bayramı",
        body="…",
        language="az",
        country="AZ",
        attribution=Attribution(mode="anonymous"),
        consent=Consent(terms_version="1", people_shown="none", rights="own"),
    )


def moved(of: DeliveryChanged, state: str, version: int) -> DeliveryChanged:
    fields = of.model_dump() | {"event_id": uuid4(), "state": state, "version": version}
    return DeliveryChanged(**fields)


async def test_every_breakdown_equals_the_reference_though_all_comes_twice_and_out_of_order(
    metrics: Metrics,
) -> None:
    events = history(21, deliveries=9, events=400)
    await metrics.tell(*events)

    await metrics.until_counted()
    await metrics.until_counted("channel", "language")
    await metrics.until_counted("country", "hashtag")
    await metrics.until_counted("audience_country")
    await metrics.until_counted("channel", "language", "country")


async def test_a_fresh_campaign_has_measured_nothing(metrics: Metrics) -> None:
    assert await metrics.campaign() == dict.fromkeys(
        ["members", "countries", "submissions", "published", "videos", "views", "reached", "clicks"]
    )
    assert await metrics.reach("by=channel,day") == []


async def test_the_campaigns_figures_say_what_happened(metrics: Metrics) -> None:
    chance = Random(5)
    first = delivery(chance, 1, submission_id="one", channel="site", media_types=("video/mp4",))
    second = delivery(chance, 2, submission_id="one", channel="tg")
    third = delivery(chance, 3, submission_id="two", channel="site")
    people = [person("TR"), person("CA"), person("TR")]
    await metrics.tell(
        *people, *people, received("one"), received("one", 2), received("two"), received("three")
    )
    for one in (first, second, third):
        await metrics.tell(one, moved(one, "posted", 3), moved(one, "sending", 2))
    await metrics.tell(
        sample(chance, first, metric="views", kind="cumulative", value=700, audience_country=None),
        sample(chance, second, metric="views", kind="cumulative", value=300, audience_country=None),
        sample(chance, first, metric="reached", kind="cumulative", value=500, audience_country=None),
        sample(chance, second, metric="reached", kind="cumulative", value=200, audience_country=None),
        click(chance, first),
    )

    async def arrived() -> bool:
        found = await metrics.campaign()
        return {name: one and one["value"] for name, one in found.items()} == {
            "members": 3,
            "countries": 2,
            "submissions": 3,
            "published": 2,
            "videos": 1,
            "views": 1000,
            "reached": 500,
            "clicks": 1,
        }

    await until(arrived, "the campaign's figures")
    found = await metrics.campaign()
    assert all(one["source"] and one["as_of"].endswith("Z") for one in found.values())
    assert found["reached"]["source"].startswith("largest single figure")


async def test_what_is_taken_down_is_published_no_more(metrics: Metrics) -> None:
    chance = Random(6)
    one, other = delivery(chance, 1, submission_id="s"), delivery(chance, 2, submission_id="s")
    await metrics.tell(received("s"), moved(one, "posted", 2), moved(other, "posted", 2))

    async def published(count: int) -> bool:
        figure = (await metrics.campaign())["published"]
        return figure is not None and figure["value"] == count

    await until(lambda: published(1), "published")
    await metrics.tell(moved(one, "removed", 4), moved(other, "removing", 3))
    await metrics.tell(moved(other, "removed", 4), moved(other, "posted", 2))
    await until(lambda: published(0), "taken down")
    withdrawal = SubmissionWithdrawn(
        event_id=uuid4(), occurred_at=datetime.now(UTC), subject_id="s", version=2
    )
    await metrics.tell(withdrawal)
    submissions = (await metrics.campaign())["submissions"]
    assert submissions["value"] == 1


async def test_people_reached_are_never_added(metrics: Metrics) -> None:
    chance = Random(7)
    posts = [delivery(chance, number, channel="tg", submission_id="s") for number in range(3)]
    await metrics.tell(*posts)
    for number, post in enumerate(posts):
        figure = {"metric": "reached", "kind": "cumulative", "value": 100 * (number + 1)}
        await metrics.tell(sample(chance, post, source="tg:report", audience_country=None, **figure))

    async def there() -> bool:
        return [row["value"] for row in await metrics.reach("by=channel") if row["metric"] == "reached"] == [
            300
        ]

    await until(there, "the largest figure")


async def test_a_click_leads_on_and_counts_once(metrics: Metrics) -> None:
    one = delivery(Random(8), 1)
    await metrics.tell(one)
    path = f"/r/{one.code}"

    async def known() -> bool:
        answer = await metrics.service.http.get(path, headers={"User-Agent": "curl/8"})
        return answer.headers["location"] == one.target

    await until(known, "the link leads to its target")
    answers = await asyncio.gather(*(metrics.service.http.get(path, headers=PHONE) for _ in range(20)))
    head = await metrics.service.http.head(path, headers=PHONE)
    preview = await metrics.service.http.get(path, headers={"User-Agent": "TelegramBot (like TwitterBot)"})

    assert {answer.status_code for answer in answers} == {302} == {head.status_code, preview.status_code}
    assert {answer.headers["location"] for answer in (*answers, head, preview)} == {one.target}

    async def counted() -> bool:
        rows = await metrics.reach("by=channel")
        return [(row["value"], row["kind"]) for row in rows if row["metric"] == "clicks"] == [(20, "delta")]

    await until(counted, "twenty clicks")


async def test_an_unknown_code_leads_to_the_publishers_file_and_a_wrong_one_nowhere(metrics: Metrics) -> None:
    code = code_of("nobody knows it yet")

    unknown = await metrics.service.http.get(f"/r/{code.upper()}", headers=PHONE)
    wrong = await metrics.service.http.get("/r/01189998819", headers=PHONE)

    assert (unknown.status_code, unknown.headers["location"]) == (302, f"https://campaign.example/go/{code}")
    assert (wrong.status_code, wrong.json()["type"]) == (404, "urn:konullu:problem:no_such_link")


async def test_thousands_of_clicks_on_no_code_leave_nothing_behind(metrics: Metrics) -> None:
    get = metrics.service.http.get
    for start in range(0, 3_000, 100):
        codes = [code_of(f"nobody has {number}") for number in range(start, start + 100)]
        answers = await asyncio.gather(*(get(f"/r/{code}", headers=PHONE) for code in codes))
        assert {answer.status_code for answer in answers} == {302}

    stream = await metrics.service.runtime.link.jetstream().stream_info(REACH_CLICKED.stream)
    spooled = [one for one in metrics.spool.glob("clicks-*/*.jsonl") if one.stat().st_size]

    assert (stream.state.messages, spooled) == (0, [])


@pytest.fixture
def few_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KONULLU_LINKS_AT_ONCE", str(LINKS_AT_ONCE))
    monkeypatch.setenv("KONULLU_LINKS_PER_HOUR", "1")


async def test_a_network_that_follows_links_without_end_is_counted_no_more_but_led_on(
    few_links: None, metrics: Metrics
) -> None:
    one = delivery(Random(13), 1, channel="tg")
    await metrics.tell(one)

    async def get(code: str, host: str = "127.0.0.1", **headers: str) -> httpx.Response:
        visitor = httpx.ASGITransport(metrics.service.app, client=(host, 40_000))
        async with httpx.AsyncClient(transport=visitor, base_url="http://here") as browser:
            return await browser.get(f"/r/{code}", headers=headers or PHONE)

    async def known() -> bool:
        answer = await get(one.code, **{"User-Agent": "curl/8"})
        return answer.headers["location"] == one.target

    await until(known, "the link leads to its target")
    answers = [await get(one.code, "203.0.113.7") for _ in range(LINKS_AT_ONCE + 10)]
    guess = await get(code_of("a guess"), "203.0.113.7")
    other = await get(one.code, "198.51.100.9")

    assert {answer.headers["location"] for answer in (*answers, other)} == {one.target}
    assert (guess.status_code, int(guess.headers["retry-after"]) > 0) == (429, True)

    async def counted() -> bool:
        rows = await metrics.reach("by=channel")
        return [row["value"] for row in rows] == [LINKS_AT_ONCE + 1]

    await until(counted, "as many clicks as a network may have, and the other's")


@pytest.mark.parametrize("given", ["abcdefghij.", "abcdefghij),", "too-short", "a/b/c", ""])
async def test_people_are_told_in_a_page_what_is_wrong_with_a_link(metrics: Metrics, given: str) -> None:
    browser = {**PHONE, "Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}

    page = await metrics.service.http.get(f"/r/{given}", headers=browser)
    program = await metrics.service.http.get(f"/r/{given}", headers={"User-Agent": "curl/8"})

    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert (program.status_code, program.json()["type"]) == (404, "urn:konullu:problem:no_such_link")
    assert ("/r/abcdefghij" in page.text) is given.startswith("abcdefghij")


async def test_clicks_before_their_delivery_is_known_are_counted_when_it_is(metrics: Metrics) -> None:
    one = delivery(Random(9), 1, channel="tg")
    for _ in range(3):
        await metrics.service.http.get(f"/r/{one.code}", headers=PHONE)

    await metrics.tell(one)

    async def counted() -> bool:
        rows = await metrics.reach("by=channel")
        return [(row["channel"], row["value"]) for row in rows] == [("tg", 3)]

    await until(counted, "three clicks")


async def test_totals_of_a_submission_are_told_at_most_every_five_seconds(metrics: Metrics) -> None:
    chance = Random(10)
    one = delivery(chance, 1, submission_id="s")
    link = metrics.service.runtime.link
    told: list[tuple[float, ReachTotalled]] = []
    subscription = await link.subscribe(REACH_TOTALLED.subject)
    await metrics.tell(one)
    clock = asyncio.get_running_loop().time

    async def listen() -> None:
        while True:
            message = await subscription.next_msg(timeout=None)
            told.append((clock(), REACH_TOTALLED.parse(message.data)))

    listening = asyncio.create_task(listen())
    began = clock()
    while clock() - began < 6:
        await metrics.service.http.get(f"/r/{one.code}", headers=PHONE)
        await asyncio.sleep(0.3)
    clicks = (await metrics.campaign())["clicks"]["value"]

    async def last_word() -> bool:
        return bool(told) and told[-1][1].totals["clicks"].value >= clicks

    await until(last_word, "the latest totals")
    listening.cancel()
    await subscription.unsubscribe()

    times = [at for at, _ in told]
    assert 2 <= len(told) <= 4
    assert all(later - earlier > 4.5 for earlier, later in pairwise(times))
    assert [event.version for _, event in told] == list(range(1, len(told) + 1))


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("by=weather", "unknown_dimension"),
        ("from=yesterday", "unknown_day"),
        ("to=2026-02-30", "unknown_day"),
        ("from=0001-01-01T00:00:00%2B14:00", "unknown_day"),
        ("to=9999-12-31T23:00:00-14:00", "unknown_day"),
        ("from=2026-11-03&to=2026-11-02", "empty_range"),
    ],
)
async def test_a_question_that_cannot_be_answered_is_refused_with_the_way_to_mend_it(
    metrics: Metrics, query: str, code: str
) -> None:
    answer = await metrics.get(f"/v1/reach?{query}")

    assert (answer.status_code, answer.json()["type"]) == (422, f"urn:konullu:problem:{code}")
    assert any(word in answer.json()["detail"] for word in ("YYYY-MM-DD", "channel", "later"))


async def test_reach_is_for_staff_and_the_campaign_for_everybody(metrics: Metrics) -> None:
    volunteer = await metrics.get("/v1/reach", token=token(metrics.service, "volunteer"))
    nobody = await metrics.service.http.get("/v1/reach")
    everybody = await metrics.service.http.get("/v1/campaign")

    assert (volunteer.status_code, nobody.status_code, everybody.status_code) == (403, 401, 200)


async def test_a_coordinator_sees_the_reach_of_their_own_countries_alone(metrics: Metrics) -> None:
    chance = Random(14)
    here = delivery(chance, 1, country="TR", language="tr", channel="tg")
    there = delivery(chance, 2, country="CA", language="en", channel="tg")
    views = {"metric": "views", "kind": "cumulative", "audience_country": None, "source": "tg:report"}
    people = {**views, "metric": "reached"}
    await metrics.tell(here, there)
    await metrics.tell(sample(chance, here, value=5, **views), sample(chance, there, value=700, **views))
    await metrics.tell(sample(chance, here, value=3, **people), sample(chance, there, value=400, **people))
    await metrics.until_counted("channel")
    mine = token(metrics.service, scopes=Scopes(countries=("TR",)))
    nothing = token(metrics.service, scopes=Scopes(languages=("ka",)))

    async def figures(query: str, bearer: str) -> set[tuple[str, int]]:
        items = (await metrics.get(f"/v1/reach?{query}", token=bearer)).json()["items"]
        return {(row["metric"], row["value"]) for row in items}

    for query in ("", "by=channel", "by=country,language", "by=day", "by=channel,language,country,day"):
        assert await figures(query, mine) == {("views", 5), ("reached", 3)}
        assert await figures(query, nothing) == set()
    assert await figures("", metrics.token) == {("views", 705), ("reached", 400)}


async def test_a_long_answer_comes_in_pages(metrics: Metrics) -> None:
    chance = Random(15)
    many = [delivery(chance, number, language="az", channel=f"c{number}") for number in range(7)]
    await metrics.tell(*many, *(click(chance, one) for one in many))
    await metrics.until_counted("channel")
    pages, cursor = [], "0"
    while cursor is not None:
        answer = (await metrics.get(f"/v1/reach?by=channel&limit=3&cursor={cursor}")).json()
        pages.append([row["channel"] for row in answer["items"]])
        cursor = answer["next"]

    assert [len(page) for page in pages] == [3, 3, 1]
    assert {name for page in pages for name in page} == {one.channel for one in many}


async def test_days_can_be_told_apart_and_cut_out(metrics: Metrics) -> None:
    chance = Random(11)
    one = delivery(chance, 1, channel="site")
    day = datetime(2026, 9, 5, 12, tzinfo=UTC)
    await metrics.tell(one)
    for number in range(40):
        await metrics.tell(click(chance, one, occurred_at=day + timedelta(days=number)))

    async def sums(query: str) -> list[int]:
        return sorted(row["value"] for row in await metrics.reach(query))

    # Counters are written table by table: each question is asked until its own table is up to date.
    for query, expected in {
        "by=channel": [40],
        "by=day": [1] * 40,
        "by=channel&from=2026-09-10&to=2026-10-03": [24],
        "by=day,channel&from=2026-10-01T00:00:00Z&to=2026-10-02T23:59:59%2B00:00": [1, 1],
        "from=2026-09-01&to=2026-12-31": [40],
        "to=2026-09-05": [1],
        "from=2027-01-01": [],
    }.items():

        async def there(query: str = query, expected: list[int] = expected) -> bool:
            return await sums(query) == expected

        await until(there, f"{query} giving {expected}")


async def test_a_sample_that_cannot_be_counted_is_put_aside_and_the_rest_counted(metrics: Metrics) -> None:
    chance = Random(12)
    one = delivery(chance, 1)
    good = [sample(chance, one, metric="views", kind="cumulative") for _ in range(5)]
    bad = sample(chance, one, kind="period", day=None)
    link = metrics.service.runtime.link
    dead = await link.subscribe(f"dead.metrics.{REACH_SAMPLED.subject}")
    await metrics.tell(one, *good[:3])
    await metrics.tell(bad)
    metrics.told.remove(bad)
    await metrics.service.runtime.publisher.publish(
        REACH_SAMPLED.subject, b"\xff not json", stream=REACH_SAMPLED.stream, message_id=str(uuid4())
    )
    await metrics.tell(*good[3:])

    await metrics.until_counted("channel")
    buried = [await dead.next_msg(timeout=SECONDS) for _ in range(2)]
    assert {(message.headers or {})["Dead-Consumer"] for message in buried} == {"metrics-reach-sampled-v1"}


TOPICS_HEARD = (DELIVERY_CHANGED, PERSON_REGISTERED, REACH_CLICKED, SUBMISSION_RECEIVED, SUBMISSION_WITHDRAWN)


@pytest.mark.parametrize("topic", TOPICS_HEARD, ids=lambda topic: topic.subject)
async def test_nonsense_on_any_subject_is_put_aside(metrics: Metrics, topic: Topic[Any]) -> None:
    dead = await metrics.service.runtime.link.subscribe(f"dead.metrics.{topic.subject}")

    await publish_signed(metrics.service.runtime.publisher, topic, b"[]", metrics.key)

    assert (await dead.next_msg(timeout=SECONDS)).data == b"[]"
