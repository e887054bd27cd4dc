"""Bad input and wrong people, over the gateway of a whole stack: each is refused with a way out, nothing half-stored."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from time import monotonic
from typing import Any, Final
from uuid import uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.identity.tokens import COOKIE, Issuer, Principal, csrf_token, signing_key
from tests.demo.drawn import photo
from tests.support.people import Line, Volunteer, eventually
from tests.support.refused import (
    Cast,
    Someone,
    all_refused,
    call,
    check,
    decided,
    held,
    item,
    joined,
    now,
    own,
    sent,
)
from tests.support.stack import stack

SUBMIT: Final = "POST ingest/v1/submissions"
JSON: Final = {"Content-Type": "application/json"}
FRESH: Final = 2.0
"""Seconds after which a token that was taken away must be refused everywhere."""


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cast]:
    with stack(tmp_path_factory.mktemp("refusals")) as started:
        yield Cast.of(started)


@pytest.fixture
async def http(cast: Cast) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=cast.stack.url, timeout=20) as client:
        yield client


async def uploaded(cast: Cast, who: Someone, content: bytes, kind: str = "image/jpeg") -> str:
    line = Line(cast.stack.url)
    try:
        return await Volunteer(line, who.token, who.person_id, "AZ").upload(content, "file", kind)
    finally:
        await line.close()


def everywhere(token: str) -> dict[str, httpx.Request]:
    """A call to each service with this token."""
    headers = {"Authorization": f"Bearer {token}"}
    paths = {
        "ingest": "ingest/v1/submissions",
        "moderation": "moderation/v1/claims",
        "publisher": "publisher/v1/channels",
        "metrics": "metrics/v1/reach",
    }
    return {name: httpx.Request("GET", f"/api/{path}", headers=headers) for name, path in paths.items()}


async def test_a_submission_with_a_mistake_is_refused_and_not_stored(
    cast: Cast, http: httpx.AsyncClient
) -> None:
    author = joined(cast.stack, "Elnur")

    def wrong(code: str, says: str, **changes: Any) -> Any:
        return call(422, code, SUBMIT, says, json=item(**changes), headers=author.once)

    bad = "submission_invalid"
    await all_refused(
        http,
        {
            "language": wrong(bad, "language", language="zz-nowhere"),
            "empty language": wrong(bad, "language", language=""),
            "country": wrong(bad, "country", country="XX"),
            "country outside the campaign": wrong(bad, "country", country="JP"),
            "section": wrong(bad, "section", section="nothing"),
            "long title": wrong(bad, "shorten it to 200", title="ə" * 201),
            "long body": wrong(bad, "shorten it to 20000", body="b" * 20_001),
            "blank title": wrong(bad, "title", title=" \u200f "),
            "title over lines": wrong(bad, "title", title="one\ntwo"),
            "no text at all": wrong(bad, "body", body=" "),
            "control characters": wrong(bad, "U+0000", body="a\x00b"),
            "terms": wrong(
                bad, "2020-09", consent={"terms_version": "1999", "people_shown": "none", "rights": "own"}
            ),
            "consent": wrong(
                "invalid",
                "people_shown",
                consent={"terms_version": "2020-09", "people_shown": "x", "rights": "own"},
            ),
            "too many hashtags": wrong(bad, "hashtags", hashtags=[f"tag{n}" for n in range(21)]),
            "no hashtag": wrong(bad, "hashtags", hashtags=["two words"]),
            "unknown upload": wrong(
                "upload_unknown", "upload", media=[{"upload_id": uuid4().hex, "alt": "x"}]
            ),
            "long alternative text": wrong(bad, "alt", media=[{"upload_id": "a", "alt": "x" * 1001}]),
            "unknown field": wrong("invalid", "did you mean title?", titel="x"),
            "wrong type": wrong("invalid", "title", title=7),
        },
    )
    assert await own(http, author) == []


async def test_an_idempotency_key_is_needed_and_is_for_one_content(
    cast: Cast, http: httpx.AsyncClient
) -> None:
    author = joined(cast.stack, "Rəna")
    used = author.once
    first = await http.post("/api/ingest/v1/submissions", json=item(), headers=used)
    assert first.status_code == 202
    before = [each["receipt"] for each in await own(http, author)]

    def keyed(status: int, code: str, **headers: str) -> Any:
        return call(
            status, code, SUBMIT, "Idempotency-Key", json=item(), headers={**author.bearer, **headers}
        )

    await all_refused(
        http,
        {
            "missing": keyed(400, "idempotency_key_missing"),
            "empty": keyed(400, "idempotency_key_missing", **{"Idempotency-Key": ""}),
            "too long": keyed(400, "idempotency_key_invalid", **{"Idempotency-Key": "k" * 256}),
            "reused": call(
                422, "idempotency_key_reused", SUBMIT, "Idempotency-Key", json=item(title="x"), headers=used
            ),
            "missing for a revision": call(
                400,
                "idempotency_key_missing",
                f"POST ingest/v1/submissions/{first.json()['submission_id']}/revisions",
                json=item(),
                headers=author.bearer,
            ),
        },
    )
    again = await http.post("/api/ingest/v1/submissions", json=item(), headers=used)
    assert again.json() == first.json()
    assert [each["receipt"] for each in await own(http, author)] == before


MALFORMED: Final = {
    "no JSON": (b"{title: x", 400, "malformed_json"),
    "cut off": (b'{"title": "x', 400, "malformed_json"),
    "empty": (b"", 422, "invalid"),
    "a list": (b"[1, 2]", 422, "invalid"),
    "a number without end": (b'{"title": ' + b"9" * 5000 + b"}", 400, "malformed_json"),
    "nested without end": (b"[" * 30_000, 400, "malformed_json"),
    "Latin-1": ('{"title": "é"}'.encode("latin-1"), 400, "malformed_body"),
    "half a character": (b'{"title": "\\ud800"}', 422, "invalid"),
    "half a character as a name": (b'{"\\ud800": "x"}', 422, "invalid"),
    "the same in bytes": (b'{"title": "\xed\xa0\x80"}', 422, "invalid"),
    "more than the longest texts": (json.dumps({"title": "x" * 1_200_000}).encode(), 413, "body_too_large"),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_a_body_that_is_no_json_in_utf_8_is_refused_by_every_service(
    cast: Cast, http: httpx.AsyncClient, name: str
) -> None:
    content, status, code = MALFORMED[name]
    author = joined(cast.stack, "Tofiq")

    def post(path: str, headers: dict[str, str]) -> Any:
        return call(status, code, f"POST {path}", content=content, headers={**headers, **JSON})

    await all_refused(
        http,
        {
            "volunteers": post("ingest/v1/volunteers", {}),
            "recovery": post("ingest/v1/recovery", {}),
            "submissions": post("ingest/v1/submissions", author.once),
            "decisions": post("moderation/v1/decisions", cast.moderator.bearer),
            "recalls": post("publisher/v1/recalls", cast.editor.bearer),
        },
    )
    assert await own(http, author) == []


async def test_media_that_cannot_be_taken_are_refused_and_the_submission_with_them(
    cast: Cast, http: httpx.AsyncClient
) -> None:
    author, whole = joined(cast.stack, "Nigar"), photo(3)
    tus = {"Tus-Resumable": "1.0.0"}
    kind = "filetype " + base64.b64encode(b"image/jpeg").decode()

    def begun(length: int, metadata: str = "") -> dict[str, str]:
        return {**author.bearer, **tus, "Upload-Length": str(length), "Upload-Metadata": metadata}

    theirs = await uploaded(cast, cast.stranger, whole)
    cut = await uploaded(cast, author, whole[: len(whole) // 2])
    text = await uploaded(cast, author, b"<html><script>alert(1)</script></html>")
    page = await uploaded(cast, author, b"%PDF-1.7\n" + b"0" * 500, "video/mp4")
    made = await http.post("/api/ingest/v1/uploads", headers=begun(100))
    unfinished = made.headers["location"].rsplit("/", 1)[1]

    def with_media(status: int, code: str, upload_id: str, says: str = "") -> Any:
        media = [{"upload_id": upload_id, "alt": "x"}]
        return call(status, code, SUBMIT, says, json=item(media=media), headers=author.once)

    await all_refused(
        http,
        {
            "photo too large": call(
                413, "media_too_large", "POST ingest/v1/uploads", "MiB", headers=begun(60 << 20, kind)
            ),
            "file too large": call(
                413, "media_too_large", "POST ingest/v1/uploads", "2048 MiB", headers=begun(3 << 30)
            ),
            "truncated": with_media(422, "media_truncated", cut, "again"),
            "no photo": with_media(422, "media_type", text, "JPEG"),
            "no video": with_media(422, "media_type", page, "JPEG"),
            "not finished": with_media(409, "upload_incomplete", unfinished, "0 of 100"),
            "somebody else's": with_media(422, "upload_unknown", theirs),
            "no id at all": with_media(422, "upload_unknown", "../../etc/passwd"),
            "somebody else's, looked at": call(
                404, "upload_unknown", f"GET ingest/v1/uploads/{theirs}", headers=author.bearer
            ),
            "somebody else's, removed": call(
                404, "upload_unknown", f"DELETE ingest/v1/uploads/{theirs}", headers={**author.bearer, **tus}
            ),
        },
    )
    assert await own(http, author) == []


def tokens(cast: Cast) -> dict[str, tuple[str, str]]:
    """Tokens that must not count, and the code of their refusal."""
    issuer, other = Issuer(signing_key(cast.signing_key)), Issuer(Ed25519PrivateKey.generate())
    who = Principal(cast.editor.person_id, "editor")
    claims, header = cast.editor.claims, jwt.get_unverified_header(cast.editor.token)
    start, payload, signature = cast.editor.token.split(".")
    raised = base64.urlsafe_b64encode(json.dumps({**claims, "role": "admin"}).encode()).decode().rstrip("=")
    public = Ed25519PrivateKey.generate()
    return {
        "expired": (
            issuer.issue(who, now=now() - timedelta(hours=2), lifetime=timedelta(hours=1)),
            "token_expired",
        ),
        "signed by somebody else": (other.issue(who, now=now()), "token_invalid"),
        "under the campaign's key id": (
            jwt.encode(claims, public, algorithm="EdDSA", headers={"kid": header["kid"]}),
            "token_invalid",
        ),
        "unsigned": (
            jwt.encode(claims, "", algorithm="none", headers={"kid": header["kid"]}),
            "token_invalid",
        ),
        "another algorithm": (
            jwt.encode(claims, "x" * 32, algorithm="HS256", headers={"kid": header["kid"]}),
            "token_invalid",
        ),
        "role raised": (f"{start}.{raised}.{signature}", "token_invalid"),
        "cut off": (f"{start}.{payload}.{signature[:-4]}", "token_invalid"),
        "nonsense": ("nonsense", "token_invalid"),
        "three dots": ("...", "token_invalid"),
        "a header that is no object": ("W10.W10.", "token_invalid"),
    }


async def test_a_token_that_is_expired_or_forged_counts_nowhere(cast: Cast, http: httpx.AsyncClient) -> None:
    for name, (token, code) in tokens(cast).items():
        for service, request in everywhere(token).items():
            answer = await http.get(request.url.path, headers=request.headers)
            problem = check(answer, 401, code, "Sign in again")
            assert token not in str(problem), (name, service)
            assert answer.headers["www-authenticate"].startswith("Bearer"), (name, service)
    for request in everywhere("").values():
        check(await http.get(request.url.path), 401, "token_missing", "Authorization: Bearer")


async def test_each_door_asks_for_its_role(cast: Cast, http: httpx.AsyncClient) -> None:
    somewhere = {"submission_id": "x", "reason": "x"}

    def shut(request: str, who: Someone, says: str, **options: Any) -> Any:
        return call(403, "forbidden", request, says, headers=who.bearer, **options)

    await all_refused(
        http,
        {
            "queue": shut("GET moderation/v1/queue", cast.author, "moderator"),
            "claims": shut("GET moderation/v1/claims", cast.author, "moderator"),
            "a claim": shut("POST moderation/v1/claims", cast.author, "moderator", json={}),
            "a decision": shut(
                "POST moderation/v1/decisions",
                cast.author,
                "moderator",
                json={"claim_token": "x", "verdict": "approve"},
            ),
            "a case": shut("GET moderation/v1/cases/x", cast.author, "moderator"),
            "channels": shut("GET publisher/v1/channels", cast.author, "role"),
            "deliveries": shut("GET publisher/v1/deliveries?submission_id=x", cast.author, "role"),
            "reach": shut("GET metrics/v1/reach", cast.author, "role"),
            "the queue for a coordinator": shut("GET moderation/v1/queue", cast.coordinator, "moderator"),
            "a recall": shut("POST publisher/v1/recalls", cast.author, "editor", json=somewhere),
            "a moderator's recall": shut(
                "POST publisher/v1/recalls", cast.moderator, "editor", json=somewhere
            ),
            "a resolution": shut(
                "POST publisher/v1/deliveries/x/resolution",
                cast.coordinator,
                "moderator",
                json={"outcome": "posted"},
            ),
        },
    )
    assert (await http.get("/api/metrics/v1/campaign")).status_code == 200
    for path in ("publisher/v1/channels", "metrics/v1/reach"):
        assert (await http.get(f"/api/{path}", headers=cast.coordinator.bearer)).status_code == 200


async def test_somebody_elses_submission_is_unknown(cast: Cast, http: httpx.AsyncClient) -> None:
    theirs = await sent(http, cast.author)
    await held(http, cast.moderator, theirs)
    before = [each["title"] for each in await own(http, cast.author)]
    base = f"ingest/v1/submissions/{theirs}"

    def unknown(request: str, **options: Any) -> Any:
        return call(404, "submission_unknown", request, headers=cast.stranger.once, **options)

    await all_refused(
        http,
        {
            "ledger": unknown(f"GET {base}"),
            "revision": unknown(f"POST {base}/revisions", json=item(title="mine now")),
            "withdrawal": unknown(f"POST {base}/withdrawal", json={}),
            "an id of nobody": unknown("GET ingest/v1/submissions/nothing"),
            "an odd id": unknown("GET ingest/v1/submissions/%00%ff"),
        },
    )
    early = await http.post(f"/api/{base}/revisions", json=item(title="new"), headers=cast.author.once)
    check(early, 409, "changes_not_requested", "when a moderator asks")
    assert [each["title"] for each in await own(http, cast.author)] == before


async def test_what_lies_outside_ones_scopes_is_refused(cast: Cast, http: httpx.AsyncClient) -> None:
    theirs = await sent(http, cast.author)
    await decided(http, cast.moderator, theirs)

    async def planned() -> bool:
        path = f"/api/publisher/v1/deliveries?submission_id={theirs}"
        return bool((await http.get(path, headers=cast.editor.bearer)).json()["items"])

    await eventually(planned, seconds=20, what="deliveries")

    def outside(request: str, who: Someone, **options: Any) -> Any:
        return call(403, "out_of_scope", request, "outside your", headers=who.bearer, **options)

    far = cast.elsewhere
    recall = {"submission_id": theirs, "reason": "not mine"}
    await all_refused(
        http,
        {
            "queue": call(
                403, "out_of_scope", "GET moderation/v1/queue?country=AZ", "TR", headers=far.bearer
            ),
            "claims": call(
                403,
                "out_of_scope",
                "POST moderation/v1/claims",
                "TR",
                headers=far.bearer,
                json={"countries": ["AZ"]},
            ),
            "a case": outside(f"GET moderation/v1/cases/{theirs}", far),
            "its recall": outside(f"POST moderation/v1/cases/{theirs}/recall", far, json={"reason": "x"}),
            "deliveries": outside(f"GET publisher/v1/deliveries?submission_id={theirs}", far),
            "a recall": outside("POST publisher/v1/recalls", cast.editor_elsewhere, json=recall),
        },
    )
    ledger = await http.get(f"/api/ingest/v1/submissions/{theirs}", headers=cast.author.bearer)
    assert ledger.json()["state"] in {"approved", "scheduled", "published"}


async def test_a_decision_that_cannot_be_taken_leaves_the_case_as_it_was(
    cast: Cast, http: httpx.AsyncClient
) -> None:
    theirs = await sent(http, cast.author)
    token = await held(http, cast.moderator, theirs)
    path = f"/api/moderation/v1/cases/{theirs}"
    before = (await http.get(path, headers=cast.moderator.bearer)).json()

    def wrong(
        code: str, says: str = "", *, status: int = 422, who: Someone = cast.moderator, **more: Any
    ) -> Any:
        body = {"claim_token": token, "verdict": "approve", **more}
        return call(status, code, "POST moderation/v1/decisions", says, json=body, headers=who.bearer)

    await all_refused(
        http,
        {
            "channel": wrong("unknown_channel", "partners", channels=["nowhere"]),
            "no channel": wrong("channel_missing", "channel", channels=[]),
            "reason": wrong("unknown_reason", "off_topic", verdict="reject", reasons=["because"]),
            "no reason": wrong("reason_missing", "reason", verdict="reject"),
            "long note": wrong("too_long", "2000", note="n" * 2001),
            "long title": wrong("too_long", "200", edits={"title": "t" * 201}),
            "long body": wrong("too_long", "20000", edits={"body": "t" * 20_001}),
            "title over lines": wrong("not_text", "line", edits={"title": "one\ntwo"}),
            "control characters": wrong("not_text", "U+0000", edits={"body": "a\x00b"}),
            "control characters in a note": wrong(
                "not_text", "U+0007", verdict="reject", reasons=["quality"], note="\x07"
            ),
            "language": wrong("invalid", "language", edits={"language": "zz-nowhere"}),
            "verdict": wrong("invalid", "verdict", verdict="perhaps"),
            "time without a zone": wrong("invalid", "publish_at", publish_at="2030-01-01T00:00:00"),
            "somebody else's claim": wrong("lease_lost", "Claim it again", status=409, who=cast.second),
            "no claim": wrong("lease_lost", "Claim it again", status=409, claim_token="nothing"),
            "a claim of no case": wrong("lease_lost", status=409, claim_token=f"{uuid4()}.1"),
        },
    )
    assert (await http.get(path, headers=cast.moderator.bearer)).json() == before
    assert (await http.delete(f"/api/moderation/v1/claims/{token}", headers=cast.moderator.bearer)).is_success
    renew = f"PUT moderation/v1/claims/{token}"
    await all_refused(
        http,
        {
            "after giving it back": wrong("lease_lost", "Claim it again", status=409),
            "renewed too late": call(409, "lease_lost", renew, headers=cast.moderator.bearer),
        },
    )


async def test_what_is_decided_stays_decided(cast: Cast, http: httpx.AsyncClient) -> None:
    theirs = await sent(http, cast.author)
    token, body = await decided(http, cast.moderator, theirs, verdict="reject", reasons=["quality"])
    path = "/api/moderation/v1/decisions"
    other = {"claim_token": token, "verdict": "approve"}
    one = {"submission_id": theirs}

    again = await http.post(path, json=body, headers=cast.moderator.bearer)
    await all_refused(
        http,
        {
            "otherwise": call(
                409,
                "already_decided",
                "POST moderation/v1/decisions",
                "already",
                json=other,
                headers=cast.moderator.bearer,
            ),
            "claimed again": call(
                409,
                "not_claimable",
                "POST moderation/v1/claims",
                "already",
                json=one,
                headers=cast.second.bearer,
            ),
            "recalled though rejected": call(
                409,
                "not_approved",
                f"POST moderation/v1/cases/{theirs}/recall",
                json={"reason": "x"},
                headers=cast.moderator.bearer,
            ),
        },
    )
    assert again.status_code == 200
    case = (await http.get(f"/api/moderation/v1/cases/{theirs}", headers=cast.moderator.bearer)).json()
    assert case["state"] == "rejected"


async def test_a_short_link_leads_on_or_is_none(cast: Cast, http: httpx.AsyncClient) -> None:
    answer = await http.get("/r/aaaaaaaaaa")
    assert answer.status_code == 302
    assert answer.headers["location"] == f"{cast.stack.url}/go/aaaaaaaaaa"
    odd = ("abc", "aaaaaaaaa1", "aaaaaaaaaaa", "%00", "%ff%fe", "aaaaaaaaa%0a")
    await all_refused(http, {code: call(404, "no_such_link", f"GET /r/{code}", "2-7") for code in odd})


async def session(http: httpx.AsyncClient, who: Someone) -> tuple[dict[str, str], str]:
    """The cookie header of a session just opened, and the session's token."""
    if "sid" in jwt.decode(who.token, options={"verify_signature": False}):
        return {"Cookie": f"{COOKIE}={who.token}"}, who.token
    opened = await http.post("/api/ingest/v1/sessions", json={"token": who.token})
    assert opened.status_code == 201, opened.text
    cookie = opened.headers["set-cookie"].partition(";")[0].partition("=")[2]
    http.cookies.clear()
    assert opened.json()["csrf"] == csrf_token(cookie)
    return {"Cookie": f"{COOKIE}={cookie}"}, cookie


async def test_a_cookie_alone_changes_nothing(cast: Cast, http: httpx.AsyncClient) -> None:
    author = joined(cast.stack, "Səbinə")
    cookie, token = await session(http, author)
    editor, editors = await session(http, cast.editor)
    key = {"Idempotency-Key": str(uuid4())}
    foreign = {"X-CSRF-Token": csrf_token(token), "Origin": "https://elsewhere.example"}

    def refused(request: str, headers: dict[str, Any], **options: Any) -> Any:
        return call(403, "csrf", request, "Reload", headers=headers, **options)

    recall = {"submission_id": "x", "reason": "x"}
    await all_refused(
        http,
        {
            "no token": refused(SUBMIT, {**cookie, **key}, json=item()),
            "somebody else's": refused(
                SUBMIT, {**cookie, **key, "X-CSRF-Token": csrf_token(editors)}, json=item()
            ),
            "from elsewhere": refused(SUBMIT, {**cookie, **key, **foreign}, json=item()),
            "not ASCII": refused(SUBMIT, {**cookie, **key, "X-CSRF-Token": b"\xc9"}, json=item()),
            "a claim": refused("POST moderation/v1/claims", editor, json={}),
            "a recall": refused("POST publisher/v1/recalls", editor, json=recall),
            "signing out": refused("DELETE ingest/v1/sessions", cookie),
        },
    )
    for path in ("/send/new", "/desk/moderation/claims", "/desk/publisher/recalls", "/sign-out"):
        answer = await http.post(path, headers=editor, data={"submission_id": "x", "reason": "x"})
        assert answer.status_code == 403, (path, answer.text[:300])
    assert await own(http, author) == []
    fine = {**cookie, **key, "X-CSRF-Token": csrf_token(token)}
    assert (await http.post("/api/ingest/v1/submissions", json=item(), headers=fine)).status_code == 202


async def until_refused(http: httpx.AsyncClient, headers: dict[str, str], code: str) -> dict[str, float]:
    """The seconds until each service refused."""
    began = monotonic()

    async def refused(path: str) -> float:
        while (answer := await http.get(path, headers=headers)).status_code != 401:
            if monotonic() - began > 2 * FRESH:
                text = f"{path} still answers {answer.status_code} after {2 * FRESH} s"
                raise AssertionError(text)
            await asyncio.sleep(0.02)
        check(answer, 401, code, "Sign in again")
        return monotonic() - began

    paths = {name: request.url.path for name, request in everywhere("").items()}
    return dict(zip(paths, await asyncio.gather(*map(refused, paths.values())), strict=True))


async def test_a_dismissed_person_is_refused_by_every_service_within_two_seconds(
    cast: Cast, http: httpx.AsyncClient
) -> None:
    gone = Someone(cast.stack.staff("editor", "Murad"))
    for request in everywhere(gone.token).values():
        assert (await http.get(request.url.path, headers=request.headers)).status_code == 200
    await asyncio.to_thread(cast.stack.command, "staff", "disable", gone.person_id)

    seconds = await until_refused(http, gone.bearer, "token_revoked")

    print("refused after", {name: round(value, 2) for name, value in seconds.items()})
    assert max(seconds.values()) < FRESH


async def test_a_new_token_ends_the_old_one_and_signing_out_ends_a_session_everywhere(
    cast: Cast, http: httpx.AsyncClient
) -> None:
    who = Someone(cast.stack.staff("editor", "Zaur"))
    cookie, token = await session(http, who)
    for request in everywhere("").values():
        assert (await http.get(request.url.path, headers=cookie)).status_code == 200
    ended = await http.delete(
        "/api/ingest/v1/sessions", headers={**cookie, "X-CSRF-Token": csrf_token(token)}
    )
    assert ended.status_code == 204

    seconds = await until_refused(http, cookie, "token_revoked")
    http.cookies.clear()
    still = await http.get("/api/publisher/v1/channels", headers=who.bearer)
    new = await asyncio.to_thread(cast.stack.command, "staff", "token", who.person_id)
    after = await until_refused(http, who.bearer, "token_revoked")

    print("session refused after", seconds, "old token after", after)
    assert max(seconds.values()) < FRESH
    assert max(after.values()) < FRESH
    assert still.status_code == 200
    fresh = Someone(new.splitlines()[-1])
    assert (await http.get("/api/metrics/v1/reach", headers=fresh.bearer)).status_code == 200


TITLE: Final = "Xalça <img src=x onerror=alert(1)> \u2067عرض\u2069 ə\u0308"
BODY: Final = (
    'Birinci  sətir\ttab\n\n\u202bסיפור\u202c "><script>alert(1)</script>\n'
    "{{7*7}} ${7*7} </textarea><b onclick=alert(2)>e\u0301</b> 👩🏽\u200d🌾 javascript:alert(3)\n"
)
NORMAL: Final = BODY.replace("e\u0301", "\u00e9")


async def test_text_is_kept_as_written_and_no_page_runs_it(cast: Cast, http: httpx.AsyncClient) -> None:
    author = joined(cast.stack, "Aysel")
    mine = await sent(http, author, title=TITLE, body=BODY)
    token = await held(http, cast.moderator, mine)
    by_author, _ = await session(http, author)
    by_editor, _ = await session(http, cast.editor)
    pages = [
        await http.get(f"/desk/moderation/cases/{mine}", headers=by_editor),
        await http.get("/desk/moderation", headers=by_editor),
    ]
    body = {"claim_token": token, "verdict": "approve"}
    done = await http.post("/api/moderation/v1/decisions", json=body, headers=cast.moderator.bearer)
    assert done.status_code == 200, done.text

    async def published() -> dict[str, Any] | None:
        answer = await http.get(f"/api/ingest/v1/submissions/{mine}", headers=author.bearer)
        ledger: dict[str, Any] = answer.json()
        posted = {each["state"] for each in ledger["deliveries"]} == {"posted"}
        return ledger if posted and len(ledger["deliveries"]) == 3 else None

    ledger = await eventually(published, seconds=40, what="published everywhere")
    [site] = [each["url"] for each in ledger["deliveries"] if each["channel"] == "site"]
    pages += [
        await http.get(f"/send/{mine}", headers=by_author),
        await http.get("/send", headers=by_author),
        await http.get(f"/desk/publisher/submissions/{mine}", headers=by_editor),
        await http.get("/desk/publisher", headers=by_editor),
        await http.get(f"/desk/moderation/cases/{mine}", headers=by_editor),
        await http.get(site),
    ]

    assert ledger["published_text"] == NORMAL
    assert ledger["title"] == ledger["published_title"] == TITLE
    for page in pages:
        assert page.status_code == 200, page.url
        for live in ("<script>alert", "<img src=x", "<b onclick", "</textarea><b"):
            assert live not in page.text, (page.url, live)
        assert ">49<" not in page.text
    shown = pages[-1].text
    for line in (
        "Birinci  sətir\ttab",
        "\u202bסיפור\u202c",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "{{7*7}}",
    ):
        assert line in shown, line
