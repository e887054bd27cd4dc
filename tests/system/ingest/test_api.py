"""The authors' way through ingest, over HTTP, on the real servers."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest

from services.ingest.app import assemble
from services.ingest.people.store import People
from services.ingest.settings import KEY_FILE, IngestSettings
from shared.events import (
    DELIVERY_CHANGED,
    MODERATION_DECIDED,
    REACH_TOTALLED,
    Attribution,
    DeliveryChanged,
    Event,
    ModerationDecided,
    ReachFigure,
    ReachTotalled,
    Role,
    Scopes,
    Snapshot,
    Topic,
    Verdict,
)
from shared.identity.live_sessions import KeptSessions
from shared.identity.tokens import Issuer, OwnKeys, TokenClaims, signing_key
from tests.support.processes import within
from tests.support.running import Running, provisioned, running, settings_for
from tests.support.signed import publish_signed

CAMPAIGN = """
name: Voices of the old town
languages: [az, tr, en]
countries: [AZ, TR, DE]
sections: [{id: heritage, name: Heritage}]
terms_version: "2026-1"
channels: [{id: site, kind: website}]
"""


@pytest.fixture
async def ingest(tmp_path: Path, nats_url: str, mongo_url: str) -> AsyncIterator[Running]:
    campaign = tmp_path / "campaign.yaml"
    campaign.write_text(CAMPAIGN)
    shared = settings_for(tmp_path / "home", nats_url=nats_url, mongo_url=mongo_url, campaign_path=campaign)
    settings = IngestSettings.of(shared)
    await provisioned(settings)
    keys = OwnKeys(signing_key(settings.token_key).public_key())
    async with running("ingest", settings, assemble, keys=keys) as service:
        yield service


async def volunteer(ingest: Running) -> dict[str, str]:
    answer = await ingest.http.post(
        "/v1/volunteers", json={"name": "Aygün", "country": "AZ", "languages": ["az"]}
    )
    assert answer.status_code == 201, answer.text
    means: dict[str, str] = answer.json()
    return means


def body(**changed: Any) -> dict[str, Any]:
    return {
        "title": "Köhnə şəhər",
        "body": "Birinci sətir\nikinci sətir",
        "language": "az",
        "country": "AZ",
        "consent": {"terms_version": "2026-1", "people_shown": "none", "rights": "own"},
        **changed,
    }


def headers(means: dict[str, str], key: str | None = None) -> dict[str, str]:
    return {"Authorization": f"Bearer {means['token']}", "Idempotency-Key": key or str(uuid4())}


async def test_a_submission_is_answered_with_a_receipt_and_found_again_by_its_author_alone(
    ingest: Running,
) -> None:
    author, stranger = await volunteer(ingest), await volunteer(ingest)

    answer = await ingest.http.post("/v1/submissions", json=body(), headers=headers(author))

    assert answer.status_code == 202, answer.text
    receipt = answer.json()
    assert set(receipt) == {"submission_id", "receipt", "revision", "status_url"}
    assert receipt["status_url"].endswith(f"/send/{receipt['submission_id']}"), "a page for people"
    own = await ingest.http.get(f"/v1/submissions/{receipt['submission_id']}", headers=headers(author))
    assert own.json()["state"] == "received"
    listed = await ingest.http.get("/v1/submissions", headers=headers(author))
    assert [each["submission_id"] for each in listed.json()["items"]] == [receipt["submission_id"]]
    others = await ingest.http.get(f"/v1/submissions/{receipt['submission_id']}", headers=headers(stranger))
    assert (others.status_code, others.json()["type"]) == (404, "urn:konullu:problem:submission_unknown")


async def test_the_same_again_is_the_same_answer_and_another_content_is_refused(ingest: Running) -> None:
    author = await volunteer(ingest)
    sent = headers(author, "k1")

    first = await ingest.http.post("/v1/submissions", json=body(), headers=sent)
    again = await ingest.http.post(
        "/v1/submissions", content=json.dumps(body(), indent=3), headers=_json(sent)
    )
    other = await ingest.http.post("/v1/submissions", json=body(title="Başqa"), headers=sent)
    refused = await ingest.http.post("/v1/submissions", json=body(title=""), headers=sent)

    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert (other.status_code, problem(other)) == (422, "idempotency_key_reused")
    assert (refused.status_code, problem(refused)) == (422, "idempotency_key_reused")


async def test_two_hundred_at_once_under_one_key_are_one_submission(ingest: Running) -> None:
    author = await volunteer(ingest)
    sent = headers(author, "k1")

    answers = await asyncio.gather(
        *(ingest.http.post("/v1/submissions", json=body(), headers=sent) for _ in range(200))
    )

    accepted = [answer.json() for answer in answers if answer.status_code == 202]
    waiting = [answer for answer in answers if answer.status_code != 202]
    assert accepted
    assert all(each == accepted[0] for each in accepted)
    assert all((each.status_code, problem(each)) == (409, "idempotency_key_in_progress") for each in waiting)
    assert await ingest.runtime.database["submissions"].count_documents({}) == 1


@pytest.mark.parametrize(
    ("changed", "sent_headers", "expected"),
    [
        ({}, {"Idempotency-Key": ""}, (400, "idempotency_key_missing")),
        ({}, {"Idempotency-Key": "a b"}, (400, "idempotency_key_invalid")),
        ({}, {"Idempotency-Key": "x" * 256}, (400, "idempotency_key_invalid")),
        ({"language": "xx"}, {}, (422, "submission_invalid")),
        ({"country": "XX"}, {}, (422, "submission_invalid")),
        ({"title": "a" * 201}, {}, (422, "submission_invalid")),
        ({"body": "a\u0000b"}, {}, (422, "submission_invalid")),
        ({"titel": "a"}, {}, (422, "invalid")),
        ({"ai": {"made": "yes"}}, {}, (422, "invalid")),
        ({"media": ["nothing-there"]}, {}, (422, "upload_unknown")),
        ({"body": "ş" * 40_000}, {}, (422, "submission_invalid")),
        ({"body": "ş" * 800_000}, {}, (413, "body_too_large")),
        ({}, {"Authorization": "Bearer forged"}, (401, "token_invalid")),
        ({}, {"Authorization": ""}, (401, "token_missing")),
    ],
)
async def test_what_cannot_be_taken_is_refused_with_a_way_out_and_nothing_is_stored(
    ingest: Running, changed: dict[str, Any], sent_headers: dict[str, str], expected: tuple[int, str]
) -> None:
    author = await volunteer(ingest)

    answer = await ingest.http.post(
        "/v1/submissions", json=body(**changed), headers=headers(author) | sent_headers
    )

    assert (answer.status_code, problem(answer)) == expected
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.json()["detail"]) > 20
    assert await ingest.runtime.database["submissions"].count_documents({}) == 0


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"title": ', (400, "malformed_json")),
        (b'{"title": "\xff\xfe"}', (400, "malformed_body")),
        (b"[" * 30_000, (400, None)),
        (b'{"title": "\\ud800"}', (422, "invalid")),
        (b"[]", (422, "invalid")),
        (b"", (422, "invalid")),
    ],
)
async def test_what_is_no_json_is_refused(
    ingest: Running, content: bytes, expected: tuple[int, str | None]
) -> None:
    author = await volunteer(ingest)

    answer = await ingest.http.post("/v1/submissions", content=content, headers=_json(headers(author)))

    assert answer.status_code == expected[0], answer.text
    if expected[1] is not None:
        assert problem(answer) == expected[1]


@pytest.mark.parametrize("letter", ["ş", "字", "😀"])
async def test_the_longest_text_is_taken_also_when_every_letter_is_escaped(
    ingest: Running, letter: str
) -> None:
    author = await volunteer(ingest)
    longest = json.dumps(body(body=letter * 20_000), ensure_ascii=True)

    answer = await ingest.http.post("/v1/submissions", content=longest, headers=_json(headers(author)))

    assert answer.status_code == 202, answer.text


async def test_two_keys_are_not_taken_as_one(ingest: Running) -> None:
    author = await volunteer(ingest)
    twice = [*headers(author).items(), ("Idempotency-Key", str(uuid4()))]

    answer = await ingest.http.post("/v1/submissions", json=body(), headers=twice)

    assert (answer.status_code, problem(answer)) == (400, "header_repeated")
    assert await ingest.runtime.database["submissions"].count_documents({}) == 0


async def test_text_is_kept_exactly(ingest: Running) -> None:
    author = await volunteer(ingest)
    text = "Sətir bir\r\n\r\n\tسلام \u200f(dünya) \u2067abc\u2069 cafe\u0301 <script>alert(1)</script>\n"

    answer = await ingest.http.post("/v1/submissions", json=body(body=text), headers=headers(author))

    found = await ingest.runtime.database["submissions"].find_one({"_id": answer.json()["submission_id"]})
    assert found is not None
    assert found["revisions"][0]["body"] == text.replace("cafe\u0301", "caf\u00e9")


async def test_ones_name_is_filled_in_where_one_wants_to_be_named(ingest: Running) -> None:
    author = await volunteer(ingest)

    answer = await ingest.http.post(
        "/v1/submissions", json=body(attribution={"mode": "name"}), headers=headers(author)
    )

    found = await ingest.runtime.database["submissions"].find_one({"_id": answer.json()["submission_id"]})
    assert found is not None
    assert found["revisions"][0]["attribution"] == {"mode": "name", "text": "Aygün"}


async def test_an_accepted_submission_reaches_its_stream_and_what_is_told_reaches_its_ledger(
    ingest: Running,
) -> None:
    author = await volunteer(ingest)
    sent = headers(author)
    receipt = (await ingest.http.post("/v1/submissions", json=body(), headers=sent)).json()
    submission_id = receipt["submission_id"]
    revising = f"/v1/submissions/{submission_id}/revisions"

    early = await ingest.http.post(revising, json=body(title="Yeni"), headers=headers(author))
    await ingest.runtime.relay.drain()
    await tell(
        ingest, MODERATION_DECIDED, decided(submission_id, "request_changes", version=3, message="Şəkil?")
    )
    ledger = await until(ingest, author, submission_id, "changes_requested")
    revision_headers = headers(author, "r2")
    revised = await ingest.http.post(revising, json=body(title="Yeni"), headers=revision_headers)
    again = await ingest.http.post(revising, json=body(title="Yeni"), headers=revision_headers)
    late = await ingest.http.post(revising, json=body(title="Daha yeni"), headers=headers(author))

    assert (early.status_code, problem(early)) == (409, "changes_not_requested")
    assert ledger["decision"]["message"] == "Şəkil?"
    assert (revised.status_code, revised.json()["revision"]) == (202, 2)
    assert revised.json() == again.json()
    assert (late.status_code, problem(late)) == (409, "changes_not_requested")

    approved = decided(submission_id, "approve", version=6, revision=2)
    await tell(ingest, MODERATION_DECIDED, approved)
    await tell(ingest, DELIVERY_CHANGED, delivered(submission_id))
    await tell(ingest, REACH_TOTALLED, reached(submission_id))
    ledger = await until(ingest, author, submission_id, "published")
    async with within(10):
        while not ledger["reach"]:
            ledger = await look_up(ingest, author, submission_id)
    assert ledger["published_text"] == "Düzəldilmiş mətn"
    assert ledger["deliveries"][0]["url"] == "https://example.org/az/1"
    assert ledger["reach"]["clicks"]["value"] == 8
    assert ledger["reach"]["clicks"]["as_of"].endswith("Z")


async def test_a_withdrawal_is_for_good_and_may_be_repeated(ingest: Running) -> None:
    author = await volunteer(ingest)
    receipt = (await ingest.http.post("/v1/submissions", json=body(), headers=headers(author))).json()
    withdrawing = f"/v1/submissions/{receipt['submission_id']}/withdrawal"
    stranger = await ingest.http.post(withdrawing, headers=headers(await volunteer(ingest)))

    first = await ingest.http.post(withdrawing, json={"reason": "Fikrimi dəyişdim"}, headers=headers(author))
    again = await ingest.http.post(withdrawing, headers=headers(author))

    assert stranger.status_code == 404
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert (await look_up(ingest, author, receipt["submission_id"]))["state"] == "withdrawn"


async def test_a_list_goes_on_where_the_page_before_ended(ingest: Running) -> None:
    author = await volunteer(ingest)
    sent = [
        (await ingest.http.post("/v1/submissions", json=body(), headers=headers(author))).json()[
            "submission_id"
        ]
        for _ in range(5)
    ]

    listed: list[str] = []
    after: str | None = ""
    while after is not None:
        asked: dict[str, Any] = {"limit": 2} | ({"after": after} if after else {})
        page = (await ingest.http.get("/v1/submissions", params=asked, headers=headers(author))).json()
        listed += [each["submission_id"] for each in page["items"]]
        after = page["next"]
    wrong = await ingest.http.get("/v1/submissions", params={"after": "x"}, headers=headers(author))

    assert sorted(listed) == sorted(sent)
    assert (wrong.status_code, problem(wrong)) == (422, "cursor_invalid")


async def test_a_recovery_code_works_once_and_too_many_wrong_ones_are_slowed_down(ingest: Running) -> None:
    author = await volunteer(ingest)

    first = await ingest.http.post("/v1/recovery", json={"recovery_code": author["recovery_code"]})
    again = await ingest.http.post("/v1/recovery", json={"recovery_code": author["recovery_code"]})
    old = await ingest.http.get("/v1/submissions", headers=headers(author))
    new = await ingest.http.get("/v1/submissions", headers=headers(first.json()))
    answers = [
        await ingest.http.post("/v1/recovery", json={"recovery_code": f"WRONG-{n}"}) for n in range(12)
    ]

    assert first.json()["volunteer_id"] == author["volunteer_id"]
    assert (again.status_code, problem(again)) == (401, "recovery_code_unknown")
    assert (old.status_code, problem(old), new.status_code) == (401, "token_revoked", 200)
    assert (answers[-1].status_code, problem(answers[-1])) == (429, "too_many_requests")
    assert int(answers[-1].headers["retry-after"]) > 0


async def test_two_replicas_hold_one_limit_and_a_good_code_is_let_in_all_the_same(ingest: Running) -> None:
    author, settings = await volunteer(ingest), ingest.runtime.settings
    keys = OwnKeys(signing_key(settings.keys / KEY_FILE).public_key())
    async with running("ingest", settings, assemble, keys=keys) as other:
        wrong = [
            (await each.http.post("/v1/recovery", json={"recovery_code": f"WRONG-{n}"})).status_code
            for n in range(7)
            for each in (ingest, other)
        ]
        link = await other.http.post("/v1/sessions", json={"link": "unknown"})
        staff = await other.http.post("/v1/sessions", json={"token": await staff_token(ingest)})
        good = await other.http.post("/v1/recovery", json={"recovery_code": author["recovery_code"]})

    assert wrong == [401] * 10 + [429] * 4
    assert (link.status_code, problem(link)) == (401, "link_unknown")
    assert (staff.status_code, good.status_code) == (201, 200)


def cookie_of(opened: httpx.Response) -> str:
    return opened.headers["set-cookie"].partition("=")[2].partition(";")[0]


async def staff_token(ingest: Running, role: Role = "moderator") -> str:
    """A token as the command prints it: it belongs to no session."""
    people = People(ingest.runtime.database["people"], left_over=True)
    person = await people.add_staff(role, "Leyla", Scopes(), datetime.now(UTC))
    key = signing_key(ingest.runtime.settings.keys / KEY_FILE)
    return Issuer(key).issue(person.principal(), now=datetime.now(UTC))


async def test_a_session_opens_with_a_token_and_ends_by_signing_out(ingest: Running) -> None:
    token = await staff_token(ingest)

    opened = await ingest.http.post("/v1/sessions", json={"token": token})
    cookie = opened.headers["set-cookie"]
    session = {"Cookie": f"__Host-konullu={cookie_of(opened)}"}
    csrf = {"X-CSRF-Token": opened.json()["csrf"]}
    inside = await ingest.http.get("/v1/submissions", headers=session)
    forged = await ingest.http.post(
        "/v1/submissions", json=body(), headers=session | {"Idempotency-Key": "k"}
    )
    sent = await ingest.http.post(
        "/v1/submissions", json=body(), headers=session | csrf | {"Idempotency-Key": "k"}
    )
    out = await ingest.http.delete("/v1/sessions", headers=session | csrf)
    outside = await ingest.http.get("/v1/submissions", headers=session)
    copied = await ingest.http.get(
        "/v1/submissions", headers={"Authorization": f"Bearer {cookie_of(opened)}"}
    )
    by_token = await ingest.http.get("/v1/submissions", headers={"Authorization": f"Bearer {token}"})

    assert all(part in cookie for part in ("Secure", "HttpOnly", "SameSite=strict", "Path=/"))
    assert (inside.status_code, forged.status_code, sent.status_code, out.status_code) == (200, 403, 202, 204)
    assert (outside.status_code, problem(outside)) == (401, "token_revoked")
    assert (copied.status_code, problem(copied)) == (401, "token_revoked")
    assert by_token.status_code == 200


async def test_a_token_of_a_session_opens_no_other(ingest: Running) -> None:
    opened = await ingest.http.post("/v1/sessions", json={"token": await staff_token(ingest)})
    author = await volunteer(ingest)

    for token in (cookie_of(opened), author["token"]):
        answer = await ingest.http.post("/v1/sessions", json={"token": token})
        assert (answer.status_code, problem(answer)) == (401, "token_of_session")
        assert "set-cookie" not in answer.headers


async def test_signing_out_everywhere_ends_every_session_and_token_but_not_the_recovery_code(
    ingest: Running,
) -> None:
    token = await staff_token(ingest)
    sessions = [cookie_of(await ingest.http.post("/v1/sessions", json={"token": token})) for _ in range(2)]
    author = await volunteer(ingest)

    for own, all_of_them in ((sessions[0], [*sessions, token]), (author["token"], [author["token"]])):
        done = await ingest.http.delete("/v1/sessions/all", headers={"Authorization": f"Bearer {own}"})
        assert done.status_code == 204
        for each in all_of_them:
            answer = await ingest.http.get("/v1/submissions", headers={"Authorization": f"Bearer {each}"})
            assert (answer.status_code, problem(answer)) == (401, "token_revoked")
    back = await ingest.http.post("/v1/recovery", json={"recovery_code": author["recovery_code"]})
    assert back.status_code == 200


async def test_a_session_in_which_nothing_is_done_ends_on_the_server(ingest: Running) -> None:
    opened = await ingest.http.post("/v1/sessions", json={"token": await staff_token(ingest)})
    session = {"Cookie": f"__Host-konullu={cookie_of(opened)}"}
    assert (await ingest.http.get("/v1/submissions", headers=session)).status_code == 200
    kept = ingest.runtime.database["sessions"]
    claims = TokenClaims.model_validate(jwt.decode(cookie_of(opened), options={"verify_signature": False}))
    long_ago = claims.model_copy(update={"iat": claims.iat - 7200})
    assert claims.sid is not None

    await kept.update_one(
        {"_id": claims.sid}, {"$set": {"seen_at": datetime.now(UTC) - timedelta(minutes=29)}}
    )
    fresh = KeptSessions(kept)
    assert not await fresh.over(long_ago, "", used=False)
    assert not await KeptSessions(kept).over(long_ago, "", used=True)
    found = await kept.find_one({"_id": claims.sid})
    assert found is not None
    assert found["seen_at"] > datetime.now(UTC) - timedelta(minutes=1)

    await kept.update_one(
        {"_id": claims.sid}, {"$set": {"seen_at": datetime.now(UTC) - timedelta(minutes=32)}}
    )
    assert await KeptSessions(kept).over(long_ago, "", used=True)
    await kept.delete_one({"_id": claims.sid})
    assert await KeptSessions(kept).over(long_ago, "", used=True)
    volunteers = long_ago.model_copy(update={"role": "volunteer"})
    assert not await KeptSessions(kept).over(volunteers, "", used=True)


@pytest.mark.parametrize("means", [{}, {"token": "a", "link": "b"}, {"token": "forged"}, {"link": "unknown"}])
async def test_a_session_needs_a_good_token_or_link(ingest: Running, means: dict[str, str]) -> None:
    answer = await ingest.http.post("/v1/sessions", json=means)

    assert answer.status_code in {401, 422}
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "changed",
    [{"country": "XX"}, {"languages": []}, {"languages": ["xx"]}, {"name": " "}, {"section": "sport"}],
)
async def test_a_registration_with_a_mistake_is_refused(ingest: Running, changed: dict[str, Any]) -> None:
    newcomer = {"name": "Aygün", "country": "AZ", "languages": ["az"], **changed}

    answer = await ingest.http.post("/v1/volunteers", json=newcomer)

    assert (answer.status_code, problem(answer)) == (422, "registration_invalid")


async def test_the_keys_of_tokens_are_public(ingest: Running) -> None:
    answer = await ingest.http.get("/.well-known/jwks.json")

    (key,) = answer.json()["keys"]
    assert (key["kty"], key["crv"]) == ("OKP", "Ed25519")
    assert "d" not in key


def problem(answer: httpx.Response) -> str:
    return str(answer.json()["type"]).removeprefix("urn:konullu:problem:")


def _json(sent: dict[str, str]) -> dict[str, str]:
    return sent | {"Content-Type": "application/json"}


async def tell(ingest: Running, topic: Topic[Any], event: Event) -> None:
    await publish_signed(ingest.runtime.publisher, topic, event, None, str(event.event_id))


async def look_up(ingest: Running, author: dict[str, str], submission_id: str) -> dict[str, Any]:
    answer = await ingest.http.get(f"/v1/submissions/{submission_id}", headers=headers(author))
    ledger: dict[str, Any] = answer.json()
    return ledger


async def until(ingest: Running, author: dict[str, str], submission_id: str, state: str) -> dict[str, Any]:
    """The ledger, once it has come to this state."""
    async with within(10):
        while (ledger := await look_up(ingest, author, submission_id))["state"] != state:
            await asyncio.sleep(0.02)
    return ledger


def decided(
    submission_id: str, verdict: Verdict, *, version: int, revision: int = 1, message: str | None = None
) -> ModerationDecided:
    snapshot = Snapshot(
        submission_id=submission_id,
        revision=revision,
        title="Başlıq",
        body="Düzəldilmiş mətn",
        language="az",
        country="AZ",
        attribution=Attribution(mode="anonymous"),
    )
    return ModerationDecided(
        event_id=uuid4(),
        occurred_at=datetime.now(UTC),
        subject_id=submission_id,
        version=version,
        revision=revision,
        decision_id=uuid4(),
        verdict=verdict,
        message=message,
        author_id="author",
        snapshot=snapshot if verdict == "approve" else None,
    )


def delivered(submission_id: str) -> DeliveryChanged:
    return DeliveryChanged(
        event_id=uuid4(),
        occurred_at=datetime.now(UTC),
        subject_id=f"delivery.{submission_id}",
        version=3,
        submission_id=submission_id,
        channel="site",
        kind="website",
        language="az",
        revision=2,
        state="posted",
        url="https://example.org/az/1",
        code="abcdefghij",
        target="https://example.org/az/1",
        country="AZ",
    )


def reached(submission_id: str) -> ReachTotalled:
    now = datetime.now(UTC)
    return ReachTotalled(
        event_id=uuid4(),
        occurred_at=now,
        subject_id=submission_id,
        version=1,
        totals={"clicks": ReachFigure(value=8, source="links", as_of=now)},
    )
