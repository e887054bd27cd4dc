"""An exported head comes from outside: whatever the file holds, it is a head that is checked, or it is refused."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from services.moderation.audit.head import ABOUT, Head, HeadRefused, seal_of
from shared.identity.statements import Seal, StatementRefused, check, sealed
from shared.identity.tokens import key_id

KEY = Ed25519PrivateKey.generate()
KEYS = {key_id(KEY.public_key()): KEY.public_key()}
HEAD = Head(7, "2026-11-01T00:00:00.000Z", "a" * 64, seal_of(7, "2026-11-01T00:00:00.000Z", "a" * 64, KEY))


def test_an_exported_head_is_read_back_and_checks() -> None:
    found = Head.parse(json.dumps(HEAD.document()))

    assert found == HEAD
    found.check(KEYS)


@pytest.mark.parametrize(
    "changed",
    [
        {"number": 8},
        {"at": "2026-11-02T00:00:00.000Z"},
        {"hash": "b" * 64},
        {
            "signature": {
                "kid": HEAD.seal.kid,
                "value": ("B" if HEAD.seal.value[0] == "A" else "A") + HEAD.seal.value[1:],
            }
        },
        {"signature": {"kid": HEAD.seal.kid, "value": HEAD.seal.value + "="}},
        {"signature": {"kid": "other", "value": HEAD.seal.value}},
        {"signature": {"kid": HEAD.seal.kid, "value": ""}},
        {"signature": {"kid": HEAD.seal.kid, "value": "é"}},
    ],
)
def test_a_head_with_a_change_does_not_check(changed: dict[str, Any]) -> None:
    found = Head.parse(json.dumps({**HEAD.document(), **changed}))

    with pytest.raises(StatementRefused):
        found.check(KEYS)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(field=st.sampled_from(["about", "number", "at", "hash", "signature"]), value=json_values)
def test_a_head_with_any_other_value_is_refused_in_words(field: str, value: Any) -> None:
    text = json.dumps({**HEAD.document(), field: value})

    try:
        found = Head.parse(text)
    except HeadRefused:
        return
    if found != HEAD:
        with pytest.raises(StatementRefused):
            found.check(KEYS)


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "7", "{", "{}", '"x"', "[" * 500, "[" * 100_000, '{"about": 1}']
)
def test_what_is_no_head_is_refused_in_words(text: str) -> None:
    with pytest.raises(HeadRefused):
        Head.parse(text)


def test_a_statement_of_one_kind_is_none_of_another() -> None:
    fields: dict[str, str | int] = {"number": 7, "at": HEAD.at, "hash": HEAD.hash}

    check(ABOUT, fields, HEAD.seal, KEYS)
    with pytest.raises(StatementRefused):
        check("something else", fields, HEAD.seal, KEYS)
    with pytest.raises(StatementRefused):
        check(ABOUT, fields, sealed("something else", fields, KEY), KEYS)
    assert Seal.of(HEAD.seal.document()) == HEAD.seal
