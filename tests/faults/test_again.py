"""Every event comes three times, shuffled, after the broker's duplicate window; and every subject brings nonsense."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import nats
import pytest
from nats.js import JetStreamContext

from shared.bus.streams import CONSUMERS
from shared.events import TOPICS
from tests.demo.items import ITEMS
from tests.support.people import Line, Staff, Volunteer, campaign, eventually
from tests.support.processes import Server, start_nats
from tests.support.stack import Stack, stack

SEED: Final = 67
SUBMISSIONS: Final = 6
NONSENSE: Final = (b"{not json", b"\xff\xfe", b"[]", b'{"event_id": "x"}')


async def sent(line: Line, built: Stack) -> list[tuple[Volunteer, str]]:
    """Some submissions, approved and posted everywhere; one withdrawn."""
    author = await Volunteer.register(line, name="Ayna", country="AZ", languages=["az"])
    moderator = Staff(line, await asyncio.to_thread(built.staff, "moderator", "Leyla"))
    made = []
    for item in ITEMS[:SUBMISSIONS]:
        answer = await author.submit(
            {
                "title": item.title,
                "body": item.body,
                "language": item.language,
                "country": "AZ",
                "hashtags": list(item.hashtags),
                "media": [],
                "attribution": {"mode": "anonymous"},
                "consent": {"terms_version": "2020-09", "people_shown": "none", "rights": "own"},
                "ai": {"made": False, "edited": False},
            }
        )
        made.append((author, answer["submission_id"]))
    decided: set[str] = set()

    async def all_decided() -> bool:
        held = await moderator.claim()
        if held is not None and await moderator.decide(held["claim_token"]):
            decided.add(held["submission"]["submission_id"])
        return len(decided) == SUBMISSIONS

    await eventually(all_decided, seconds=60, what="everything decided")
    for _, submission_id in made:

        async def posted(submission_id: str = submission_id) -> bool:
            ledger = await author.ledger(submission_id)
            return [d["state"] for d in ledger["deliveries"]] == ["posted"] * 3

        await eventually(posted, seconds=60, what="posted everywhere")
    await author.withdraw(made[0][1])

    async def gone() -> bool:
        return {d["state"] for d in (await author.ledger(made[0][1]))["deliveries"]} == {"removed"}

    await eventually(gone, seconds=60, what="the withdrawn one removed")
    return made


Message = tuple[str, bytes, str, dict[str, str]]


async def messages(stream: JetStreamContext) -> AsyncIterator[Message]:
    """Every message of every stream of the contract: stream, body, subject, and the headers that are ours."""
    for name in sorted({topic.stream for topic in TOPICS}):
        info = await stream.stream_info(name)
        for sequence in range(max(info.state.first_seq, 1), info.state.last_seq + 1):
            message = await stream.get_msg(name, sequence)
            headers = {k: v for k, v in (message.headers or {}).items() if not k.startswith("Nats-")}
            yield name, message.data or b"", message.subject or "", headers


async def settled(stream: JetStreamContext) -> bool:
    """Whether no consumer has anything left."""
    for consumer in CONSUMERS:
        info = await stream.consumer_info(consumer.topic.stream, consumer.durable)
        if info.num_pending or info.num_ack_pending:
            return False
    return True


async def picture(line: Line, built: Stack, made: list[tuple[Volunteer, str]]) -> dict[str, Any]:
    """Everything that can be seen from outside, without times."""
    ledgers = [await author.ledger(submission_id) for author, submission_id in made]
    totals = await campaign(line)
    return {
        "ledgers": [
            (
                one["state"],
                one["revision"],
                sorted((d["channel"], d["state"], d.get("url")) for d in one["deliveries"]),
            )
            for one in ledgers
        ],
        "telegram": sorted((post["text"], tuple(post["message_ids"])) for post in built.timeline()),
        "partner": sorted(hook["delivery_id"] for hook in built.received()),
        "totals": {name: figure and figure["value"] for name, figure in totals.items()},
    }


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Server]:
    """A broker that asks nobody who they are: here everything is sent again as everybody."""
    (tmp_path / "bus").mkdir()
    server = start_nats(tmp_path / "bus")
    yield server
    server.stop()


@pytest.mark.timeout(300)
async def test_nothing_changes_when_every_event_comes_three_times_and_every_subject_brings_nonsense(
    tmp_path: Path, bus: Server
) -> None:
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    with stack(tmp_path / "stack", environment={"NATS_URL": bus.url}) as built:
        line = Line(built.url)
        made = await sent(line, built)
        link = await nats.connect(bus.url)
        stream = link.jetstream()
        await eventually(lambda: settled(stream), seconds=30, what="the consumers at rest")
        before = await picture(line, built, made)

        again = [entry async for entry in messages(stream)] * 2
        again += [(topic.stream, dice.choice(NONSENSE), topic.subject, {}) for topic in TOPICS]
        dice.shuffle(again)
        for number, (name, body, subject, headers) in enumerate(again):
            marked = {**headers, "Nats-Msg-Id": f"again-{number}"}
            await stream.publish(subject, body, stream=name, headers=marked)
        await eventually(lambda: settled(stream), seconds=90, what="the consumers at rest again")

        buried = await stream.stream_info("DEAD")
        assert buried.state.messages == len(CONSUMERS), "one grave for each consumer that met nonsense"
        assert await picture(line, built, made) == before
        assert await asyncio.to_thread(built.command, "dead", "list")
        await link.close()
        await line.close()
