"""What an attack tried, on a real broker with the users of every deployment: each may do its own work and nothing else."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeout

from deploy.cli.dead import DeadLetters
from deploy.cli.stack import CommandError
from deploy.nats import users
from shared.bus.consuming import Publisher, connection
from shared.bus.rights import OPERATOR, PROVISIONER, SERVICES, USERS, inbox_of
from shared.bus.streams import CONSUMERS, DEAD_STREAM, PRODUCERS, SETTLED, STREAMS, Consumer, drift, provision
from shared.events import SUBMISSION_RECEIVED, TOPICS
from tests.support.guarded import GuardedBroker, Link, linked, start_guarded
from tests.support.processes import within

BYTES = 1 << 24
RECEIVED = next(
    each for each in CONSUMERS if (each.service, each.topic) == ("moderation", SUBMISSION_RECEIVED)
)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedBroker]:
    made = start_guarded(tmp_path_factory.mktemp("guarded"))

    async def provisioned() -> None:
        link = await connection(made.settings(PROVISIONER), name="test", user=PROVISIONER)
        await provision(link, replicas=1, max_bytes=BYTES)
        await link.close()

    try:
        asyncio.run(provisioned())
        yield made
    finally:
        made.server.stop()


def place(consumer: Consumer) -> str:
    return f"{consumer.topic.stream}.{consumer.durable}"


async def a_submission_comes(broker: GuardedBroker, message_id: str) -> None:
    link = await connection(broker.settings("ingest"), name="test", user="ingest")
    topic = SUBMISSION_RECEIVED
    await Publisher(link).publish(topic.subject, b"{}", stream=topic.stream, message_id=message_id)
    await link.close()


@pytest.mark.parametrize("user", SERVICES)
async def test_each_service_finds_the_bus_as_it_expects_it(broker: GuardedBroker, user: str) -> None:
    async with linked(broker.settings(user), user) as link:
        assert await drift(link.client, replicas=1, max_bytes=BYTES, service=user) == []
        assert link.refused == []


@pytest.mark.parametrize("user", SERVICES)
async def test_each_service_publishes_its_own_subjects_and_nobody_elses(
    broker: GuardedBroker, user: str
) -> None:
    async with linked(broker.settings(user), user) as link:
        publisher = Publisher(link.client)
        for topic in PRODUCERS[user]:
            await publisher.publish(
                topic.subject, b"{}", stream=topic.stream, message_id=f"{user} {topic.subject}"
            )
        others = [topic.subject for topic in TOPICS if topic not in PRODUCERS[user]]
        for subject in others:
            await link.publish(subject)

        assert [await link.is_refused(subject) for subject in others] == [True] * len(others)


@pytest.mark.parametrize("user", [*SERVICES, OPERATOR, PROVISIONER])
async def test_nobody_pulls_from_anothers_consumer(broker: GuardedBroker, user: str) -> None:
    others = [f"$JS.API.CONSUMER.MSG.NEXT.{place(each)}" for each in CONSUMERS if each.service != user]
    async with linked(broker.settings(user), user) as link:
        for subject in others:
            await link.publish(subject, b'{"batch": 1, "no_wait": true}', link.client.new_inbox())

        assert [await link.is_refused(subject) for subject in others] == [True] * len(others)


async def test_nobody_acknowledges_what_another_was_handed(broker: GuardedBroker) -> None:
    await a_submission_comes(broker, "acknowledged by whom")
    async with (
        linked(broker.settings("moderation"), "moderation") as owner,
        linked(broker.settings("publisher"), "publisher") as other,
    ):
        subscription = await owner.client.jetstream().pull_subscribe_bind(
            RECEIVED.durable, RECEIVED.topic.stream
        )
        (raw,) = await subscription.fetch(1, timeout=5)

        for word in (b"+ACK", b"+TERM", b"-NAK", b"+WPI"):
            await other.publish(raw.reply, word)

        assert await other.is_refused(raw.reply)
        assert (await subscription.consumer_info()).num_ack_pending == 1
        await raw.ack_sync()
        assert (await subscription.consumer_info()).num_ack_pending == 0


@pytest.mark.parametrize("user", USERS)
async def test_nobody_hears_what_is_not_for_them(broker: GuardedBroker, user: str) -> None:
    ears = [f"{inbox_of(other)}.>" for other in USERS if other != user]
    ears += [">", "_INBOX.>", "*.>", *(topic.subject for topic in TOPICS)]
    async with linked(broker.settings(user), user) as link:
        for subject in ears:
            await link.client.subscribe(subject)

        assert [await link.is_refused(subject) for subject in ears] == [True] * len(ears)


@pytest.mark.parametrize("user", SERVICES)
async def test_nobody_forges_anothers_dead_letter_or_settles_one(broker: GuardedBroker, user: str) -> None:
    theirs = [f"dead.{each.service}.{each.topic.subject}" for each in CONSUMERS if each.service != user]
    theirs += [SETTLED, "dead.submissions.received.v1"]
    async with linked(broker.settings(user), user) as link:
        for subject in theirs:
            await link.publish(subject)

        assert [await link.is_refused(subject) for subject in theirs] == [True] * len(theirs)


@pytest.mark.parametrize("user", [*SERVICES, OPERATOR])
async def test_nobody_but_the_provisioner_changes_a_stream_or_a_consumer(
    broker: GuardedBroker, user: str
) -> None:
    calls = [f"STREAM.{what}.{name}" for what in ("CREATE", "UPDATE", "DELETE", "PURGE") for name in STREAMS]
    calls += [f"STREAM.MSG.{what}.SUBMISSIONS" for what in ("GET", "DELETE")]
    calls += [f"CONSUMER.{what}.{place(each)}" for what in ("DELETE", "PAUSE") for each in CONSUMERS]
    calls += [f"CONSUMER.CREATE.{place(each)}.{each.topic.subject}" for each in CONSUMERS]
    calls += ["DIRECT.GET.SUBMISSIONS", "STREAM.SNAPSHOT.PEOPLE", "CONSUMER.CREATE.PEOPLE"]
    subjects = [f"$JS.API.{call}" for call in calls]
    async with linked(broker.settings(user), user) as link:
        for subject in subjects:
            await link.publish(subject, b"{}", link.client.new_inbox())

        assert [await link.is_refused(subject) for subject in subjects] == [True] * len(subjects)


async def test_the_provisioner_touches_no_message(broker: GuardedBroker) -> None:
    wanted = [topic.subject for topic in TOPICS] + [
        "$JS.API.STREAM.MSG.GET.PEOPLE",
        "$JS.API.STREAM.PURGE.PEOPLE",
        "$JS.API.STREAM.DELETE.PEOPLE",
    ]
    async with linked(broker.settings(PROVISIONER), PROVISIONER) as link:
        for subject in wanted:
            await link.publish(subject, b"{}", link.client.new_inbox())

        assert [await link.is_refused(subject) for subject in wanted] == [True] * len(wanted)


async def put_aside(link: Link, says: dict[str, str], *, lies_at: str) -> int:
    headers = {
        "Dead-Stream": SUBMISSION_RECEIVED.stream,
        "Dead-Subject": SUBMISSION_RECEIVED.subject,
        "Dead-Consumer": RECEIVED.durable,
        "Dead-Reason": "not JSON",
        **says,
    }
    return await Publisher(link.client).publish(
        lies_at, b"{}", stream=DEAD_STREAM, message_id=json.dumps([lies_at, says]), headers=headers
    )


async def test_the_operator_deals_with_what_a_service_has_put_aside(broker: GuardedBroker) -> None:
    async with (
        linked(broker.settings("moderation"), "moderation") as service,
        linked(broker.settings(OPERATOR), OPERATOR) as operator,
    ):
        letters = DeadLetters(operator.client)
        await a_submission_comes(broker, "put aside")
        subscription = await service.client.jetstream().pull_subscribe_bind(
            RECEIVED.durable, RECEIVED.topic.stream
        )
        (raw,) = await subscription.fetch(1, timeout=5)
        await Publisher(service.client).dead_letter(raw, consumer=RECEIVED.durable, reason="not JSON")
        await raw.ack_sync()

        (one,) = await letters.open_messages()
        await letters.replay(one.sequence)

        (again,) = await subscription.fetch(1, timeout=5)
        await again.ack_sync()
        assert await letters.open_messages() == []
        info = await operator.client.jetstream().consumer_info(RECEIVED.topic.stream, RECEIVED.durable)
        assert info.num_ack_pending == 0
        assert (service.refused, operator.refused) == ([], [])


@pytest.mark.parametrize(
    "says",
    [
        {"Dead-Subject": "moderation.recalled.v1", "Dead-Stream": "MODERATION"},
        {"Dead-Consumer": "publisher-moderation-recalled-v1", "Dead-Subject": "moderation.recalled.v1"},
        {"Dead-Consumer": "nobody"},
        {"Dead-Subject": "people.staff_changed.v1"},
    ],
)
async def test_a_dead_letter_that_is_not_what_it_says_is_never_sent_again(
    broker: GuardedBroker, says: dict[str, str]
) -> None:
    async with (
        linked(broker.settings("metrics"), "metrics") as service,
        linked(broker.settings(OPERATOR), OPERATOR) as operator,
    ):
        letters = DeadLetters(operator.client)
        number = await put_aside(service, says, lies_at=f"dead.metrics.{SUBMISSION_RECEIVED.subject}")

        with pytest.raises(CommandError, match="not what it says"):
            await letters.replay(number)

        await letters.discard(number)
        assert await letters.open_messages() == []


@pytest.mark.parametrize("credentials", ["none", "a password", "a key of their own making"])
async def test_nobody_comes_in_without_a_key_that_the_broker_knows(
    broker: GuardedBroker, tmp_path: Path, credentials: str
) -> None:
    own = start_options(credentials, tmp_path)

    async def quietly(_error: Exception) -> None:
        """The refusal comes on the connection, too."""

    link = Client()
    with pytest.raises((NatsError, NatsTimeout)):
        async with within(10):
            await link.connect(broker.server.url, allow_reconnect=False, error_cb=quietly, **own)
    assert not link.is_connected


def start_options(credentials: str, folder: Path) -> dict[str, Any]:

    if credentials == "a password":
        return {"user": "ingest", "password": "ingest"}
    if credentials == "none":
        return {}
    users.public_keys(folder)
    return {"nkeys_seed": str(users.seed_file(folder, "provision"))}
