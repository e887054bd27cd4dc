"""The audit finds every change that was made behind the service's back."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.moderation.audit import checkpoints
from services.moderation.audit.checkpoints import checkpoint_hash
from services.moderation.audit.head import Head, seal_of
from services.moderation.audit.mark import UnsignedMark
from services.moderation.audit.verify import verify
from services.moderation.cases import audit_trail as chain
from services.moderation.cases.rules import Decision
from services.moderation.screening.rules import assess
from shared.events import SubmissionReceived
from shared.identity.statements import sealed
from shared.identity.tokens import key_id
from shared.storage.document import Document
from tests.support.builders.moderation_stores import KEY, Stage, reader
from tests.support.builders.submissions import NOW, POLICY, sensitive, submission

KEYS = {key_id(KEY.public_key()): KEY.public_key()}
SIGNED = UnsignedMark()
"""Of a home that has signed from its first day on."""


async def verdict(stage: Stage, *, mark: UnsignedMark | None = SIGNED, against: Head | None = None) -> str:
    seals = stage.database["seals"].find({}).sort("_id", 1)
    cases = stage.cases.collection.find({})
    return str(await verify(cases, seals, keys=KEYS, mark=mark, against=against))


async def head(stage: Stage) -> Head:
    """The head as an outsider keeps it."""
    last = await stage.checkpoints.last()
    assert last is not None
    return Head.parse(json.dumps(Head.of(last).document()))


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
        (1, {"$unset": {"signature": ""}}),
        (2, {"$set": {"signature": {}}}),
        (2, {"$set": {"signature.value": "x"}}),
        (2, {"$set": {"signature.kid": "other"}}),
        (2, {"$set": {"signature": "x"}}),
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
        {
            "audit": document["audit"],
            "decisions": [{"signature": each["signature"]} for each in document["decisions"]],
        }
        if name == "cases"
        else {k: document[k] for k in document if k != "_id"}
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


async def rewritten(stage: Stage, key: Ed25519PrivateKey | None) -> None:
    """The work of somebody who owns the database: a decision is another, and everything after it follows from that.

    With `key`, the checkpoints and decisions are signed anew with it.
    """
    cases, seals = stage.cases.collection, stage.database["seals"]
    hashes: dict[tuple[str, int], str] = {}
    for case in await cases.find({}).to_list(None):
        prev, decisions = chain.START, {each["decision_id"]: each for each in case["decisions"]}
        for entry in case["audit"]:
            if entry["action"] == "approved":
                entry["actor"] = "framed"
            entry["prev"] = prev
            prev = entry["hash"] = chain.hash_of(entry)
            hashes[case["_id"], entry["seq"]] = prev
            record = decisions.get(entry["details"].get("decision_id"))
            if record is not None:
                record["by"] = "framed"
                if key is not None:
                    record["signature"] = sealed(chain.DECIDED, chain.statement_of(entry), key).document()
        await cases.replace_one({"_id": case["_id"]}, case)
    prev = chain.START
    for seal in await seals.find({}).sort("_id", 1).to_list(None):
        for each in seal["heads"]:
            each["hash"] = hashes[each["case"], each["seq"]]
        seal["prev"] = prev
        prev = seal["hash"] = checkpoint_hash(seal)
        if key is not None:
            seal["signature"] = seal_of(seal["_id"], seal["at"], prev, key).document()
        await seals.replace_one({"_id": seal["_id"]}, seal)


async def test_trails_and_checkpoints_that_were_written_anew_together_need_the_key(stage: Stage) -> None:
    await lived(stage)

    await rewritten(stage, None)
    assert await verdict(stage) == "BAD: seal 2: its signature does not fit"

    await rewritten(stage, Ed25519PrivateKey.generate())
    assert "no key" in await verdict(stage)


async def test_what_was_written_anew_with_the_key_itself_does_not_fit_an_exported_head(stage: Stage) -> None:
    await lived(stage)
    kept = await head(stage)
    await stage.open(submission())
    await stage.checkpoints.drain()
    assert (await verdict(stage, against=kept)).endswith(f"exported head 2 of {kept.at} is in the chain")

    await rewritten(stage, KEY)

    assert (await verdict(stage)).startswith("OK: ")
    assert await verdict(stage, against=kept) == "BAD: seal 2: it is not the one that was exported"


async def test_the_end_of_the_chain_cut_off_is_missed_by_who_kept_a_head(stage: Stage) -> None:
    case_id = await lived(stage)
    kept = await head(stage)
    await stage.database["seals"].delete_one({"_id": 2})
    await stage.cases.collection.update_one({"_id": case_id}, {"$pop": {"audit": 1}})

    assert await verdict(stage, against=kept) == "BAD: seal 2: it was exported and is gone"


def other_number(found: Document) -> None:
    found["number"] = 1


def other_hash(found: Document) -> None:
    found["hash"] = "0" * 64


def other_time(found: Document) -> None:
    found["at"] = "2020-01-01T00:00:00.000Z"


@pytest.mark.parametrize("change", [other_number, other_hash, other_time])
async def test_a_head_that_was_changed_is_no_witness(
    stage: Stage, change: Callable[[Document], None]
) -> None:
    await lived(stage)
    document = (await head(stage)).document()
    change(document)

    assert "the exported head" in await verdict(stage, against=Head.parse(json.dumps(document)))


async def test_a_decision_that_the_key_did_not_sign_is_found_before_any_checkpoint(stage: Stage) -> None:
    await stage.open(submission())
    claim = await stage.claims.next(reader())
    assert claim is not None
    decided = await stage.decide(claim.lease.token, Decision("approve"), reader())

    await rewritten(stage, None)

    assert await verdict(stage) == (
        f"BAD: case {decided.case.id}, entry 2: the decision was not made here: its signature does not fit"
    )
    await stage.cases.collection.update_one({}, {"$set": {"decisions.0.signature": None}})
    assert "it has no signature" in await verdict(stage)


@pytest.mark.parametrize("order", ["swapped", "doubled", "moved to another case"])
async def test_entries_in_another_order_or_elsewhere_are_found(stage: Stage, order: str) -> None:
    case_id = await lived(stage)
    cases = stage.cases.collection
    document = await cases.find_one({"_id": case_id})
    assert document is not None
    audit = document["audit"]
    if order == "swapped":
        audit[1], audit[2] = audit[2], audit[1]
    elif order == "doubled":
        audit.append(audit[-1])
    else:
        await cases.update_one({"_id": {"$ne": case_id}}, {"$push": {"audit": audit.pop()}})

    await cases.update_one({"_id": case_id}, {"$set": {"audit": audit}})

    assert (await verdict(stage)).startswith("BAD: case ")


async def without_signatures(stage: Stage) -> None:
    """As an older version would have left it."""
    await stage.database["seals"].update_many({}, {"$unset": {"signature": ""}})
    for case in await stage.cases.collection.find({}).to_list(None):
        for record in case["decisions"]:
            record.pop("signature", None)
        await stage.cases.collection.replace_one({"_id": case["_id"]}, case)


async def test_what_is_older_than_signatures_is_accepted_up_to_a_mark_and_no_further(
    stage: Stage, tmp_path: Path
) -> None:
    await lived(stage)
    await stage.open(sensitive(subject_id="late"))
    await without_signatures(stage)
    fresh = await Stage.on(stage.database)
    path = tmp_path / "keys" / "audit.json"

    await fresh.checkpoints.begin(path)
    await fresh.open(submission())
    await fresh.checkpoints.drain()
    mark = UnsignedMark.read(path)

    assert mark is not None
    assert mark.until == 3
    assert (
        await verdict(fresh, mark=mark) == "OK: 4 cases, 7 entries, 4 seals, 3 of them older than signatures"
    )
    assert (await verdict(fresh, mark=None)).endswith("3 of them older than signatures")
    await (await Stage.on(stage.database)).checkpoints.begin(path)
    assert UnsignedMark.read(path) == mark

    await fresh.database["seals"].update_one({"_id": 4}, {"$unset": {"signature": ""}})
    assert await verdict(fresh, mark=mark) == "BAD: seal 4: it is not signed"
    await fresh.database["seals"].delete_one({"_id": 4})
    assert "no seal is signed" in await verdict(fresh, mark=None)
    await rewritten(fresh, None)
    await without_signatures(fresh)
    assert await verdict(fresh, mark=mark) == "BAD: seal 3: it is not the one after which signing began"


async def test_a_mark_that_is_lost_is_made_again_from_the_first_signed_checkpoint(
    stage: Stage, tmp_path: Path
) -> None:
    await lived(stage)
    await without_signatures(stage)
    fresh = await Stage.on(stage.database)
    await fresh.checkpoints.begin(tmp_path / "first.json")
    await fresh.open(submission())
    await fresh.checkpoints.drain()

    await (await Stage.on(stage.database)).checkpoints.begin(tmp_path / "again.json")

    assert UnsignedMark.read(tmp_path / "again.json") == UnsignedMark.read(tmp_path / "first.json")
