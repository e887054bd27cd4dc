"""A text of the terms is taken apart into what a page shows, and loses no word."""

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.terms.model import TermsPart, parts_of

TEXT = """
# What you send
It has to be yours,
or you may share it.

# What we do
- We read it.
- We decide.
Then you hear of it.

Last words.
"""


def test_headings_paragraphs_and_lists_are_told_apart() -> None:
    assert parts_of(TEXT) == (
        TermsPart("What you send", heading=True),
        TermsPart("It has to be yours, or you may share it."),
        TermsPart("What we do", heading=True),
        TermsPart(items=("We read it.", "We decide.")),
        TermsPart("Then you hear of it."),
        TermsPart("Last words."),
    )


def test_two_headings_in_a_row_are_two() -> None:
    assert parts_of("# One\n# One\n# Two") == (
        TermsPart("One", heading=True),
        TermsPart("One", heading=True),
        TermsPart("Two", heading=True),
    )


@given(st.lists(st.sampled_from(["# a b", "- c", "d e", "", "  f  ", "-g", "#h"]), max_size=12))
def test_no_word_is_lost(lines: list[str]) -> None:
    parts = parts_of("\n".join(lines))

    shown = " ".join(word for part in parts for word in (part.text, *part.items)).split()
    assert shown == [word for line in lines for word in line.replace("# ", "").replace("- ", "").split()]
