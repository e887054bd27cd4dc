"""Tokens, roles, scopes: who is let in and who is refused, and with which words."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import Request

from shared.events import Scopes
from shared.http.problems import Problem
from shared.identity.tokens import (
    Issuer,
    OwnKeys,
    Principal,
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
