"""The ledger's fold: any order, any repetition, one record."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.status.rules import Progress, Told, absorb, state_of, submission_of
from shared.events import (
    Attribution,
    CaseChanged,
    CaseState,
    DeliveryChanged,
    DeliveryState,
    ModerationDecided,
    ModerationRecalled,
    ReachFigure,
    ReachTotalled,
    Snapshot,
    Tombstone,
    Verdict,
)

NAMESPACE = UUID("00000000-0000-0000-0000-00000000cafe")
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
SUBMISSION = "s1"


def at(version: int) -> datetime:
    return START + timedelta(minutes=version)


def case(version: int, state: CaseState, revision: int = 1) -> CaseChanged:
    return CaseChanged(
        event_id=uuid5(NAMESPACE, f"case {version} {state} {revision}"),
        occurred_at=at(version),
        subject_id=SUBMISSION,
        version=version,
        revision=revision,
        state=state,
        language="az",
        country="AZ",
    )


def decided(version: int, verdict: Verdict, revision: int = 1, body: str = "Mətn") -> ModerationDecided:
    snapshot = Snapshot(
        submission_id=SUBMISSION,
        revision=revision,
        title="Başlıq",
        body=body,
        language="az",
        country="AZ",
        attribution=Attribution(mode="anonymous"),
    )
    return ModerationDecided(
        event_id=uuid5(NAMESPACE, f"decided {version} {verdict} {revision}"),
        occurred_at=at(version),
        subject_id=SUBMISSION,
        version=version,
        revision=revision,
        decision_id=uuid5(NAMESPACE, f"decision {version}"),
        verdict=verdict,
        author_id="a1",
        snapshot=snapshot if verdict == "approve" else None,
    )


def recalled(version: int) -> ModerationRecalled:
    return ModerationRecalled(
        event_id=uuid5(NAMESPACE, f"recalled {version}"),
        occurred_at=at(version),
        subject_id=SUBMISSION,
        version=version,
        reason="other",
        by="m1",
    )


def delivery(
    version: int,
    state: DeliveryState,
    *,
    delivery_id: str = "d1",
    revision: int = 1,
    url: str | None = None,
    tombstone: Tombstone | None = None,
) -> DeliveryChanged:
    return DeliveryChanged(
        event_id=uuid5(NAMESPACE, f"delivery {delivery_id} {version} {state}"),
        occurred_at=at(version),
        subject_id=delivery_id,
        version=version,
        submission_id=SUBMISSION,
        channel="site",
        kind="website",
        language="az",
        revision=revision,
        state=state,
        url=url,
        code="abcdefghij",
        target="https://example.org/az/1",
        country="AZ",
        tombstone=tombstone,
    )


def reach(version: int, clicks: int) -> ReachTotalled:
    figure = ReachFigure(value=clicks, source="links", as_of=at(version))
    return ReachTotalled(
        event_id=uuid5(NAMESPACE, f"reach {version} {clicks}"),
        occurred_at=at(version),
        subject_id=SUBMISSION,
        version=version,
        totals={"clicks": figure},
    )


def fold(events: Sequence[Told]) -> Progress:
    progress = Progress()
    for event in events:
        progress = absorb(progress, event)
    return progress


POSTED = "https://example.org/az/1"
LIFE: tuple[Told, ...] = (
    case(1, "screened"),
    case(2, "in_review"),
    decided(3, "request_changes"),
    case(3, "changes_requested"),
    case(4, "screened", revision=2),
    case(5, "in_review", revision=2),
    decided(6, "approve", revision=2),
    case(6, "approved", revision=2),
    delivery(1, "planned", revision=2),
    delivery(2, "sending", revision=2),
    delivery(3, "posted", revision=2, url=POSTED),
    delivery(1, "planned", delivery_id="d2", revision=2),
    delivery(2, "sending", delivery_id="d2", revision=2),
    delivery(3, "rejected", delivery_id="d2", revision=2),
    reach(1, 3),
    reach(2, 8),
)

events_of_any_kind = st.one_of(
    st.builds(
        case, st.integers(1, 5), st.sampled_from(["screened", "in_review", "approved"]), st.integers(1, 2)
    ),
    st.builds(
        decided,
        st.integers(1, 5),
        st.sampled_from(["approve", "reject", "request_changes"]),
        st.integers(1, 2),
    ),
    st.builds(recalled, st.integers(1, 5)),
    st.builds(
        delivery,
        st.integers(1, 5),
        st.sampled_from(["planned", "sending", "posted", "unknown", "removing", "removed"]),
        delivery_id=st.sampled_from(["d1", "d2", "d3"]),
    ),
    st.builds(reach, st.integers(1, 5), st.integers(0, 9)),
)


@given(st.data())
def test_any_order_and_repetition_of_a_life_gives_one_ledger(data: st.DataObject) -> None:
    repeated = data.draw(st.lists(st.sampled_from(LIFE), max_size=20))
    shuffled = data.draw(st.permutations([*LIFE, *repeated]))

    assert fold(LIFE) == fold(shuffled)


@given(st.lists(events_of_any_kind, max_size=25), st.randoms())
def test_any_order_of_any_events_gives_one_ledger(events: list[Told], random: Random) -> None:
    shuffled = [*events, *events]
    random.shuffle(shuffled)

    assert fold(events) == fold(shuffled)


@given(st.lists(events_of_any_kind, max_size=25))
def test_no_versions_go_backward(events: list[Told]) -> None:
    progress, highest = Progress(), 0
    for event in events:
        progress = absorb(progress, event)
        if isinstance(event, CaseChanged):
            highest = max(highest, event.version)
            assert progress.case is not None
            assert progress.case.version == highest


@pytest.mark.parametrize(
    ("revision", "events", "state"),
    [
        (1, [], "received"),
        (1, [case(1, "screened")], "screened"),
        (1, [case(1, "screened"), case(2, "in_review")], "in_review"),
        (1, [decided(3, "request_changes")], "changes_requested"),
        (1, [case(2, "in_review"), decided(3, "reject")], "rejected"),
        (1, [decided(3, "reject"), case(3, "rejected")], "rejected"),
        (2, [decided(3, "request_changes"), case(3, "changes_requested")], "received"),
        (2, [decided(3, "request_changes"), case(4, "screened", revision=2)], "screened"),
        (1, [decided(3, "approve")], "approved"),
        (1, [decided(3, "approve"), delivery(1, "planned")], "scheduled"),
        (1, [decided(3, "approve"), delivery(2, "unknown")], "scheduled"),
        (1, [decided(3, "approve"), delivery(3, "rejected")], "approved"),
        (1, [decided(3, "approve"), delivery(3, "posted", url=POSTED)], "published"),
        (1, [decided(3, "approve"), delivery(4, "unknown", url=POSTED)], "published"),
        (1, [delivery(3, "posted", url=POSTED)], "received"),
        (1, [decided(3, "approve"), delivery(3, "posted", url=POSTED), recalled(4)], "recalled"),
        (1, [recalled(4), decided(5, "approve")], "recalled"),
        (1, [decided(3, "approve"), delivery(4, "removing", url=POSTED, tombstone="recalled")], "recalled"),
        (1, [case(9, "withdrawn")], "withdrawn"),
    ],
)
def test_a_state_is_one_word_for_where_a_revision_stands(
    revision: int, events: list[Told], state: str
) -> None:
    assert state == state_of(revision, fold(events), withdrawn=False)


def test_a_withdrawal_stands_over_everything() -> None:
    assert state_of(2, fold(LIFE), withdrawn=True) == "withdrawn"


def test_a_decision_keeps_the_text_as_published() -> None:
    decision = fold([decided(3, "approve", body="Düzəldilmiş mətn")]).decision

    assert decision is not None
    assert (decision.title, decision.body) == ("Başlıq", "Düzəldilmiş mətn")


@pytest.mark.parametrize("event", LIFE)
def test_every_event_names_its_submission(event: Told) -> None:
    assert submission_of(event) == SUBMISSION
