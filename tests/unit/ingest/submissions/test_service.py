"""What makes two requests the same."""

from dataclasses import fields, make_dataclass, replace

import pytest

from services.ingest.submissions.service import fingerprint
from services.ingest.submissions.store import DRAFT, DRAFTED
from services.ingest.validation.rules import Attachment, Draft
from shared.events import AiUse, Attribution, Consent, Event, SubmissionReceived

PLAIN = Draft(
    title="Xalça sərgisi",
    body="Bu gün açıldı.\n",
    language="az",
    country="AZ",
    attribution=Attribution(mode="anonymous"),
    consent=Consent(terms_version="1", people_shown="none", rights="own"),
)
FULL = Draft(
    title="T",
    body="",
    language="sr-Latn",
    country="RS",
    section="youth",
    hashtags=("Bakı", "IRS"),
    attachments=(Attachment("u1", "alt"), Attachment("u2")),
    attribution=Attribution(mode="pseudonym", text="Dağ"),
    consent=Consent(terms_version="2026-11", people_shown="minors_guardian_agreed", rights="licensed"),
    ai=AiUse(made=True, edited=False),
)


@pytest.mark.parametrize(
    ("draft", "stored"),
    [
        (PLAIN, "133853d0441acabd93b2bdfae1fa8cab05f9b68c7b42dddd6ccd8f93fe2311d9"),
        (FULL, "306326ed153770afb634eb3fb839e33cdf45c6bfee7c9c4af58494dd29c802fb"),
    ],
)
def test_what_was_stored_by_earlier_versions_is_still_known(draft: Draft, stored: str) -> None:
    assert fingerprint(draft) == stored


@pytest.mark.parametrize("field", [field.name for field in fields(Draft)])
def test_two_drafts_that_differ_in_any_field_are_not_the_same(field: str) -> None:
    other = replace(PLAIN, **{field: getattr(FULL, field)})

    assert fingerprint(other) != fingerprint(PLAIN)


def test_a_field_that_drafts_get_one_day_counts_by_itself() -> None:
    later = make_dataclass("later", [("place", str, "")], bases=(Draft,), frozen=True, kw_only=True)
    given = {field.name: getattr(PLAIN, field.name) for field in fields(PLAIN)}

    assert fingerprint(later(**given, place="Bakı")) != fingerprint(later(**given, place="Gəncə"))


def test_the_event_tells_every_field_that_an_author_writes() -> None:
    told = set(SubmissionReceived.model_fields) - set(Event.model_fields) - {"author_id", "revision"}

    assert set(DRAFTED) == told - {"media"}
    assert set(DRAFT) - set(DRAFTED) == {"attachments"}, "uploads are told as media"
