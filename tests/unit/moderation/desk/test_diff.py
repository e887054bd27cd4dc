"""What was changed and noticed, in pieces that add up to the text."""

from hypothesis import given
from hypothesis import strategies as st

from services.moderation.desk.diff import MOST, Piece, changes, marked
from services.moderation.screening.rules import Signal


def test_a_change_is_shown_word_by_word() -> None:
    assert changes("Nar bayramı oldu", "Nar şənliyi oldu") == [
        Piece("Nar "),
        Piece("bayramı", "removed"),
        Piece("şənliyi", "added"),
        Piece(" oldu"),
    ]


@given(st.text(max_size=200), st.text(max_size=200))
def test_the_pieces_add_up_to_both_texts(before: str, after: str) -> None:
    pieces = changes(before, after)

    assert "".join(piece.text for piece in pieces if piece.kind != "added") == before
    assert "".join(piece.text for piece in pieces if piece.kind != "removed") == after


def test_what_differs_in_many_words_is_compared_line_by_line() -> None:
    before = "bir iki üç\n" * 3000
    after = before + "dörd " * (MOST + 1)

    assert [piece.kind for piece in changes(before, after)] == ["same", "added"]
    assert [piece.kind for piece in changes("a b\n" * MOST, "c d\na b\n" * MOST)] == ["removed", "added"]


@given(st.text(max_size=60), st.lists(st.tuples(st.integers(0, 70), st.integers(0, 70)), max_size=6))
def test_marks_never_change_the_text(text: str, spans: list[tuple[int, int]]) -> None:
    signals = [Signal("x", "info", "body", "", start, max(start, end)) for start, end in spans]

    assert "".join(piece.text for piece in marked(text, signals, "body")) == text


def test_only_signals_of_the_field_are_marked() -> None:
    signals = [Signal("phone", "danger", "body", "", 2, 4), Signal("email", "danger", "title", "", 0, 1)]

    assert marked("abcdef", signals, "body") == [Piece("ab"), Piece("cd", "marked", "phone"), Piece("ef")]
