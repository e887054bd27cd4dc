"""Decisions are believed only as they were signed."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from shared.events import Approval, Attribution, Media, ModerationDecided, Signature, Snapshot
from shared.identity.signing import SignatureError, canonical, sign, sign_message, verify, verify_message
from shared.identity.tokens import Issuer, Principal, key_id

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
KEYS = {key_id(KEY.public_key()): KEY.public_key()}
NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, UTC)


def decision(title: str = "Novruz süfrəsi", duration: float | None = 12.0) -> ModerationDecided:
    media = Media(sha256="a" * 64, type="video/mp4", bytes=9, width=4, height=3, duration=duration)
    return ModerationDecided(
        event_id=UUID(int=1),
        occurred_at=NOW,
        subject_id="s1",
        version=3,
        revision=1,
        decision_id=UUID(int=2),
        verdict="approve",
        author_id="p1",
        approvals=(Approval(person_id="m1", at=NOW),),
        snapshot=Snapshot(
            submission_id="s1",
            revision=1,
            title=title,
            body="b",
            language="az",
            country="AZ",
            media=(media,),
            attribution=Attribution(mode="anonymous"),
        ),
    )


@given(st.text(), st.none() | st.floats(min_value=0, max_value=1e6))
def test_a_signed_decision_is_believed_after_its_journey(title: str, duration: float | None) -> None:
    signed = sign(decision(title, duration), KEY)

    verify(signed, KEYS)
    verify(ModerationDecided.model_validate_json(signed.model_dump_json()), KEYS)


def test_a_decision_from_a_version_without_a_newer_optional_field_is_believed() -> None:
    class Newer(ModerationDecided):
        remark: str | None = None

    verify(Newer.model_validate_json(sign(decision(), KEY).model_dump_json()), KEYS)


def refusal(event: ModerationDecided) -> str:
    with pytest.raises(SignatureError) as caught:
        verify(event, KEYS)
    return caught.value.code


def test_an_unsigned_decision_is_refused() -> None:
    assert refusal(decision()) == "unsigned"


def test_a_decision_signed_by_a_stranger_is_refused() -> None:
    assert refusal(sign(decision(), Ed25519PrivateKey.generate())) == "unknown_key"


@pytest.mark.parametrize("value", ["", "AAAA", "not base64!", "ä"])
def test_a_decision_with_a_broken_signature_is_refused(value: str) -> None:
    signature = Signature(kid=next(iter(KEYS)), value=value)

    assert refusal(decision().model_copy(update={"signature": signature})) == "altered"


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "reject"},
        {"version": 4},
        {"decision_id": uuid4()},
        {"approvals": ()},
        {"author_id": "p2"},
        {"message": "x"},
        {"snapshot": decision("Another").snapshot},
    ],
)
def test_an_altered_decision_is_refused(change: dict[str, object]) -> None:
    assert refusal(sign(decision(), KEY).model_copy(update=change)) == "altered"


SUBJECT = "moderation.recalled.v1"


def message_refusal(subject: str, body: bytes, header: str | None) -> str:
    with pytest.raises(SignatureError) as refused:
        verify_message(subject, body, header, KEYS)
    return refused.value.code


@given(st.binary())
def test_a_signed_message_is_believed_whatever_its_bytes_say(body: bytes) -> None:
    header = sign_message(SUBJECT, body, KEY)

    verify_message(SUBJECT, body, header, KEYS)
    assert header == sign_message(SUBJECT, body, KEY)
    assert header.isascii()
    assert "\n" not in header


@given(st.binary(), st.binary())
def test_a_message_is_believed_as_it_was_signed_and_where(body: bytes, other: bytes) -> None:
    header = sign_message(SUBJECT, body, KEY)

    assert message_refusal("submissions.withdrawn.v1", body, header) == "altered"
    if other != body:
        assert message_refusal(SUBJECT, other, header) == "altered"


@given(st.text())
def test_no_other_header_is_believed(header: str) -> None:
    assert message_refusal(SUBJECT, b"{}", header) in {"altered", "unknown_key"}
    assert message_refusal(SUBJECT, b"{}", f"{key_id(KEY.public_key())}.{header}") == "altered"


def test_a_message_without_signature_or_by_somebody_else_is_not_believed() -> None:
    stranger = Ed25519PrivateKey.from_private_bytes(b"s" * 32)

    assert message_refusal(SUBJECT, b"{}", None) == "unsigned"
    assert message_refusal(SUBJECT, b"{}", sign_message(SUBJECT, b"{}", stranger)) == "unknown_key"


def test_no_token_and_no_decision_by_the_same_key_signs_a_message() -> None:
    """What the key signs elsewhere never begins with a subject and a line feed."""
    token = Issuer(KEY).issue(Principal("p", "admin"), now=NOW)
    signed, _, value = token.rpartition(".")

    assert b"\n" not in signed.encode()
    assert message_refusal(SUBJECT, signed.encode(), f"{key_id(KEY.public_key())}.{value}") == "altered"
    assert canonical(decision()).startswith(b"{")
