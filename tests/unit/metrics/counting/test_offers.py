"""Batches that share an entry each learn what was new of their own."""

from hypothesis import given
from hypothesis import strategies as st

from services.metrics.counting.delivery_reach import JournalEntry
from services.metrics.counting.model import CountedClick
from services.metrics.counting.offers import Offer, shares


def offer(*ids: int) -> Offer[CountedClick]:
    return Offer([CountedClick(id_, 0, "abcdefghij") for id_ in ids], 1, 1)


def entry(*ids: int) -> JournalEntry:
    return JournalEntry(1, "clicked", clicks=tuple(CountedClick(id_, 0, "abcdefghij") for id_ in ids))


def test_what_several_brought_is_the_firsts() -> None:
    assert shares([offer(1, 2), offer(2, 3, 3), offer(1)], entry(1, 2, 3)) == [2, 1, 0]


def test_without_an_entry_nothing_was_new() -> None:
    assert shares([offer(1, 2), offer()], None) == [0, 0]


@given(st.lists(st.lists(st.integers(0, 20), max_size=8), min_size=1, max_size=5))
def test_the_shares_are_the_entry(batches: list[list[int]]) -> None:
    admitted = {id_ for batch in batches for id_ in batch if id_ % 3}

    assert sum(shares([offer(*batch) for batch in batches], entry(*admitted))) == len(admitted)
