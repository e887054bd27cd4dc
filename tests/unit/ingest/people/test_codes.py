"""Ids, receipts, recovery codes."""

import re

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.people import codes


@given(st.text(), st.text())
def test_an_id_is_the_same_for_the_same_author_and_key(author: str, key: str) -> None:
    try:
        first = codes.submission_id(author, key)
    except UnicodeEncodeError:  # keys are checked to be ASCII before
        return

    assert first == codes.submission_id(author, key)
    assert re.fullmatch("[a-z2-7]{26}", first)


def test_other_authors_and_keys_give_other_ids() -> None:
    pairs = [("a", "k"), ("a", "l"), ("b", "k"), ("ak", ""), ("", "ak")]

    assert len({codes.submission_id(*pair) for pair in pairs}) == len(pairs)


def test_a_receipt_can_be_read_aloud() -> None:
    assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}", codes.receipt("x"))


def test_a_recovery_code_may_be_typed_sloppily() -> None:
    code = codes.new_recovery_code()

    assert codes.hash_of_code(code) == codes.hash_of_code(f"  {code.lower().replace('-', ' ')} ")
    assert codes.hash_of_code("OIL") == codes.hash_of_code("0-1-1")


def test_recovery_codes_differ_and_are_long_enough() -> None:
    drawn = {codes.new_recovery_code() for _ in range(100)}

    assert len(drawn) == 100
    assert all(re.fullmatch("(?:[0-9A-HJKMNP-TV-Z]{5}-){3}[0-9A-HJKMNP-TV-Z]{5}", code) for code in drawn)
