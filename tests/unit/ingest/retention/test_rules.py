"""When ingest may let go of a submission: whatever is told in whatever order, never while somebody needs it."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.retention.rules import end_for, may_go
from services.ingest.status.rules import Progress, Told, blanked, end_of, lets_go, state_of
from shared.campaign.model import RetentionPeriods
from shared.events import DeliveryState
from shared.retention.model import End, Ending
from tests.support.builders.submission_lives import (
    START,
    at,
    case,
    decided,
    delivery,
    events_of_any_kind,
    fold,
    reach,
    recalled,
)

PERIODS = RetentionPeriods().periods
LATER = at(99)
OVER = START + timedelta(days=400)
REFUSED = [case(1, "in_review"), decided(2, "reject"), case(3, "rejected")]
OUT = [decided(2, "approve"), case(3, "approved"), delivery(1, "posted", url="https://example.org/1")]


@pytest.mark.parametrize(
    ("events", "ending"),
    [
        ([], None),
        ([case(1, "screened")], None),
        ([case(1, "in_review")], None),
        (OUT, None),
        (REFUSED, "rejected"),
        ([decided(2, "request_changes"), case(3, "changes_requested")], "unanswered"),
        ([*REFUSED[:2], case(3, "changes_requested"), case(4, "screened", revision=2)], None),
        ([*OUT, case(4, "withdrawn")], "withdrawn"),
        ([*OUT, recalled(4), case(4, "recalled")], "recalled"),
        ([*OUT, delivery(2, "removing", tombstone="withdrawn")], "withdrawn"),
        ([*OUT, delivery(2, "removing", tombstone="recalled")], "recalled"),
        ([*OUT, case(4, "screened", revision=2), decided(5, "reject", revision=2)], None),
    ],
    ids=[
        "nothing is known",
        "it waits",
        "somebody reviews it",
        "it is out",
        "it was rejected",
        "nobody answered",
        "it was answered",
        "it was withdrawn",
        "it was recalled",
        "the publisher knows of the withdrawal first",
        "an editor recalled it",
        "its correction was rejected, and it is still out",
    ],
)
def test_what_ended_it(events: list[Told], ending: Ending | None) -> None:
    found = end_of(fold(events), LATER)

    assert (found.ending if found else None) == ending


@pytest.mark.parametrize(
    ("state", "free"),
    [
        ("planned", False),
        ("sending", False),
        ("posted", False),
        ("unknown", False),
        ("reconciling", False),
        ("removing", False),
        ("needs_human", True),
        ("residue", True),
        ("removed", True),
        ("cancelled", True),
        ("rejected", True),
    ],
)
def test_files_stay_until_every_channel_has_let_go(state: DeliveryState, free: bool) -> None:
    progress = fold([delivery(1, "removed", delivery_id="d0"), delivery(1, state)])

    assert lets_go(progress) == free
    assert may_go(End("withdrawn", START), progress, PERIODS, OVER) == free


@given(st.lists(events_of_any_kind, max_size=20))
def test_what_waits_or_is_seen_is_needed(events: list[Told]) -> None:
    progress = fold(events)
    revision = max((e.revision for e in (progress.case, progress.decision) if e is not None), default=1)
    state = state_of(revision, progress, withdrawn=False)

    if state in {"received", "screened", "in_review", "approved", "scheduled", "published"}:
        assert end_for(None, revision, progress, LATER) is None


@given(st.lists(events_of_any_kind, max_size=20))
def test_what_was_told_of_an_earlier_revision_ends_nothing(events: list[Told]) -> None:
    progress = fold(events)

    assert end_for(None, 3, progress, LATER) is None
    assert end_for(None, 1, Progress(), None) is None


@given(st.lists(events_of_any_kind, max_size=20))
def test_a_blank_record_tells_the_same_but_for_the_words(events: list[Told]) -> None:
    progress = fold(events)
    blank = blanked(progress)

    assert [state_of(r, blank, withdrawn=False) for r in (1, 2)] == [
        state_of(r, progress, withdrawn=False) for r in (1, 2)
    ]
    assert end_of(blank, LATER) == end_of(progress, LATER)
    assert "Mətn" not in blank.model_dump_json()
    assert blanked(blank) == blank
    assert fold([*events, reach(9, 9)]).reach is not None


def test_a_day_too_early_is_too_early() -> None:
    end = End("rejected", START)
    over = START + PERIODS["rejected"]

    assert may_go(end, Progress(), PERIODS, over)
    assert not may_go(end, Progress(), PERIODS, over - timedelta(days=1))
    assert not may_go(None, Progress(), PERIODS, OVER)
