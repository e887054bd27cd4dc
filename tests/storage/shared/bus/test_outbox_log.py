"""The log on the real database, on both drivers: what is stored is published, whatever fails, and nothing else is."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID, uuid5

import pytest
from pymongo.errors import NetworkTimeout

from shared.bus import outbox, outbox_log
from shared.bus.outbox_log import FIELD, LogPace, OutboxLog, sequence_of
from shared.events import SUBMISSION_WITHDRAWN, SubmissionWithdrawn
from shared.failures import Failure, Unavailable, attempt
from shared.storage.document import Document
from shared.storage.mongo import Collection, Database
from tests.support.processes import within

NAMESPACE = UUID("00000000-0000-0000-0000-0000000000b0")
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUICK = LogPace(checkpoint=0.01, renewal=0.02, stale=0.02, lease=0.05, scans=(0.1, 0.2))
NEVER = LogPace(lease=3600.0)


def events_of(document: Document) -> list[Document]:
    event = SubmissionWithdrawn(
        event_id=uuid5(NAMESPACE, f"{document['_id']} {document['body']}"),
        occurred_at=AT,
        subject_id=str(document["_id"]),
        version=1,
    )
    return [outbox.entry(SUBMISSION_WITHDRAWN, event)]


@dataclass
class Broker:
    """Keeps what it is given, once per id; takes nothing while away, and never what it is told to refuse."""

    stored: list[str] = field(default_factory=list)
    away: bool = False
    refused: set[str] = field(default_factory=set)

    async def publish(self, entry: Document) -> None:
        await asyncio.sleep(0)
        if self.away or entry["event_id"] in self.refused:
            raise Unavailable("The broker")
        self.stored.append(entry["event_id"])


class Faulty:
    """A collection whose inserts go wrong once each as they are told: before they arrive, or after."""

    def __init__(self, real: Collection, *faults: str) -> None:
        self._real, self.faults = real, list(faults)
        self.late: list[list[Document]] = []
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def insert_many(self, documents: Sequence[Document], ordered: bool = True) -> Any:
        self.calls.append("insert")
        fault = self.faults.pop(0) if self.faults else ""
        if fault in {"lost", "late"}:
            if fault == "late":
                self.late.append([dict(document) for document in documents])
            raise NetworkTimeout("the request may not have arrived")
        if fault == "twice":
            await attempt(self._real.insert_many([dict(each) for each in documents], ordered=ordered))
        answer = await self._real.insert_many(documents, ordered=ordered)
        if fault == "unheard":
            raise NetworkTimeout("the answer was lost")
        return answer


@dataclass
class Place:
    """The two collections, the broker, and the logs of processes that use them."""

    database: Database
    broker: Broker = field(default_factory=Broker)

    @property
    def things(self) -> Collection:
        return self.database["things"]

    def log(self, *faults: str, pace: LogPace = NEVER) -> OutboxLog:
        return OutboxLog(
            Faulty(self.things, *faults),
            self.database["checkpoints"],
            events_of=events_of,
            publish=self.broker.publish,
            pace=pace,
        )

    async def owed(self) -> list[str]:
        """The ids of the events of everything stored."""
        return sorted(events_of(each)[0]["event_id"] for each in await self.things.find({}).to_list(None))

    async def checkpoint(self, log: OutboxLog) -> Document:
        found = await self.database["checkpoints"].find_one({"_id": log.writer})
        assert found is not None
        return found


@pytest.fixture
async def place(database: Database) -> Place:
    made = Place(database)
    await made.log().prepare()
    return made


def documents(*names: object, body: str = "first") -> list[Document]:
    return [{"_id": name, "body": body} for name in names]


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with within(30):
        while not await condition():
            await asyncio.sleep(0.01)


async def published(log: OutboxLog) -> None:
    """What is in memory has gone out, or has failed."""
    while log._publishing:
        await asyncio.wait(log._publishing)


async def test_what_is_inserted_is_published_from_memory_and_its_documents_are_not_written_again(
    place: Place,
) -> None:
    log = place.log()
    assert await log.insert(documents(1, 2, 3)) == [True] * 3
    await published(log)
    stored = await place.things.find({}).to_list(None)

    assert sorted(place.broker.stored) == await place.owed()
    assert [each[FIELD] for each in stored] == [sequence_of(log.writer, 1, index) for index in range(3)]
    assert await place.checkpoint(log) == await place.checkpoint(log) | {"confirmed": 0}
    await log.checkpoint()
    assert (await place.checkpoint(log))["confirmed"] == 1


async def test_a_document_that_is_there_already_is_told_and_its_own_event_is_published_never_the_new_ones(
    place: Place,
) -> None:
    one, other = place.log(), place.log()
    place.broker.away = True
    await one.insert(documents(1))
    await published(one)
    place.broker.away = False

    assert await other.insert(documents(1, 2, body="second")) == [False, True]
    await published(other)
    assert sorted(place.broker.stored) == await place.owed()
    assert (await place.things.find_one({"_id": 1}) or {})["body"] == "first"


async def test_what_is_known_to_be_published_is_not_published_again_for_a_duplicate(place: Place) -> None:
    log = place.log()
    await log.insert(documents(1))
    await published(log)
    await log.insert(documents(1, body="second"))
    await published(log)

    assert place.broker.stored == await place.owed()


async def test_of_two_documents_with_one_id_in_one_batch_one_is_stored_and_the_other_told(
    place: Place,
) -> None:
    for fault in ("", "twice"):
        log, other = place.log(fault), place.log()
        batch = [*documents(f"a{fault}", body="first"), *documents(f"a{fault}", body="second")]
        assert await log.insert(batch) == [True, False]
        assert await other.insert(documents(f"a{fault}", body="third")) == [False]
        await published(log)
        await published(other)

    assert sorted(set(place.broker.stored)) == await place.owed()


async def test_an_insert_that_was_tried_twice_on_its_way_is_known_as_ours(place: Place) -> None:
    log = place.log("twice")

    assert await log.insert(documents(1, 2)) == [True, True]
    await published(log)
    assert sorted(place.broker.stored) == await place.owed()


@pytest.mark.parametrize("fault", ["lost", "unheard"])
async def test_an_insert_of_unknown_outcome_holds_the_checkpoint_back_until_it_is_known_to_be_stored(
    place: Place, fault: str
) -> None:
    log = place.log("", fault)
    await log.insert(documents(1))
    answers = await log.insert(documents(2, 3))
    await log.insert(documents(4))
    await published(log)
    await log.checkpoint()

    assert all(isinstance(each, NetworkTimeout) for each in answers)
    assert (await place.checkpoint(log))["confirmed"] == 1
    await log.catch_up()
    await log.checkpoint()
    assert (await place.checkpoint(log))["confirmed"] == 3
    assert await place.things.count_documents({}) == 4
    assert sorted(place.broker.stored) == await place.owed()


async def test_an_insert_that_arrives_after_all_finds_its_documents_there(place: Place) -> None:
    log = place.log("late")
    await log.insert(documents(1, 2))
    await log.catch_up()
    [late] = log.collection.late  # type: ignore[attr-defined]  # see `Faulty`

    assert isinstance(await attempt(place.things.insert_many(late, ordered=False)), Failure)
    assert sorted(place.broker.stored) == await place.owed()


async def test_a_document_that_cannot_be_written_refuses_no_other_and_holds_nothing_back(
    place: Place,
) -> None:
    log = place.log()
    answers = await log.insert([*documents(1), {"_id": 2, "body": 2**70}, *documents(3)])
    await published(log)
    await log.checkpoint()

    assert [answers[0], answers[2]] == [True, True]
    assert isinstance(answers[1], Failure | OverflowError)
    assert (await place.checkpoint(log))["confirmed"] == 1
    assert sorted(place.broker.stored) == await place.owed()


async def test_what_the_broker_did_not_take_is_read_back_and_one_that_it_never_takes_holds_up_no_other(
    place: Place,
) -> None:
    log = place.log()
    place.broker.away = True
    for number in range(4):
        await log.insert(documents(f"a{number}", f"b{number}"))
    await published(log)
    place.broker.away = False
    place.broker.refused = {events_of(documents("a0")[0])[0]["event_id"]}

    for _ in range(4):
        await log.catch_up()
    await log.checkpoint()
    assert sorted({*place.broker.stored, *place.broker.refused}) == await place.owed()
    assert (await place.checkpoint(log))["confirmed"] == 0
    place.broker.refused.clear()
    await log.catch_up()
    await log.checkpoint()
    assert sorted(place.broker.stored) == await place.owed()
    assert (await place.checkpoint(log))["confirmed"] == 4


async def test_only_so_much_waits_in_memory(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_log, "MOST_IN_MEMORY", 3)
    log = place.log()
    for number in range(0, 10, 2):
        await log.insert(documents(number, number + 1))
    await published(log)

    await log.catch_up()
    assert sorted(place.broker.stored) == await place.owed()


async def test_what_a_process_left_behind_is_adopted_once_its_lease_has_run_out(place: Place) -> None:
    place.broker.away = True
    dead = place.log(pace=QUICK)
    for number in range(3):
        await dead.insert(documents(number))
    await published(dead)
    place.broker.away = False
    living = place.log(pace=QUICK)

    async def found() -> bool:
        await living.adopt()
        return sorted(place.broker.stored) == await place.owed()

    await until(found)


async def test_a_living_process_is_not_adopted(place: Place) -> None:
    place.broker.away = True
    slow = place.log()
    await slow.insert(documents(1))
    await published(slow)
    place.broker.away = False

    await place.log().adopt()
    assert place.broker.stored == []


async def test_what_landed_after_the_adoption_is_found_by_a_later_look_and_the_rest_is_not_published_again(
    place: Place,
) -> None:
    """The process stood still just before its insert, was adopted, went on, and was killed after it."""
    place.broker.away = True
    paused = place.log("", "late", pace=QUICK)
    await paused.insert(documents(1))
    await paused.insert(documents(2))
    await published(paused)
    place.broker.away = False
    living = place.log(pace=QUICK)

    async def scanned() -> bool:
        await living.adopt()
        return bool((await place.checkpoint(paused))["scans"])

    await until(scanned)
    first = list(place.broker.stored)
    [late] = paused.collection.late  # type: ignore[attr-defined]  # see `Faulty`
    await place.things.insert_many(late)

    async def forgotten() -> bool:
        await living.adopt()
        return await place.database["checkpoints"].find_one({"_id": paused.writer}) is None

    await until(forgotten)
    assert len(first) == 1
    assert sorted(place.broker.stored) == await place.owed()


async def test_a_process_that_stood_still_renews_its_lease_before_it_inserts(place: Place) -> None:
    log = place.log(pace=LogPace(stale=0.0))
    order: list[str] = []

    class Noted(Faulty):
        async def update_one(self, *arguments: Any, **options: Any) -> Any:
            order.append("checkpoint")
            return await self._real.update_one(*arguments, **options)

        async def insert_many(self, documents: Sequence[Document], ordered: bool = True) -> Any:
            order.append("insert")
            return await self._real.insert_many(documents, ordered=ordered)

    log.collection = Noted(log.collection)
    log._checkpoints = Noted(log._checkpoints)
    await log.insert(documents(1))
    await log.insert(documents(2))

    assert order == ["checkpoint", "insert"] * 2


async def test_a_process_that_ends_in_order_leaves_no_checkpoint(place: Place) -> None:
    log = place.log()
    await log.insert(documents(1))
    await log.close()

    assert sorted(place.broker.stored) == await place.owed()
    assert await place.database["checkpoints"].count_documents({}) == 0


async def test_a_process_that_ends_with_something_behind_leaves_it_to_others(place: Place) -> None:
    log = place.log(pace=QUICK)
    place.broker.away = True
    await log.insert(documents(1))
    await log.close()
    place.broker.away = False

    async def found() -> bool:
        await place.log().adopt()
        return place.broker.stored == await place.owed()

    await until(found)


async def test_while_it_runs_the_checkpoint_follows(place: Place) -> None:
    log = place.log("", "lost", "unheard", pace=QUICK)
    running = asyncio.create_task(log.run())
    place.broker.away = True
    for number in range(5):
        await log.insert(documents(number))
    place.broker.away = False

    async def confirmed() -> bool:
        return bool((await place.checkpoint(log))["confirmed"] == 5)

    await until(confirmed)
    assert sorted(set(place.broker.stored)) == await place.owed()
    running.cancel()


@dataclass
class Chaos:
    """Processes insert, fail, stand still, die and adopt one another; keys come again with other bodies."""

    place: Place
    dice: Random
    living: list[OutboxLog] = field(default_factory=list)
    late: list[list[Document]] = field(default_factory=list)
    told: set[object] = field(default_factory=set)
    """What callers believe to be stored."""

    def born(self) -> OutboxLog:
        faults = ["", "", "", "lost", "late", "unheard", "twice"]
        log = self.place.log(*self.dice.choices(faults, k=6), pace=QUICK)
        self.late = log.collection.late = self.late  # type: ignore[attr-defined]  # see `Faulty`
        self.living.append(log)
        return log

    async def insert(self, one: OutboxLog) -> None:
        names = self.dice.sample(range(60), k=self.dice.randint(1, 4))
        fates = await one.insert(documents(*names, body=f"{self.dice.random()}"))
        self.told |= {name for name, fate in zip(names, fates, strict=True) if isinstance(fate, bool)}

    async def die(self, one: OutboxLog) -> None:
        for task in list(one._publishing):
            task.cancel()
        self.living.remove(one)
        self.born()

    async def arrive(self, _one: OutboxLog) -> None:
        """What was on its way gets there, if that is not later than anybody looks for it."""
        while self.late:
            batch = self.late.pop()
            writer = batch[0][FIELD].partition(":")[0]
            if await self.place.database["checkpoints"].find_one({"_id": writer}):
                await attempt(self.place.things.insert_many(batch, ordered=False))

    async def step(self) -> None:
        self.place.broker.away = self.dice.random() < 0.3
        calls = [OutboxLog.catch_up, OutboxLog.checkpoint, OutboxLog.adopt, self.die, self.arrive]
        await self.dice.choice([self.insert, self.insert, self.insert, *calls])(self.dice.choice(self.living))

    async def rest(self) -> bool:
        """Whether nothing is to be looked for any more."""
        for each in self.living:
            await published(each)
            await each.catch_up()
            await each.close()
        await self.place.log(pace=QUICK).adopt()
        return await self.place.database["checkpoints"].count_documents({}) == 0


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_happens_in_whatever_order_exactly_what_is_stored_is_published(
    place: Place, seed: int
) -> None:
    chaos = Chaos(place, Random(seed))
    for _ in range(3):
        chaos.born()
    for _ in range(40):
        await chaos.step()
    place.broker.away = False
    await until(chaos.rest)

    assert sorted(set(place.broker.stored)) == await place.owed()
    assert chaos.told <= {each["_id"] for each in await place.things.find({}).to_list(None)}
