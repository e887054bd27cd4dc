"""The bus on the real broker: each measured trap of the stock settings is closed."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr

from shared import failures as settle
from shared.bus.consuming import Publisher, connection, consume
from shared.bus.outbox import embedded, entry
from shared.bus.streams import consumer_of
from shared.events import STAFF_CHANGED, SUBMISSION_WITHDRAWN, Scopes, StaffChanged, SubmissionWithdrawn
from shared.failures import Unavailable, Unprocessable
from shared.identity.tokens import OwnKeys
from shared.runtime.service import Parts, Runtime
from shared.settings import Settings
from tests.support.processes import Server, start_mongo, start_nats, within
from tests.support.running import Running, provisioned, running, settings_for
from tests.support.signed import publish_signed

KEY = Ed25519PrivateKey.generate()
WITHDRAWN = SUBMISSION_WITHDRAWN
DURABLE = consumer_of("moderation", WITHDRAWN).durable


def withdrawn(subject_id: str = "s1") -> SubmissionWithdrawn:
    return SubmissionWithdrawn(
        event_id=uuid4(), occurred_at=datetime.now(UTC), subject_id=subject_id, version=1
    )


@pytest.fixture
def nats(tmp_path: Path) -> Any:
    server = start_nats(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def mongo(tmp_path: Path) -> Any:
    server = start_mongo(tmp_path)
    yield server
    server.stop()


@pytest.fixture
async def settings(tmp_path: Path, nats: Server, mongo_url: str) -> Settings:
    made = settings_for(tmp_path / "home", nats_url=nats.url, mongo_url=mongo_url)
    await provisioned(made)
    return made


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backoff in hundredths of a second, so that eight failures fit into a test."""
    monkeypatch.setattr(settle, "SHORTEST_DELAY", 0.01)
    monkeypatch.setattr("shared.bus.consuming.settle", lambda m, r, f, _j: settle.settle(m, r, f, 0.0))
    monkeypatch.setattr(settle, "backoff", lambda _a, _j, **_k: 0.02)


def moderation(
    settings: Settings, assemble: Callable[[Runtime], Parts]
) -> AbstractAsyncContextManager[Running]:
    return running("moderation", settings, assemble, keys=OwnKeys(KEY.public_key()))


def service(handle: Callable[[SubmissionWithdrawn], Awaitable[None]]) -> Callable[[Runtime], Parts]:
    """A service with one handler and one outbox, wired as the real ones are."""

    def assemble(runtime: Runtime) -> Parts:
        async def taken(event: SubmissionWithdrawn) -> None:
            await handle(event)

        consume(runtime.broker, WITHDRAWN, service="moderation")(taken)
        return Parts(outboxes=[runtime.database["things"]], key=KEY)

    return assemble


async def eventually(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    async with within(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


async def publish(one: Running, body: bytes, message_id: str | None = None) -> int:
    return await publish_signed(one.runtime.publisher, WITHDRAWN, body, KEY, message_id)


async def dead(one: Running) -> list[dict[str, str]]:
    """The headers of everything that was dead-lettered, with the raw bytes under `body`."""
    stream = one.runtime.link.jetstream()
    info = await stream.stream_info("DEAD")
    found = []
    for sequence in range(1, info.state.last_seq + 1):
        message = await stream.get_msg("DEAD", sequence)
        found.append({**(message.headers or {}), "body": (message.data or b"").decode("utf-8", "replace")})
    return found


async def pending(one: Running) -> tuple[int, int]:
    info = await one.runtime.link.jetstream().consumer_info(WITHDRAWN.stream, DURABLE)
    return info.num_pending or 0, info.num_ack_pending or 0


async def settled(one: Running) -> bool:
    return await pending(one) == (0, 0)


async def test_a_transient_failure_is_tried_again_and_then_succeeds(settings: Settings, hasty: None) -> None:
    seen: list[UUID] = []

    async def handle(event: SubmissionWithdrawn) -> None:
        seen.append(event.event_id)
        if len(seen) < 4:
            raise RuntimeError("a passing fault")

    async with moderation(settings, service(handle)) as one:
        event = withdrawn()
        await publish(one, event.model_dump_json().encode())
        await eventually(lambda: settled(one))

        assert seen == [event.event_id] * 4
        assert await dead(one) == []


async def test_a_message_that_always_fails_is_buried_with_its_bytes_after_eight_failures(
    settings: Settings, hasty: None
) -> None:
    calls = 0

    async def handle(_event: SubmissionWithdrawn) -> None:
        nonlocal calls
        calls += 1
        raise RuntimeError("it never works")

    async with moderation(settings, service(handle)) as one:
        body = withdrawn().model_dump_json()
        await publish(one, body.encode())
        await eventually(lambda: settled(one))
        [grave] = await dead(one)

        assert calls == 8
        assert grave["body"] == body
        assert "it never works" in grave["Dead-Reason"]
        assert grave["Dead-Consumer"] == DURABLE


@pytest.mark.parametrize(
    "body",
    [b"{not json", b"\xff\xfe\x00", b"[]", b"{}", b'{"event_id": "x"}', b""],
    ids=["no json", "no utf-8", "a list", "no fields", "wrong fields", "empty"],
)
async def test_a_malformed_message_is_buried_at_once_and_the_next_one_is_handled(
    settings: Settings, body: bytes
) -> None:
    seen: list[UUID] = []

    async def handle(event: SubmissionWithdrawn) -> None:
        seen.append(event.event_id)

    async with moderation(settings, service(handle)) as one:
        await publish(one, body)
        good = withdrawn()
        await publish(one, good.model_dump_json().encode())
        await eventually(lambda: settled(one))

        assert seen == [good.event_id]
        assert len(await dead(one)) == 1


async def test_an_unprocessable_message_is_buried_without_a_second_try(settings: Settings) -> None:
    calls = 0

    async def handle(_event: SubmissionWithdrawn) -> None:
        nonlocal calls
        calls += 1
        raise Unprocessable("signed by nobody we know")

    async with moderation(settings, service(handle)) as one:
        await publish(one, withdrawn().model_dump_json().encode())
        await eventually(lambda: settled(one))
        [grave] = await dead(one)

        assert calls == 1
        assert "signed by nobody we know" in grave["Dead-Reason"]


async def test_while_the_store_is_away_nothing_is_buried_and_nothing_spins(
    settings: Settings, mongo: Server, hasty: None
) -> None:
    """The store is a server of this test's own, killed and started again."""
    settings = settings.model_copy(update={"mongo": SecretStr(mongo.url)})
    calls = 0
    stored: list[str] = []

    def assemble(runtime: Runtime) -> Parts:
        async def handle(event: SubmissionWithdrawn) -> None:
            nonlocal calls
            calls += 1
            await runtime.database["effects"].update_one(
                {"_id": str(event.event_id)}, {"$set": {"done": True}}, upsert=True
            )
            stored.append(str(event.event_id))

        consume(runtime.broker, WITHDRAWN, service="moderation")(handle)
        return Parts()

    async with moderation(settings, assemble) as one:
        mongo.kill()
        for number in range(30):
            await publish(one, withdrawn(f"s{number}").model_dump_json().encode())
        await eventually(lambda: _true("database" in one.runtime.health.away))
        await eventually(lambda: _true(calls >= 1 and bool(one.runtime.health.away)))
        before = calls
        mongo.start()
        await eventually(lambda: settled(one))

        assert len(set(stored)) == 30
        assert await dead(one) == []
        assert before <= 20, "the consumer fetched on although its store was away"


async def _true(value: bool) -> bool:
    return value


async def test_a_publish_names_its_stream_and_a_missing_stream_is_an_error(settings: Settings) -> None:
    link = await connection(settings, name="test")
    publisher = Publisher(link)

    with pytest.raises(Unavailable):
        await publisher.publish("nobody.listens.v1", b"{}", stream="SUBMISSIONS", message_id="m1")
    with pytest.raises(Unavailable, match=r"SUBMISSIONS|expected stream"):
        await publisher.publish(STAFF_CHANGED.subject, b"{}", stream="SUBMISSIONS", message_id="m2")
    await link.close()


async def test_publishing_while_the_broker_is_away_fails_fast_and_the_outbox_sends_it_once_later(
    settings: Settings, nats: Server
) -> None:
    seen: list[UUID] = []

    async def handle(event: SubmissionWithdrawn) -> None:
        seen.append(event.event_id)

    async with moderation(settings, service(handle)) as one:
        nats.kill()
        await eventually(lambda: _true("broker" in one.runtime.health.away))
        events = [withdrawn(f"s{n}") for n in range(5)]
        things = one.runtime.database["things"]
        for event in events:
            await things.insert_one({"_id": event.subject_id, **embedded(entry(WITHDRAWN, event))})
            one.runtime.nudge(things, event.subject_id)
        nats.start()
        await eventually(lambda: _true(len(seen) >= 5))
        await eventually(lambda: settled(one))

        async def empty() -> bool:
            return await things.count_documents({"outbox_since": {"$exists": True}}) == 0

        await eventually(empty)

        assert sorted(seen) == sorted(event.event_id for event in events)
        assert [d["outbox"] async for d in things.find({})] == [[]] * 5


async def test_the_loop_keeps_turning_and_consuming_resumes_after_a_broker_outage(
    settings: Settings, nats: Server
) -> None:
    seen: list[UUID] = []

    async def handle(event: SubmissionWithdrawn) -> None:
        seen.append(event.event_id)

    async with moderation(settings, service(handle)) as one:
        nats.kill()
        await eventually(lambda: _true("broker" in one.runtime.health.away))
        assert (await one.http.get("/livez")).status_code == 200
        assert (await one.http.get("/readyz")).status_code == 503
        nats.start()
        await eventually(lambda: _true(one.runtime.health.ready))
        event = withdrawn()
        await publish(one, event.model_dump_json().encode())
        await eventually(lambda: _true(event.event_id in seen), seconds=15)

        assert (await one.http.get("/readyz")).status_code == 200


async def test_starting_a_service_changes_nothing_on_the_broker(settings: Settings) -> None:
    link = await connection(settings, name="test")

    async def snapshot() -> dict[str, Any]:
        names = json.loads((await link.request("$JS.API.STREAM.NAMES", b"")).data)["streams"]
        found = {}
        for name in names:
            found[name] = json.loads((await link.request(f"$JS.API.STREAM.INFO.{name}", b"")).data)["config"]
            listed = json.loads((await link.request(f"$JS.API.CONSUMER.LIST.{name}", b"")).data)
            found |= {f"{name}/{c['name']}": c["config"] for c in listed["consumers"]}
        return found

    before = await snapshot()

    async def handle(_event: SubmissionWithdrawn) -> None:
        return

    async with moderation(settings, service(handle)):
        after = await snapshot()

    assert before == after
    await link.close()


async def test_an_event_that_comes_again_after_the_duplicate_window_reaches_the_handler_again(
    settings: Settings,
) -> None:
    """The broker's window is no guarantee: the store's inbox has to hold, as here with the epochs."""
    person = StaffChanged(
        event_id=uuid4(),
        occurred_at=datetime.now(UTC),
        subject_id="p1",
        version=3,
        role="moderator",
        scopes=Scopes(),
        token_epoch=2,
    )
    older = person.model_copy(update={"version": 2, "token_epoch": 1, "event_id": uuid4()})

    async with moderation(settings, lambda _runtime: Parts()) as one:
        for number, event in enumerate([person, older, person]):
            await publish_signed(one.runtime.publisher, STAFF_CHANGED, event, KEY, f"again-{number}")

        async def applied() -> bool:
            info = await one.runtime.link.jetstream().consumer_info(
                STAFF_CHANGED.stream, consumer_of("moderation", STAFF_CHANGED).durable
            )
            return (info.num_pending, info.num_ack_pending) == (0, 0)

        await eventually(applied)
        found = await one.runtime.database["epochs"].find_one({"_id": "p1"})

        assert found is not None
        assert (found["epoch"], found["version"]) == (2, 3)


async def test_the_same_message_id_within_the_window_is_stored_once(settings: Settings) -> None:
    link = await connection(settings, name="test")
    publisher = Publisher(link)
    body = withdrawn().model_dump_json().encode()

    first = await publisher.publish(WITHDRAWN.subject, body, stream=WITHDRAWN.stream, message_id="same")
    second = await publisher.publish(WITHDRAWN.subject, body, stream=WITHDRAWN.stream, message_id="same")

    assert first == second
    await link.close()
