"""What the other services say of one submission during its life."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from hypothesis import strategies as st

from services.ingest.status.rules import Progress, Told, absorb
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
