"""Tokens, roles, scopes: who is let in and who is refused, and with which words."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import Request
from starlette.types import Message

from shared.events import Scopes
from shared.http.problems import Problem
from shared.identity.tokens import (
    COOKIE,
    Epochs,
    Guard,
    Issuer,
    OwnKeys,
    Principal,
    TokenClaims,
    _check_same_site,
    csrf_token,
    jwks,
    key_id,
    public_keys,
    signing_key,
    verify,
)

NOW = datetime.now(UTC)
KEY = Ed25519PrivateKey.generate()
KEYS = OwnKeys(KEY.public_key())
LEYLA = Principal("p1", "moderator", Scopes(countries=("TR", "DE"), languages=("az", "en")), epoch=3)


async def refusal(token: str) -> str:
    with pytest.raises(Problem) as caught:
        await verify(token, KEYS)
    assert caught.value.status == 401
    assert "Bearer" in caught.value.headers["WWW-Authenticate"]
    return caught.value.code


async def test_a_token_gives_back_the_person_it_was_issued_for() -> None:
    claims = await verify(Issuer(KEY).issue(LEYLA, now=NOW), KEYS)

    assert claims.principal == LEYLA


async def test_an_expired_token_is_refused_as_expired() -> None:
    token = Issuer(KEY).issue(LEYLA, now=NOW - timedelta(hours=13))

    assert await refusal(token) == "token_expired"


async def test_a_token_of_another_key_is_refused() -> None:
    assert await refusal(Issuer(Ed25519PrivateKey.generate()).issue(LEYLA, now=NOW)) == "token_invalid"


async def test_a_token_that_claims_no_signature_is_refused() -> None:
    token = Issuer(KEY).issue(LEYLA, now=NOW)
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": key_id(KEY.public_key())}).encode())
    forged = header.decode().rstrip("=") + "." + token.split(".")[1] + "."

    assert await refusal(forged) == "token_invalid"


@pytest.mark.parametrize("position", [30, 120, -5])
async def test_a_token_with_one_changed_character_is_refused(position: int) -> None:
    token = Issuer(KEY).issue(LEYLA, now=NOW)
    index = position % len(token)
    changed = token[:index] + ("A" if token[index] != "A" else "B") + token[index + 1 :]

    assert await refusal(changed) == "token_invalid"


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "ü" * 40, "." * 400])
async def test_what_is_no_token_is_refused(token: str) -> None:
    assert await refusal(token) == "token_invalid"


@pytest.mark.parametrize(
    ("holder", "wanted", "has"),
    [
        ("admin", "operator", True),
        ("admin", "editor", True),
        ("editor", "moderator", True),
        ("moderator", "editor", False),
        ("coordinator", "moderator", False),
        ("volunteer", "moderator", False),
        ("admin", "volunteer", False),
    ],
)
def test_a_role_has_its_own_rights_and_those_it_implies(holder: str, wanted: str, *, has: bool) -> None:
    person = Principal("p", holder)  # type: ignore[arg-type]  # the table's strings are roles

    assert person.has(wanted) is has  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize(
    ("country", "language", "sees"),
    [("TR", "az", True), ("TR", "ru", False), ("FR", "az", False), ("DE", "en", True)],
)
def test_scopes_limit_what_staff_may_see(country: str, language: str, *, sees: bool) -> None:
    assert LEYLA.may_see(country=country, language=language) is sees
    assert Principal("p", "admin").may_see(country=country, language=language)


def test_a_key_is_made_once_with_narrow_rights(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "ingest.pem"
    first, second = signing_key(path), signing_key(path)

    assert first.private_bytes_raw() == second.private_bytes_raw()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_key_set_survives_its_own_document() -> None:
    found = public_keys(json.loads(json.dumps(jwks(KEY.public_key()))))

    assert {kid: key.public_bytes_raw() for kid, key in found.items()} == {
        key_id(KEY.public_key()): KEY.public_key().public_bytes_raw()
    }


def test_a_form_token_belongs_to_one_session() -> None:
    assert csrf_token("one") == csrf_token("one")
    assert csrf_token("one") != csrf_token("two")


@pytest.mark.parametrize("given", [None, "", "another", "\u00c9\u00e9", csrf_token("other")])
async def test_a_form_token_that_is_not_the_sessions_is_refused(given: str | None) -> None:
    headers = [] if given is None else [(b"x-csrf-token", given.encode("latin-1"))]
    request = Request({"type": "http", "method": "POST", "path": "/", "headers": headers})

    with pytest.raises(Problem) as caught:
        await _check_same_site(request, "cookie")

    assert (caught.value.status, caught.value.code) == (403, "csrf")


class Body:
    """A form on its way, and whether anybody read it."""

    def __init__(self, content: bytes) -> None:
        self.content, self.read = content, False

    async def receive(self) -> Message:
        self.read = True
        return {"type": "http.request", "body": self.content, "more_body": False}

    def to(self, path: str, cookie: str, **more: str) -> Request:
        headers = {
            "cookie": f"{COOKIE}={cookie}",
            "content-type": "application/x-www-form-urlencoded",
            **more,
        }
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "POST", "path": path, "headers": raw, "query_string": b""}
        return Request(scope, self.receive)


class NoChanges(Epochs):
    """Everybody's tokens count."""

    def __init__(self) -> None:
        pass

    async def refuses(self, claims: TokenClaims) -> bool:
        return False


GUARD = Guard(OwnKeys(KEY.public_key()), NoChanges())


async def turned_away(request: Request) -> tuple[int, str]:
    with pytest.raises(Problem) as caught:
        await GUARD.any(request)
    return caught.value.status, caught.value.code


@pytest.mark.parametrize("path", ["/send/new", "/v1/uploads", "/v1/submissions"])
@pytest.mark.parametrize("cookie", ["nonsense", "a.b.c", ""])
async def test_nobodys_form_is_read_before_the_session_is_known_to_be_good(path: str, cookie: str) -> None:
    body = Body(b"csrf=x")

    assert (await turned_away(body.to(path, cookie)))[0] == 401
    assert not body.read


async def test_a_forms_field_counts_on_pages_and_is_not_even_read_where_scripts_call() -> None:
    cookie = Issuer(KEY).issue(LEYLA, now=NOW)
    form = f"csrf={csrf_token(cookie)}".encode()

    assert await GUARD.any(Body(form).to("/send/new", cookie)) == LEYLA
    for path in ("/v1/uploads", "/v1/submissions"):
        body = Body(form)
        assert await turned_away(body.to(path, cookie)) == (403, "csrf")
        assert not body.read
        fine = body.to(path, cookie, **{"x-csrf-token": csrf_token(cookie)})
        assert await GUARD.any(fine) == LEYLA
