"""P4: events counted exactly once against merely fetching them. P6: totals and breakdowns over many events."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from nats.aio.client import Client as Link
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from pydantic import SecretStr

from services.metrics.app import READERS
from services.metrics.census.store import Census
from services.metrics.counting import handlers
from services.metrics.counting.garbage import collect_rarely
from services.metrics.counting.model import (
    CountedClick,
    CountedDelivery,
    CountedSample,
    Dims,
    code_of,
    delivery_of,
    milliseconds,
)
from services.metrics.counting.service import Counts
from services.metrics.reports.breakdown import BY, Breakdowns, ReachQuestion
from services.metrics.reports.campaign import figures_of
from shared.bus.consuming import Batch, Failures, Publisher, Settler, connection, consume_batches
from shared.bus.streams import BATCH, consumer_of, provision
from shared.events import REACH_CLICKED, REACH_SAMPLED, Event, Topic
from shared.observability.health import Health
from shared.settings import Settings
from shared.storage.mongo import Client, connect
from tests.bench.report import Finding, at_least, at_most, percentile, rate
from tests.support.builders.reach_events import START, click, delivery, sample
from tests.support.processes import start_mongo, start_nats

Handle = Callable[[Batch], Awaitable[None]]

ROUNDS = 2
"""What is compared is measured in turn, so that the machine's other work disturbs all alike."""
COUNTED = 60_000
UPSERTED = 1_000
DELIVERIES = 600
LARGE = 1_000_000
LARGE_DELIVERIES = 3_000
DAYS = 60
PORTION = 5_000
CHANNELS = ("site", "tg", "youtube", "facebook", "instagram", "x")
LANGUAGES = ("az", "tr", "en", "ru", "de", "fr", "es", "ro", "ka", "uk")
COUNTRIES = tuple(f"{one}{two}" for one in "ABCDEFG" for two in "ABCDEFGHIJ")[:67]
HASHTAGS = tuple(f"tag{number}" for number in range(30))


@dataclass(frozen=True)
class Bed:
    """A broker and a database, and the connections to them."""

    settings: Settings
    link: Link
    client: Client
    pids: tuple[int, ...]


@asynccontextmanager
async def bench_bed() -> AsyncIterator[Bed]:
    """A broker and a database of this run's own."""
    with TemporaryDirectory(prefix="konullu-bench-") as folder:
        for name in ("nats", "mongo"):
            (Path(folder) / name).mkdir()
        nats, mongo = start_nats(Path(folder) / "nats"), start_mongo(Path(folder) / "mongo")
        settings = Settings(nats=nats.url, mongo=SecretStr(mongo.url))
        link, client = (
            await connection(settings, name="bench"),
            connect(settings.mongo_url, timeout_ms=120_000),
        )
        pids = tuple(server.process.pid for server in (nats, mongo) if server.process is not None)
        try:
            await provision(link, replicas=1, max_bytes=settings.stream_max_bytes)
            yield Bed(settings, link, client, pids)
        finally:
            await client.close()
            await link.close()
            nats.stop()
            mongo.stop()


async def publish(link: Link, topic: Topic[Any], events: list[Event]) -> None:
    """Put events into their stream, many at a time."""
    publisher = Publisher(link)
    for start in range(0, len(events), 500):
        await asyncio.gather(
            *(
                publisher.publish(
                    topic.subject,
                    event.model_dump_json().encode(),
                    stream=topic.stream,
                    message_id=str(event.event_id),
                )
                for event in events[start : start + 500]
            )
        )


async def fetched(link: Link, topic: Topic[Any], count: int) -> float:
    """Seconds to fetch and acknowledge so many messages, and nothing else."""
    stream = link.jetstream()
    info = await stream.stream_info(topic.stream)
    config = ConsumerConfig(
        durable_name="bench-bare",
        ack_policy=AckPolicy.EXPLICIT,
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=info.state.last_seq - count + 1,
        filter_subject=topic.subject,
        max_ack_pending=4 * BATCH,
    )
    await stream.add_consumer(topic.stream, config)
    subscription = await stream.pull_subscribe_bind(durable="bench-bare", stream=topic.stream)
    began, found = perf_counter(), 0
    while found < count:
        messages = await subscription.fetch(BATCH, timeout=5)
        for message in messages:
            await message.ack()
        found += len(messages)
    await link.flush()
    seconds = perf_counter() - began
    await subscription.unsubscribe()
    await stream.delete_consumer(topic.stream, "bench-bare")
    return seconds


async def counted(
    settings: Settings, counts: Counts, client: Client, topic: Topic[Any], handle: Handle
) -> float:
    """Seconds until everything is counted, acknowledged and visible in the totals, in one process."""
    durable = consumer_of("metrics", topic).durable
    # A connection of its own: what it asked for and did not get goes back to the consumer with it.
    link = await connection(settings, name="bench-counted")
    failures = Failures(client["bench"]["failures"])
    settler = Settler(publisher=Publisher(link), failures=failures, health=Health({}))

    async def left() -> bool:
        info = await link.jetstream().consumer_info(topic.stream, durable)
        behind = (await counts.head())["folded"] < counts.accounts.number
        return bool(info.num_pending or info.num_ack_pending or behind)

    began = perf_counter()
    work = [
        asyncio.create_task(counts.run()),
        *(
            asyncio.create_task(consume_batches(link, settler, topic, handle, service="metrics"))
            for _ in range(READERS[topic])
        ),
    ]
    while await left():
        await asyncio.sleep(0.1)
    seconds = perf_counter() - began
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    await link.close()
    return seconds


async def upserted(client: Client, events: list[Event]) -> float:
    """Seconds to count events the plain way: one upsert for each."""
    collection = client["bench"]["upserts"]
    began = perf_counter()
    for event in events:
        await collection.update_one({"_id": str(event.event_id)}, {"$inc": {"count": 1}}, upsert=True)
    return perf_counter() - began


async def p4() -> AsyncIterator[Finding]:
    """Clicks, then samples: counted once, against fetched only, against one upsert each."""
    collect_rarely()
    chance = Random(4)
    deliveries = [delivery(chance, number) for number in range(DELIVERIES)]
    kinds: tuple[tuple[Topic[Any], Any, Callable[[], Event], float], ...] = (
        (REACH_CLICKED, handlers.count_clicks, lambda: click(chance, chance.choice(deliveries)), 0.8),
        (
            REACH_SAMPLED,
            handlers.count_samples,
            lambda: sample(chance, chance.choice(deliveries), kind="cumulative"),
            0.7,
        ),
    )
    async with bench_bed() as bed:
        settings, link, client = bed.settings, bed.link, bed.client
        counts = Counts(client["metrics"])
        await counts.prepare()
        await counts.know([delivery_of(one) for one in deliveries])
        await counts.drain()
        for topic, handler, make, least in kinds:
            kind = topic.subject.split(".")[1]
            bare = seconds = plain = 0.0
            for _ in range(ROUNDS):
                events = [make() for _ in range(COUNTED)]
                await publish(link, topic, events)
                bare += await fetched(link, topic, COUNTED)
                seconds += await counted(settings, counts, client, topic, partial(handler, counts=counts))
                plain += await upserted(client, events[:UPSERTED]) * COUNTED / UPSERTED
            total = ROUNDS * COUNTED
            yield rate("P4", f"{kind}: fetched and acknowledged by nats-py", total, bare)
            yield rate("P4", f"{kind}: counted exactly once, up to the totals", total, seconds)
            yield rate("P4", f"{kind}: one upsert per event", total, plain)
            yield at_least("P4", f"{kind}: counted against fetched", bare / seconds, least)
            yield at_least("P4", f"{kind}: counted against one upsert per event", plain / seconds, 30)


def large_delivery(chance: Random, number: int) -> CountedDelivery:
    """One of many deliveries of a campaign in many countries and languages."""
    delivery_id = f"delivery-{number}"
    dims = Dims(
        chance.choice(CHANNELS),
        chance.choice(LANGUAGES),
        chance.choice(COUNTRIES),
        chance.choice(("youth", "press", "")),
        tuple(chance.sample(HASHTAGS, 2)),
    )
    return CountedDelivery(code_of(delivery_id), delivery_id, f"submission-{number // 4}", dims)


def large_event(chance: Random, of: CountedDelivery, day: int) -> CountedClick | CountedSample:
    """Three clicks in five events; the rest are what channels say."""
    at = milliseconds(START) + day * 86_400_000 + chance.randrange(3_600_000)
    if chance.random() < 0.6:
        return CountedClick(chance.getrandbits(128), at, of.code)
    metric, source = chance.choice(("views", "reactions", "reached")), f"{of.dims.channel}:report"
    value = chance.randrange(100_000)
    return CountedSample(
        chance.getrandbits(128), at, of.code, metric, "cumulative", "", "", value, at, source
    )


async def p6() -> AsyncIterator[Finding]:
    """The campaign's totals and every two-way breakdown, after a million events."""
    collect_rarely()
    chance = Random(6)
    async with bench_bed() as bed:
        database = bed.client["metrics"]
        counts, census = Counts(database), Census(database)
        await census.prepare()
        await counts.prepare()
        deliveries = [large_delivery(chance, number) for number in range(LARGE_DELIVERIES)]
        await counts.know(deliveries)
        began = perf_counter()
        for portion in range(LARGE // PORTION):
            day = portion * DAYS * PORTION // LARGE
            events = [large_event(chance, chance.choice(deliveries), day) for _ in range(PORTION)]
            await counts.count([event for event in events if isinstance(event, CountedClick)])
            await counts.count([event for event in events if isinstance(event, CountedSample)])
            if portion % 4 == 0:
                await counts.drain()
        await counts.drain()
        yield rate("P6", f"{LARGE:,} events laid in", LARGE, perf_counter() - began)
        beside = await median_ms(bed.client.ping)
        slowest = partial(slowest_of, beside=beside)
        yield await slowest("the campaign's totals", [lambda: figures_of(census, counts)])
        ask = Breakdowns(counts)
        pairs = [ReachQuestion(pair) for pair in combinations(BY, 2)]
        month = [
            ReachQuestion(pair, "2026-12-01", "2026-12-31")
            for pair in combinations(BY, 2)
            if "day" not in pair
        ]
        yield await slowest("any two-way breakdown", [partial(ask.answer, one) for one in pairs])
        yield await slowest("any two-way breakdown of a month", [partial(ask.answer, one) for one in month])


async def slowest_of(
    what: str, questions: Sequence[Callable[[], Awaitable[object]]], *, beside: float
) -> Finding:
    """The slowest of some questions, each asked several times: the median of its times."""
    times = [await median_ms(ask) for ask in questions]
    return at_most(
        "P6",
        f"{what}, the slowest of {len(times)}",
        max(times),
        60,
        baseline=beside,
        baseline_is="a ping of the database",
    )


async def median_ms(ask: Callable[[], Awaitable[object]]) -> float:
    """The median of five calls, in milliseconds."""
    took = []
    for _ in range(5):
        began = perf_counter()
        await ask()
        took.append((perf_counter() - began) * 1000)
    return percentile(took, 0.5)
