"""What two texts have in common is found whole, and in bounded time."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.text.differences import common_stretches

MOST: Final = 300


@given(st.lists(st.sampled_from("abc"), max_size=9), st.lists(st.sampled_from("abc"), max_size=9))
def test_as_much_as_possible_is_left_unmarked(old: list[str], new: list[str]) -> None:
    common = common_stretches(old, new, MOST)

    assert common is not None
    assert sum(each.length for each in common) == longest_common(old, new)
    for each in common:
        assert old[each.old : each.old + each.length] == new[each.new : each.new + each.length]


def longest_common(old: list[str], new: list[str]) -> int:
    row = [0] * (len(new) + 1)
    for a in old:
        before = row[:]
        for place, b in enumerate(new):
            row[place + 1] = before[place] + 1 if a == b else max(before[place + 1], row[place])
    return row[-1]


class Counted(str):
    """A word that counts how often it is compared."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


@pytest.mark.parametrize(
    ("one", "other"), [("a", "a"), ("a", "b"), ("ab", "ba"), ("aab", "abb"), ("abcd", "acbd"), ("a", "aa")]
)
def test_comparing_takes_no_longer_per_word_the_longer_the_texts_are(one: str, other: str) -> None:
    def comparisons(size: int) -> int:
        Counted.compared = 0
        old, new = ([Counted(each) for each in (text * size)[:size]] for text in (one, other))
        common_stretches(old, new, MOST)
        return Counted.compared

    assert comparisons(8_000) <= 4 * comparisons(2_000) + MOST * MOST
