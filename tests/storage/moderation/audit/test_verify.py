"""The audit finds every change that was made behind the service's back."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.moderation.audit import checkpoints
from services.moderation.audit.verify import verify
from services.moderation.cases.rules import Decision
from services.moderation.screening.rules import assess
from shared.events import SubmissionReceived
from shared.storage.document import Document
from tests.support.builders.moderation_stores import Stage, reader
from tests.support.builders.submissions import NOW, POLICY, sensitive, submission


async def verdict(stage: Stage) -> str:
    seals = stage.database["seals"].find({}).sort("_id", 1)
    return str(await verify(stage.cases.collection.find({}), seals))


async def lived(stage: Stage) -> str:
    """Two cases with a past, sealed twice; the id of one of them."""
    await stage.open(sensitive(), submission(language="ru"))
    await stage.checkpoints.drain()
    decided = ""
    for person in ("one", "two"):
        claim = await stage.claims.next(reader(person, languages=frozenset({"az"})))
        assert claim is not None
        decision = Decision("approve", note="Yaxşıdır")
        await stage.decide(claim.lease.token, decision, reader(person))
        decided = claim.case.id
    await stage.cases.recall(decided, actor="two", reason="səhv", now=NOW)
    await stage.checkpoints.drain()
    return decided


async def test_what_nobody_touched_is_in_order(stage: Stage) -> None:
    await lived(stage)

    assert await verdict(stage) == "OK: 2 cases, 5 entries, 2 seals"
    assert await stage.checkpoints.drain() == 0


async def test_two_sealers_make_one_chain(stage: Stage) -> None:
    other = await Stage.on(stage.database)
    for sealer in (stage, other, stage, other):
        await stage.open(submission())
        await sealer.checkpoints.drain()

    assert await verdict(stage) == "OK: 4 cases, 4 entries, 4 seals"


CHANGES: list[tuple[str, Document, str]] = [
    ("a reason", {"$set": {"audit.1.details.state": "rejected"}}, "entry 2"),
    ("an actor", {"$set": {"audit.1.actor": "somebody"}}, "entry 2"),
    ("a time", {"$set": {"audit.0.at": "2026-01-01T00:00:00.000Z"}}, "entry 1"),
    ("the newest entry", {"$pop": {"audit": 1}}, "entry"),
    ("the oldest entry", {"$pop": {"audit": -1}}, "entry 1"),
    ("all entries", {"$set": {"audit": []}}, "no trail"),
    ("the content", {"$set": {"content.body": "Başqa"}}, "content is not what was decided on"),
    ("the channels", {"$set": {"plan.channels": ["tg"]}}, "content is not what was decided on"),
    ("a picture", {"$set": {"content.media": [{"sha256": "x"}]}}, "fields are not what was written"),
    ("a note", {"$set": {"decisions.0.note": "Pis"}}, "decision 1"),
    ("who decided", {"$set": {"decisions.1.by": "one"}}, "decision 2"),
    ("a decision", {"$pop": {"decisions": 1}}, "is gone"),
]


async def test_marks_that_an_older_version_made_are_found(stage: Stage) -> None:
    await stage.open(submission(), submission())
    await stage.cases.collection.update_many({}, {"$set": {"unsealed": True}})

    assert await stage.checkpoints.drain() == 2
    assert await stage.checkpoints.drain() == 0


@pytest.mark.parametrize("count", [1, 3, 70])
async def test_no_more_trails_are_in_a_checkpoint_than_may_be(
    stage: Stage, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "TOGETHER", 8)
    await stage.open_all(*(submission() for _ in range(count)))

    assert await stage.checkpoints.drain() == count
    made = await stage.database["seals"].find({}).to_list(None)
    assert [len(each["heads"]) for each in made] == [8] * (count // 8) + [count % 8] * (count % 8 > 0)


STEPS = st.lists(
    st.sampled_from(["open", "decide", "revise late", "drain", "drain and write"]), min_size=3, max_size=10
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, together=st.integers(1, 4))
async def test_whatever_is_written_meanwhile_or_late_comes_under_a_checkpoint(
    stage: Stage, steps: list[str], together: int
) -> None:
    for name in ("cases", "lanes", "country_lanes", "seals"):
        await stage.database[name].delete_many({})
    fresh, other = await Stage.on(stage.database), await Stage.on(stage.database)
    opened: list[SubmissionReceived] = []

    async def write(what: str) -> None:
        if what == "decide" and (claim := await other.claims.next(reader())) is not None:
            await other.decide(claim.lease.token, Decision("approve"), reader())
        elif what == "revise late" and opened:
            # Written by a process whose clock is an hour behind, and after everybody else.
            event = opened[0]
            late = event.model_copy(update={"event_id": uuid4(), "revision": event.revision + 1})
            opened[0] = late
            before = (await other.clock.now()) - timedelta(hours=1)
            await other.cases.open(late, assess(late, POLICY), now=before)
        else:
            opened.append(submission())
            await other.open(opened[-1])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "TOGETHER", together)
        for step in steps:
            if step == "drain":
                await fresh.checkpoints.drain()
            elif step == "drain and write":
                await asyncio.gather(fresh.checkpoints.drain(), write("decide"), write("open"))
            else:
                await write(step)
        await fresh.checkpoints.drain()

    made = await stage.database["seals"].find({}).to_list(None)
    heads = {head["hash"] for each in made for head in each["heads"]}
    cases = await stage.cases.collection.find({}).to_list(None)
    assert {each["audit"][-1]["hash"] for each in cases} <= heads
    assert not [each for each in cases if "unsealed" in each]
    assert (await verdict(stage)).startswith("OK: ")


@pytest.mark.parametrize(
    ("change", "where"), [(c, w) for _, c, w in CHANGES], ids=[name for name, _, _ in CHANGES]
)
async def test_a_change_in_a_case_is_named(stage: Stage, change: Document, where: str) -> None:
    case_id = await lived(stage)
    await stage.cases.collection.update_one({"_id": case_id}, change)

    found = await verdict(stage)

    assert found.startswith(f"BAD: case {case_id}")
    assert where in found


async def test_a_case_that_is_gone_is_missed(stage: Stage) -> None:
    case_id = await lived(stage)
    await stage.cases.collection.delete_one({"_id": case_id})

    assert await verdict(stage) == f"BAD: case {case_id}: it was sealed and is gone"


async def test_a_trail_that_was_written_anew_whole_does_not_fit_its_seal(stage: Stage) -> None:
    case_id = await lived(stage)
    other = await Stage.on(stage.database)
    await stage.cases.collection.delete_one({"_id": case_id})
    await other.open(sensitive(subject_id=case_id))

    assert "not what was sealed" in await verdict(stage)


@pytest.mark.parametrize(
    ("number", "change"),
    [
        (1, {"$set": {"at": "2020-01-01T00:00:00.000Z"}}),
        (1, {"$set": {"heads": []}}),
        (2, {"$set": {"heads.0.seq": 1}}),
        (2, {"$set": {"prev": "0" * 64}}),
        (2, {"$set": {"more": 1}}),
    ],
)
async def test_a_change_in_a_seal_is_named(stage: Stage, number: int, change: Document) -> None:
    await lived(stage)
    await stage.database["seals"].update_one({"_id": number}, change)

    assert (await verdict(stage)).startswith(f"BAD: seal {number}:")


async def test_a_seal_that_is_gone_is_missed(stage: Stage) -> None:
    await lived(stage)
    await stage.database["seals"].delete_one({"_id": 1})

    assert (await verdict(stage)).startswith("BAD: seal 1:")


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where a document holds text."""
    if isinstance(value, str):
        return [path] if value else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, inner in items for found in places(inner, (*path, key))]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_a_change_of_any_character_of_any_entry_or_seal_is_found(
    stage: Stage, data: st.DataObject
) -> None:
    if not await stage.checkpoints.last():
        await lived(stage)
    name = data.draw(st.sampled_from(["cases", "seals"]))
    collection = stage.database[name]
    documents = await collection.find({}).sort("_id", 1).to_list(None)
    document = documents[data.draw(st.integers(0, len(documents) - 1))]
    root: Any = (
        {"audit": document["audit"]} if name == "cases" else {k: document[k] for k in document if k != "_id"}
    )
    spots = places(root)
    path = spots[data.draw(st.integers(0, len(spots) - 1))]
    value = root
    for key in path:
        value = value[key]
    place = data.draw(st.integers(0, len(value) - 1))
    other = "x" if value[place] != "x" else "y"
    field = ".".join(map(str, path))

    await collection.update_one(
        {"_id": document["_id"]}, {"$set": {field: value[:place] + other + value[place + 1 :]}}
    )
    found = await verdict(stage)
    await collection.update_one({"_id": document["_id"]}, {"$set": {field: value}})

    assert found.startswith("BAD: ")
    assert (await verdict(stage)).startswith("OK: ")
