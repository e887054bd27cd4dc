"""Languages lie in ranges by whole subtags."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.text.language_ranges import in_range, in_ranges, narrowed, nearest

TAGS = st.sampled_from(
    ["pt", "pt-BR", "pt-PT", "sr", "sr-Latn", "sr-Latn-RS", "no", "nb", "nn-NO", "zh-Hant", "*"]
)


@pytest.mark.parametrize(
    ("tag", "language_range", "lies"),
    [
        ("pt-BR", "pt", True),
        ("pt", "pt-BR", False),
        ("PT-br", "pt-BR", True),
        ("ptx", "pt", False),
        ("sr-Latn-RS", "sr-Latn", True),
        ("sr-Cyrl", "sr-Latn", False),
        ("nb", "no", True),
        ("nn-NO", "no", True),
        ("nb-NO", "no-NO", True),
        ("no", "nb", False),
        ("nb", "nn", False),
        ("hr", "sr", False),
        ("az", "*", True),
    ],
)
def test_a_tag_lies_in_a_range_by_whole_subtags(tag: str, language_range: str, lies: bool) -> None:
    assert in_range(tag, language_range) is lies


@given(st.frozensets(TAGS, min_size=1), st.frozensets(TAGS, min_size=1), TAGS.filter(lambda tag: tag != "*"))
def test_what_is_narrowed_takes_what_both_take(one: frozenset[str], other: frozenset[str], tag: str) -> None:
    assert in_ranges(tag, narrowed(one, other)) == (in_ranges(tag, one) and in_ranges(tag, other))


@pytest.mark.parametrize(
    ("tag", "found"),
    [("az", "az"), ("az-Cyrl-AZ", "az"), ("sr-Latn", "sr-Latn"), ("nb", "no"), ("nb-NO", "no"), ("xx", "en")],
)
def test_the_nearest_language_is_taken(tag: str, found: str) -> None:
    assert nearest(tag, {"az", "sr", "sr-Latn", "no", "en"}, "en") == found
