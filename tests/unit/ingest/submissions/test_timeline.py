from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from services.ingest.status.rules import Progress, Told, absorb
from services.ingest.submissions.store import Manuscript, Revision, Submission
from services.ingest.submissions.timeline import life
from services.ingest.validation.rules import Draft
from shared.events import (
    Attribution,
    CaseChanged,
    CaseState,
    Consent,
    DeliveryChanged,
    DeliveryState,
    ModerationDecided,
    ModerationRecalled,
    Verdict,
)

START = datetime(2026, 3, 21, 12, tzinfo=UTC)
DRAFT = Draft(
    title="Bayram",
    body="Mətn.",
    language="az",
    country="AZ",
    attribution=Attribution(mode="anonymous"),
    consent=Consent(terms_version="1", people_shown="none", rights="own"),
)


def submission(*, withdrawn: bool = False) -> Submission:
    revision = Revision(1, START, Manuscript("k", "f", DRAFT, ()))
    return Submission("s1", "p1", (revision,), withdrawn)


def at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def case(version: int, state: CaseState) -> CaseChanged:
    return CaseChanged(
        event_id=uuid4(),
        occurred_at=at(version),
        subject_id="s1",
        version=version,
        revision=1,
        state=state,
        language="az",
        country="AZ",
    )


def decided(version: int, verdict: Verdict) -> ModerationDecided:
    return ModerationDecided(
        event_id=uuid4(),
        occurred_at=at(version),
        subject_id="s1",
        version=version,
        revision=1,
        decision_id=uuid4(),
        verdict=verdict,
        author_id="p1",
    )


def delivery(version: int, state: DeliveryState, channel: str = "site") -> DeliveryChanged:
    return DeliveryChanged(
        event_id=uuid4(),
        occurred_at=at(version),
        subject_id=f"d-{channel}",
        version=version,
        submission_id="s1",
        channel=channel,
        kind="website",
        language="az",
        revision=1,
        state=state,
        code="c",
        target="t",
        country="AZ",
        url="https://example.org" if state == "posted" else None,
    )


def recall(version: int) -> ModerationRecalled:
    return ModerationRecalled(
        event_id=uuid4(), occurred_at=at(version), subject_id="s1", version=version, reason="r", by="p2"
    )


def told(*events: Told) -> Progress:
    progress = Progress()
    for event in events:
        progress = absorb(progress, event)
    return progress


@pytest.mark.parametrize(
    ("events", "state", "steps"),
    [
        ([], "received", "received:current in_review:todo decided:todo published:todo"),
        ([case(1, "screened")], "screened", "received:current in_review:todo decided:todo published:todo"),
        ([case(2, "in_review")], "in_review", "received:done in_review:current decided:todo published:todo"),
        ([decided(3, "reject")], "rejected", "received:done in_review:done rejected:stopped"),
        (
            [decided(3, "request_changes")],
            "changes_requested",
            "received:done in_review:done changes_requested:current",
        ),
        ([decided(3, "approve")], "approved", "received:done in_review:done approved:done published:todo"),
        (
            [decided(3, "approve"), delivery(1, "planned")],
            "scheduled",
            "received:done in_review:done approved:done published:current",
        ),
        (
            [decided(3, "approve"), delivery(3, "posted")],
            "published",
            "received:done in_review:done approved:done published:done",
        ),
        ([decided(3, "approve"), recall(4)], "recalled", "received:done approved:done recalled:stopped"),
    ],
)
def test_a_life_is_told_in_steps(events: list[Told], state: str, steps: str) -> None:
    found, path = life(submission(), told(*events))
    assert found == state
    assert " ".join(f"{step.code}:{step.status}" for step in path) == steps


def test_steps_carry_their_times() -> None:
    progress = told(decided(3, "approve"), delivery(7, "posted"), delivery(5, "posted", "tg"))
    _, path = life(submission(), progress)
    assert [step.at for step in path] == [START, None, at(3), at(5)]


def test_what_was_withdrawn_ends_there_whatever_was_decided() -> None:
    state, path = life(submission(withdrawn=True), told(decided(3, "approve")))
    assert state == "withdrawn"
    assert path[-1].code == "withdrawn"
    assert path[-1].status == "stopped"


def test_what_happened_to_earlier_revisions_stays_in_the_story() -> None:
    revisions = tuple(Revision(n, at(10 * n), Manuscript(f"k{n}", "f", DRAFT, ())) for n in (1, 2, 3))
    asked = [decided(n, "request_changes").model_copy(update={"revision": n}) for n in (1, 2)]
    now_in_review = case(5, "in_review").model_copy(update={"revision": 3})

    state, path = life(Submission("s1", "p1", revisions, withdrawn=False), told(*asked, now_in_review))

    assert state == "in_review"
    assert [(step.code, step.at) for step in path[:5]] == [
        ("received", at(10)),
        ("changes_requested", at(1)),
        ("received", at(20)),
        ("changes_requested", at(2)),
        ("received", at(30)),
    ]
