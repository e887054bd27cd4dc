"""Submissions, policies and decisions to try things on."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from services.moderation.screening.rules import ClassRule, Policy
from shared.campaign.defaults import CLASSES, REASONS
from shared.events import AiUse, Attribution, Consent, Media, SubmissionReceived

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
POLICY = Policy(
    {each["id"]: ClassRule(each["id"], 2, blur=each["id"] in {"graphic", "victims"}) for each in CLASSES},
    frozenset(REASONS),
    frozenset({"site", "tg"}),
    countries=("AZ", "US", "NO"),
)


def photo(sha: str = "a", alt: str = "Bazarda nar satan qadın") -> Media:
    return Media(sha256=sha * 64, type="image/jpeg", bytes=1234, width=800, height=600, alt=alt)


def submission(**changes: Any) -> SubmissionReceived:
    fields: dict[str, Any] = {
        "event_id": uuid4(),
        "occurred_at": NOW,
        "subject_id": str(uuid4()),
        "version": 1,
        "revision": 1,
        "author_id": "author",
        "title": "Novruz süfrəsi",
        "body": "Səməni göyərdirik və tonqal qalayırıq.",
        "language": "az",
        "country": "AZ",
        "attribution": Attribution(mode="pseudonym", text="Nərgiz"),
        "consent": Consent(terms_version="1", people_shown="none", rights="own"),
        "ai": AiUse(),
    }
    return SubmissionReceived(**{**fields, **changes})


def sensitive(**changes: Any) -> SubmissionReceived:
    consent = Consent(terms_version="1", people_shown="minors_guardian_agreed", rights="own")
    return submission(**{"consent": consent, **changes})
