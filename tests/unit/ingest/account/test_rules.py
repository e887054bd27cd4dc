"""How far the deletion of an account has come, and when it may be closed."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.account.rules import LONGEST, TOKENS_OUTLIVE, deletion_of, is_over, may_close
from services.ingest.status.rules import Progress
from tests.support.builders.submission_lives import START, delivery, fold

OUT = fold([delivery(1, "removing", tombstone="withdrawn")])
GONE = fold([delivery(1, "removing", tombstone="withdrawn"), delivery(2, "removed", tombstone="withdrawn")])
sent = st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from([Progress(), OUT, GONE])), max_size=6)


@given(sent)
def test_every_submission_is_counted(each: list[tuple[bool, bool, Progress]]) -> None:
    deletion = deletion_of(each)

    assert deletion.submissions == len(each)
    assert deletion.on_channels == sum(progress == OUT for _, _, progress in each)
    assert deletion.done == all(erased for _, erased, _ in each)


@given(sent, st.timedeltas(timedelta(0), timedelta(days=9)))
def test_nothing_that_is_not_withdrawn_loses_its_author(
    each: list[tuple[bool, bool, Progress]], later: timedelta
) -> None:
    deletion = deletion_of(each)

    if may_close(deletion, START, START + later):
        assert all(withdrawn for withdrawn, _, _ in each)
        assert deletion.done or later >= LONGEST


def test_somebody_who_sent_nothing_leaves_at_once() -> None:
    assert may_close(deletion_of([]), START, START)


def test_a_channel_that_does_not_let_go_keeps_nobody_for_ever() -> None:
    deletion = deletion_of([(True, False, OUT)])

    assert not may_close(deletion, START, START + LONGEST - timedelta(seconds=1))
    assert may_close(deletion, START, START + LONGEST)


def test_a_closed_account_is_looked_at_once_more_when_its_tokens_are_refused() -> None:
    deletion = deletion_of([(True, True, GONE)])

    assert not is_over(deletion, None, START)
    assert not is_over(deletion, START, START + TOKENS_OUTLIVE - timedelta(seconds=1))
    assert is_over(deletion, START, START + TOKENS_OUTLIVE)
    assert not is_over(deletion_of([(True, False, OUT)]), START, START + timedelta(days=9))
