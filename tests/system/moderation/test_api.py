"""Moderators' way through moderation, over HTTP, on the real servers."""

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from services.moderation.app import assemble
from services.moderation.audit.mark import FILE as MARK_FILE
from services.moderation.audit.mark import UnsignedMark
from services.moderation.audit.verify import verify as verify_audit
from services.moderation.settings import KEY_FILE, ModerationSettings
from shared.bus.consuming import connection
from shared.events import (
    MODERATION_DECIDED,
    SUBMISSION_WITHDRAWN,
    Media,
    ModerationDecided,
    Role,
    SubmissionWithdrawn,
)
from shared.http.cursors import closed
from shared.identity.signing import verify
from shared.identity.tokens import OwnKeys, key_id, public_keys, signing_key
from shared.storage.media import CLEAN, MediaStore
from tests.support.builders.submissions import sensitive, submission
from tests.support.moderators import Person, submitted, tell, until
from tests.support.processes import Server, start_nats
from tests.support.running import Running, provisioned, running, settings_for

PHOTO = b"\xff\xd8 not really a photo, but bytes enough to ask for a part of"
SHA = hashlib.sha256(PHOTO).hexdigest()
SHOWN = Media(sha256=SHA, type="image/jpeg", bytes=len(PHOTO), width=10, height=10, alt="Nar")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A broker on which nobody else submits."""
    server = start_nats(tmp_path_factory.mktemp("nats"))
    yield server
    server.stop()


@pytest.fixture
async def moderation(tmp_path: Path, broker: Server, mongo_url: str) -> AsyncIterator[Running]:
    settings = ModerationSettings.of(
        settings_for(tmp_path / "home", nats_url=broker.url, mongo_url=mongo_url)
    ).model_copy(update={"seal_seconds": 0.5})
    await provisioned(settings)
    key = signing_key(settings.keys / "tokens.pem")
    async with running("moderation", settings, assemble, keys=OwnKeys(key.public_key())) as service:
        yield service


async def audit_fault(moderation: Running) -> str | None:
    database, settings = moderation.runtime.database, moderation.runtime.settings
    key = signing_key(settings.keys / KEY_FILE).public_key()
    found = await verify_audit(
        database["cases"].find({}),
        database["seals"].find({}).sort("_id", 1),
        keys={key_id(key): key},
        mark=UnsignedMark.read(settings.keys / MARK_FILE),
    )
    return found.fault


async def test_from_submission_to_a_signed_decision(moderation: Running) -> None:
    event = submission(media=(SHOWN,))
    await submitted(moderation, event)
    leyla = Person(moderation, "leyla")

    queue = (await leyla.ask("GET", "/v1/queue")).json()
    assert [(each["submission_id"], each["risk"], each["held"]) for each in queue["items"]] == [
        (event.subject_id, "low", None)
    ]
    claim = await leyla.claim()
    assert claim["submission"]["body"] == event.body
    assert claim["submission"]["media"][0]["url"] == f"/v1/media/{SHA}"
    mine = (await leyla.ask("GET", "/v1/claims")).json()
    assert [each["claim_token"] for each in mine["items"]] == [claim["claim_token"]]
    held = (await leyla.ask("GET", "/v1/queue")).json()["items"][0]["held"]
    assert held["mine"] is True
    renewed = (await leyla.ask("PUT", f"/v1/claims/{claim['claim_token']}")).json()
    assert renewed["lease_expires_at"] >= claim["lease_expires_at"]

    decided = await leyla.decide(claim, "approve", channels=["site"], edits={"alts": {SHA: "Nar bağı"}})

    assert decided["state"] == "approved"
    assert (
        await leyla.decide(claim, "approve", channels=["site"], edits={"alts": {SHA: "Nar bağı"}}) == decided
    )
    told = await decision_on_the_bus(moderation, event.subject_id)
    verify(told, public_keys((await moderation.http.get("/.well-known/jwks.json")).json()))
    assert told.snapshot is not None
    assert (str(told.decision_id), told.snapshot.media[0].alt) == (decided["decision_id"], "Nar bağı")
    assert (await leyla.ask("GET", "/v1/queue")).json()["items"] == []
    assert (await leyla.ask("GET", "/v1/claims")).json()["items"] == []


async def decision_on_the_bus(service: Running, case_id: str) -> ModerationDecided:
    link = await connection(service.runtime.settings, name="test")
    try:
        subscription = await link.jetstream().subscribe(MODERATION_DECIDED.subject, ordered_consumer=True)
        while True:
            event = MODERATION_DECIDED.parse((await subscription.next_msg(timeout=10)).data)
            if event.subject_id == case_id:
                return event
    finally:
        await link.close()


async def test_what_comes_too_late_is_refused_with_what_to_do(moderation: Running) -> None:
    event = submission()
    await submitted(moderation, event)
    one, two = Person(moderation, "one"), Person(moderation, "two")
    claim = await one.claim()

    held = await two.refused("POST", "/v1/claims", 409, "held", json={"submission_id": event.subject_id})
    assert held["until"] == claim["lease_expires_at"]
    await two.ask("POST", "/v1/claims", 204)
    stolen = {"claim_token": claim["claim_token"], "verdict": "approve"}
    await two.refused("POST", "/v1/decisions", 409, "lease_lost", json=stolen)
    await one.ask("DELETE", f"/v1/claims/{claim['claim_token']}", 204)
    await one.refused("PUT", f"/v1/claims/{claim['claim_token']}", 409, "lease_lost")
    await one.refused("POST", "/v1/decisions", 409, "lease_lost", json=stolen)
    second = await two.claim()
    await two.decide(second, "reject", reasons=["off_topic"], note="Mövzuya aid deyil")
    again = {"claim_token": second["claim_token"], "verdict": "approve"}
    await two.refused("POST", "/v1/decisions", 409, "already_decided", json=again)
    await one.refused("POST", "/v1/decisions", 409, "already_decided", json=stolen)
    await one.refused("POST", "/v1/claims", 409, "not_claimable", json={"submission_id": event.subject_id})
    await one.refused(
        "POST", f"/v1/cases/{event.subject_id}/recall", 409, "not_approved", json={"reason": "səhv"}
    )


async def test_a_withdrawn_submission_is_not_decided_on(moderation: Running) -> None:
    event = submission()
    await submitted(moderation, event)
    one = Person(moderation, "one")
    claim = await one.claim()
    withdrawal = SubmissionWithdrawn(
        event_id=uuid4(), occurred_at=datetime.now(UTC), subject_id=event.subject_id, version=2
    )
    await tell(moderation, SUBMISSION_WITHDRAWN, withdrawal)

    async def withdrawn() -> bool:
        return bool((await one.ask("GET", f"/v1/cases/{event.subject_id}")).json()["state"] == "withdrawn")

    await until(withdrawn, "the withdrawal")
    body = {"claim_token": claim["claim_token"], "verdict": "approve"}
    await one.refused("POST", "/v1/decisions", 409, "already_decided", json=body)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"verdict": "reject"}, "reason_missing"),
        ({"verdict": "reject", "reasons": ["boring"]}, "unknown_reason"),
        ({"verdict": "approve", "channels": ["myspace"]}, "unknown_channel"),
        ({"verdict": "approve", "channels": []}, "channel_missing"),
        ({"verdict": "approve", "edits": {"title": "x" * 201}}, "too_long"),
        ({"verdict": "approve", "edits": {"language": "zz"}}, "invalid"),
        ({"verdict": "approve", "edits": {"author_id": "x"}}, "invalid"),
        ({"verdict": "approve", "publish_at": "2026-05-05T10:00:00"}, "invalid"),
        ({"verdict": "publish"}, "invalid"),
        ({"verdict": "approve", "surprise": 1}, "invalid"),
    ],
)
async def test_a_decision_that_does_not_fit_changes_nothing(
    moderation: Running, body: dict[str, Any], code: str
) -> None:
    await submitted(moderation, submission())
    one = Person(moderation, "one")
    claim = await one.claim()

    await one.refused("POST", "/v1/decisions", 422, code, json={"claim_token": claim["claim_token"], **body})

    assert (await one.ask("GET", "/v1/claims")).json()["items"][0]["submission"]["state"] == "in_review"


async def test_bodies_that_cannot_be_read_are_refused(moderation: Running) -> None:
    one = Person(moderation, "one")

    for raw in (b"{", b"\xff\xfe"):
        answer = await one.ask(
            "POST", "/v1/decisions", 400, content=raw, headers={"content-type": "application/json"}
        )
        assert answer.headers["content-type"] == "application/problem+json"
    await one.refused("POST", "/v1/claims", 422, "invalid", json={"countries": ["Azerbaijan"]})
    await one.refused("POST", "/v1/claims", 422, "invalid", json={"languages": ["zz"]})
    await one.refused("GET", "/v1/queue?risk=some", 422, "invalid")
    await one.refused("GET", "/v1/queue?cursor=x", 422, "invalid_cursor")
    await one.refused("GET", "/v1/cases/nothing", 404, "not_found")


EDGES = ["9007199254740992", "99999999999999999999999", "-1", "W10=", "WzFd" * 60, "%00", "\u0661", ""]


@pytest.mark.parametrize("value", EDGES)
async def test_a_cursor_that_no_list_gave_is_refused(moderation: Running, value: str) -> None:
    one = Person(moderation, "one")

    for path in ("/v1/queue?cursor=", "/v1/cases?before="):
        answer = await one.ask("GET", f"{path}{value}", 422)
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_place_beyond_the_end_is_the_end(moderation: Running) -> None:
    event = submission()
    await submitted(moderation, event)
    one = Person(moderation, "one")
    await one.decide(await one.claim(), "reject", reasons=["quality"])

    for place in (2**53, 2**63, -1):
        listed = (await one.ask("GET", f"/v1/cases?before={closed(place)}")).json()
        assert [each["submission_id"] for each in listed["items"]] == (
            [event.subject_id] if place > 0 else []
        )
        assert listed["next"] is None


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
async def test_a_time_beyond_the_calendar_is_refused(moderation: Running, moment: str) -> None:
    body = {"claim_token": "x.y", "verdict": "approve", "publish_at": moment}

    await Person(moderation, "one").refused("POST", "/v1/decisions", 422, "invalid", json=body)


async def test_two_people_must_approve_what_is_sensitive(moderation: Running) -> None:
    event = sensitive()
    await submitted(moderation, event)
    one, two = Person(moderation, "one"), Person(moderation, "two", "editor")

    claim = await one.claim()
    assert (claim["submission"]["classes"], claim["submission"]["reviewers"]) == (["minors"], 2)
    assert "minors_declared" in [signal["code"] for signal in claim["signals"]]
    assert (await one.decide(claim, "approve"))["state"] == "in_review"
    await one.ask("POST", "/v1/claims", 204)
    await one.refused(
        "POST", "/v1/claims", 409, "second_person_needed", json={"submission_id": event.subject_id}
    )
    assert (await two.decide(await two.claim(), "approve"))["state"] == "approved"
    case = (await two.ask("GET", f"/v1/cases/{event.subject_id}")).json()
    assert [each["action"] for each in case["audit"]] == ["received", "approved", "approved"]


async def test_authors_do_not_decide_on_their_own(moderation: Running) -> None:
    event = submission(author_id="one")
    await submitted(moderation, event)
    one = Person(moderation, "one", "admin")

    await one.ask("POST", "/v1/claims", 204)
    await one.refused("POST", "/v1/claims", 403, "own_submission", json={"submission_id": event.subject_id})


async def test_scopes_and_roles_are_kept(moderation: Running) -> None:
    event = submission(language="az", country="TR", media=(SHOWN,))
    await submitted(moderation, event)
    await MediaStore(moderation.runtime.settings.media_url).put(f"{CLEAN}{SHA}", PHOTO)
    path = f"/v1/cases/{event.subject_id}"
    for stranger in (
        Person(moderation, "a", languages=("ru",)),
        Person(moderation, "b", countries=("DE",)),
        Person(moderation, "c", sections=("youth",)),
    ):
        assert (await stranger.ask("GET", "/v1/queue")).json()["items"] == []
        await stranger.ask("POST", "/v1/claims", 204)
        await stranger.refused(
            "POST", "/v1/claims", 404, "not_found", json={"submission_id": event.subject_id}
        )
        await stranger.refused("GET", path, 403, "out_of_scope")
        await stranger.refused("POST", f"{path}/recall", 403, "out_of_scope", json={"reason": "x"})
        await stranger.refused("GET", f"/v1/media/{SHA}", 404, "not_found")
    narrow = Person(moderation, "d", languages=("ru", "az"))
    await narrow.refused("POST", "/v1/claims", 403, "out_of_scope", json={"languages": ["de"]})
    await narrow.refused("GET", "/v1/queue?language=de", 403, "out_of_scope")
    roles: list[Role] = ["volunteer", "coordinator", "operator"]
    for role in roles:
        person = Person(moderation, "e", role)
        await person.refused("GET", "/v1/queue", 403, "forbidden")
        await person.refused("POST", "/v1/claims", 403, "forbidden")
        await person.refused("GET", path, 403, "forbidden")
        await person.refused("GET", f"/v1/media/{SHA}", 404, "not_found")
    answer = await moderation.http.get("/v1/queue")
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:konullu:problem:token_missing")


async def test_media_are_given_in_parts_and_harmless(moderation: Running) -> None:
    await submitted(moderation, submission(media=(SHOWN,)))
    await MediaStore(moderation.runtime.settings.media_url).put(f"{CLEAN}{SHA}", PHOTO)
    one, author = Person(moderation, "one"), Person(moderation, "author", "volunteer")

    whole = await one.ask("GET", f"/v1/media/{SHA}")
    part = await author.ask("GET", f"/v1/media/{SHA}", 206, headers={"Range": "bytes=2-5"})
    tail = await one.ask("GET", f"/v1/media/{SHA}", 206, headers={"Range": "bytes=-4"})

    assert whole.content == PHOTO
    assert whole.headers["content-type"] == "image/jpeg"
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in whole.headers["content-security-policy"]
    assert (part.content, part.headers["content-range"]) == (PHOTO[2:6], f"bytes 2-5/{len(PHOTO)}")
    assert tail.content == PHOTO[-4:]
    await one.refused("GET", f"/v1/media/{SHA}", 416, "range", headers={"Range": "bytes=999-"})
    await one.refused("GET", f"/v1/media/{'0' * 64}", 404, "not_found")
    await one.refused("GET", "/v1/media/..%2F..%2Fkeys", 404, "not_found")


async def test_a_recall_is_the_same_again_and_the_audit_is_in_order(moderation: Running) -> None:
    event = submission()
    await submitted(moderation, event)
    one = Person(moderation, "one")
    await one.decide(await one.claim(), "approve")

    for _ in range(2):
        answer = await one.ask("POST", f"/v1/cases/{event.subject_id}/recall", 202, json={"reason": "səhv"})
        assert answer.json() == {"submission_id": event.subject_id, "state": "recalled"}
    await one.refused("POST", f"/v1/cases/{event.subject_id}/recall", 422, "invalid", json={"reason": " "})
    listed = (await one.ask("GET", "/v1/cases")).json()
    assert [(each["submission_id"], each["state"]) for each in listed["items"]] == [
        (event.subject_id, "recalled")
    ]
    assert await audit_fault(moderation) is None


async def test_many_recalls_are_two_peoples_work(moderation: Running) -> None:
    alone = 10
    events = [submission() for _ in range(alone + 1)]
    await submitted(moderation, *events)
    one, two = Person(moderation, "one"), Person(moderation, "two")
    for _ in events:
        await one.decide(await one.claim(), "approve")
    paths = [f"/v1/cases/{event.subject_id}" for event in events]
    for path in paths[:alone]:
        await one.ask("POST", f"{path}/recall", 202, json={"reason": "səhv"})
    last = paths[alone]

    for _ in range(2):
        await one.refused("POST", f"{last}/recall", 409, "second_recall_needed", json={"reason": "səhv"})
    assert (await one.ask("GET", last)).json()["state"] == "approved"
    await two.ask("POST", f"{last}/recall", 202, json={"reason": "səhv"})

    case = (await one.ask("GET", last)).json()
    assert case["state"] == "recalled"
    assert [each["action"] for each in case["audit"]] == ["received", "approved", "recall_asked", "recalled"]
    assert await audit_fault(moderation) is None


async def test_several_are_taken_back_by_two_people_and_kept_until_the_second_agrees(
    moderation: Running,
) -> None:
    alone = 10
    events = [submission() for _ in range(alone + 3)]
    await submitted(moderation, *events)
    one, two, editor = (
        Person(moderation, "one"),
        Person(moderation, "two"),
        Person(moderation, "three", "editor"),
    )
    for _ in events:
        await one.decide(await one.claim(), "approve")
    ids = [event.subject_id for event in events]

    async def many(who: Person, path: str, *chosen: str) -> dict[str, Any]:
        body = {"submission_ids": chosen, "reason": "səhv"}
        answer: dict[str, Any] = (await who.ask("POST", path, 202, json=body)).json()
        return answer

    made = await many(one, "/v1/recalls", *ids, "nothing")
    rest = made["waiting"]
    assert (made["done"], rest, made["refused"]) == (ids[:alone], ids[alone:], {"nothing": "not_found"})
    listed = (await two.ask("GET", "/v1/recalls")).json()["items"]
    assert {each["submission_id"] for each in listed} == set(rest)

    assert (await many(two, "/v1/recalls/undo", rest[0]))["refused"] == {rest[0]: "editor_needed"}
    assert (await many(one, "/v1/recalls/undo", rest[0]))["done"] == [rest[0]]
    assert (await many(editor, "/v1/recalls/undo", rest[1]))["done"] == [rest[1]]
    assert (await many(two, "/v1/recalls", rest[2]))["done"] == [rest[2]]
    late = await many(one, "/v1/recalls/undo", rest[0], rest[2])
    assert late["refused"] == {rest[0]: "no_recall_asked", rest[2]: "no_recall_asked"}

    states = [(await one.ask("GET", f"/v1/cases/{each}")).json() for each in rest]
    assert [each["state"] for each in states] == ["approved", "approved", "recalled"]
    assert [each["action"] for each in states[0]["audit"]][-2:] == ["recall_asked", "recall_undone"]
    assert (await two.ask("GET", "/v1/recalls")).json()["items"] == []
    assert await audit_fault(moderation) is None


async def test_an_approved_case_is_opened_again_and_corrected(moderation: Running) -> None:
    event = submission()
    await submitted(moderation, event)
    one = Person(moderation, "one")
    path = f"/v1/cases/{event.subject_id}/reopen"
    await one.decide(await one.claim(), "approve")

    answer = await one.ask("POST", path, 202, json={"reason": "ad səhvdir"})

    assert answer.json() == {"submission_id": event.subject_id, "state": "screened"}
    again = await one.claim()
    decided = await one.decide(again, "approve", edits={"title": "Novruz süfrəmiz"})
    assert decided["state"] == "approved"
    await one.refused("POST", path, 422, "invalid", json={"reason": " "})
    await one.ask("POST", f"/v1/cases/{event.subject_id}/recall", 202, json={"reason": "səhv"})
    await one.refused("POST", path, 409, "not_approved", json={"reason": "x"})


FORM = {
    "verdict": "approve",
    "title": "Novruz süfrəmiz",
    "note": "Çox gözəl",
    "hashtags": "#col·lecció! novruz",
    "channels": "site",
    "classes": "graphic",
    "publish_at": "2027-03-20T10:00",
    "offset": "-240",
}


async def test_a_form_that_is_shown_again_keeps_every_field(moderation: Running) -> None:
    event = submission()
    await submitted(moderation, event)
    one = Person(moderation, "one")
    claim = await one.claim()
    page = f"/desk/moderation/cases/{event.subject_id}"
    form = {**FORM, "title": "x" * 201, "claim_token": claim["claim_token"]}

    shown = (await one.ask("POST", f"{page}/decision", 422, data=form)).text

    for field in (
        'value="site" checked',
        'value="graphic" checked',
        'value="2027-03-20T10:00"',
        'name="offset" value="-240"',
        "Çox gözəl",
        "#col·lecció! novruz",
        "x" * 201,
    ):
        assert field in shown
    assert shown.count("<details open>") >= 2


async def test_what_was_written_under_a_lost_lease_comes_back_with_the_case(moderation: Running) -> None:
    event = submission()
    await submitted(moderation, event)
    one = Person(moderation, "one")
    claim = await one.claim()
    await one.ask("DELETE", f"/v1/claims/{claim['claim_token']}", 204)
    page = f"/desk/moderation/cases/{event.subject_id}"
    form = {**FORM, "hashtags": "novruz", "claim_token": claim["claim_token"]}

    lost = (await one.ask("POST", f"{page}/decision", 409, data=form)).text
    assert 'name="publish_at" value="2027-03-20T10:00"' in lost
    assert "Çox gözəl" in lost
    kept = {**form, "kept": "1", "submission_id": event.subject_id}
    again = (await one.ask("POST", "/desk/moderation/claims", 200, data=kept)).text

    for field in ('value="site" checked', 'value="graphic" checked', 'value="2027-03-20T10:00"', "Çox gözəl"):
        assert field in again
    assert 'value="Novruz süfrəmiz"' in again
    held = (await one.ask("GET", "/v1/claims")).json()["items"]
    assert f'name="claim_token" value="{held[0]["claim_token"]}"' in again


async def test_whoever_edits_out_of_their_languages_is_refused(moderation: Running) -> None:
    await submitted(moderation, submission(language="az"))
    narrow = Person(moderation, "narrow", languages=("az",))
    claim = await narrow.claim()

    body = {"claim_token": claim["claim_token"], "verdict": "approve", "edits": {"language": "ru"}}

    await narrow.refused("POST", "/v1/decisions", 403, "out_of_scope", json=body)


async def test_the_interface_describes_itself(moderation: Running) -> None:
    described = (await moderation.http.get("/openapi.json")).json()

    assert {"/v1/queue", "/v1/claims", "/v1/decisions", "/v1/media/{sha256}"} <= set(described["paths"])
    metrics = (await moderation.http.get("/metrics")).text
    assert "konullu_moderation_screened_total" in metrics


async def test_the_audit_is_verified_from_outside(moderation: Running) -> None:
    event = submission()
    await submitted(moderation, event)
    settings = moderation.runtime.settings
    environment = {
        **os.environ,
        "KONULLU_HOME": str(settings.home),
        "MONGO_URL": settings.mongo_url,
        "KONULLU_DATABASE_PREFIX": settings.database_prefix,
    }

    async def audit(*words: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.moderation.audit.cli", *words,
            env=environment, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        said, _ = await process.communicate()
        return process.returncode, said.decode()

    await until(lambda: _head_is_there(moderation), "a checkpoint")
    kept, keys = settings.home / "head.json", settings.home / "keys.json"
    kept.write_text((await moderation.http.get("/v1/audit/head")).text)
    keys.write_text((await moderation.http.get("/.well-known/jwks.json")).text)
    status, said = await audit("verify", "--against", str(kept), "--keys", str(keys))
    assert (status, said[:22]) == (0, "OK: 1 cases, 1 entries")
    assert "exported head 1" in said
    status, said = await audit("head")
    assert (status, json.loads(said)) == (0, json.loads(kept.read_text()))

    kept.write_text(kept.read_text().replace('"number":1', '"number":2'))
    assert (await audit("verify", "--against", str(kept)))[1].startswith("BAD: the exported head")
    await moderation.runtime.database["cases"].update_one(
        {"_id": event.subject_id}, {"$set": {"audit.0.actor": "somebody"}}
    )
    status, said = await audit("verify")
    assert (status, said) == (
        1,
        f"BAD: case {event.subject_id}, entry 1: its content is not what was written\n",
    )


async def _head_is_there(moderation: Running) -> bool:
    return (await moderation.http.get("/v1/audit/head")).is_success
