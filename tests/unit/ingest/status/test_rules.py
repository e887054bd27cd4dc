"""The ledger's fold: any order, any repetition, one record."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.status.rules import Progress, Told, absorb, recall_reason, state_of, submission_of
from shared.events import (
    CaseChanged,
)
from tests.support.builders.submission_lives import (
    LIFE,
    POSTED,
    SUBMISSION,
    case,
    decided,
    delivery,
    events_of_any_kind,
    fold,
    recalled,
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


def test_the_author_is_told_why_it_was_recalled_by_whichever_desk() -> None:
    by_an_editor = delivery(3, "removing", tombstone="recalled").model_copy(
        update={"recall_reason": "called off"}
    )

    assert recall_reason(fold([])) is None
    assert recall_reason(fold([recalled(4)])) == "other"
    assert recall_reason(fold([delivery(2, "posted"), by_an_editor])) == "called off"


@given(st.permutations([decided(2, "request_changes"), decided(5, "approve", 2), decided(4, "reject", 2)]))
def test_the_last_word_on_each_revision_is_kept(events: list[Told]) -> None:
    progress = fold([*events, *events])

    assert progress.decision is not None
    assert (progress.decision.revision, progress.decision.verdict) == (2, "approve")
    assert [(each.revision, each.verdict) for each in progress.earlier] == [(1, "request_changes")]
