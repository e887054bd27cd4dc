import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.publisher.rendering.text import ai_label, caption, credit, hashtag_line, shortened, utf16_units
from shared.events import AiUse, Attribution
from tests.support.builders.posts import snapshot

LINK = "http://localhost:8400/r/abcdefghij"


@pytest.mark.parametrize(
    ("text", "units"),
    [("", 0), ("abc", 3), ("Привет", 6), ("👍", 2), ("👩‍👩‍👧", 8), ("e\u0301", 2), ("𝄞", 2)],
)
def test_telegram_counts_utf16_units(text: str, units: int) -> None:
    assert utf16_units(text) == units


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("One. Two.", 9, "One. Two."),
        ("One is here. Two is there. Three.", 30, "One is here. Two is there. …"),
        ("Он пришёл! А она? Нет.", 19, "Он пришёл! А она? …"),
        ("هل جاء؟ نعم، جاء أمس.", 12, "هل جاء؟ …"),
        ("第一句。第二句。第三句。", 10, "第一句。第二句。 …"),
        ("A heading\n\nthen a long paragraph without an end", 20, "A heading …"),
        ("no sentence ends anywhere in here", 20, "no sentence ends…"),
        ("A. But this one is far too long to fit into it", 30, "A. But this one is far too…"),
        ("Donaudampfschifffahrt", 10, "Donaudam…"),
        ("anything", 1, ""),
    ],
)
def test_a_text_is_shortened_at_a_sentence_else_at_a_word_else_between_letters(
    text: str, limit: int, expected: str
) -> None:
    assert shortened(text, limit, len) == expected


@pytest.mark.parametrize("letter", ["👩‍👩‍👧‍👦", "🇦🇿", "👍🏽", "e\u0301\u0323", "नि"])
def test_a_letter_is_never_torn_from_its_marks(letter: str) -> None:
    for limit in range(3, 60):
        short = shortened(letter * 20, limit, utf16_units)

        assert short.removesuffix("…") == letter * short.count(letter)


@given(st.text(max_size=300), st.integers(0, 120))
def test_nothing_that_is_shortened_exceeds_its_limit(text: str, limit: int) -> None:
    short = shortened(text, limit, utf16_units)

    assert utf16_units(short) <= limit


@given(
    st.text(max_size=200),
    st.text(max_size=3000),
    st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=30), max_size=20),
    st.sampled_from([1024, 4096]),
    st.booleans(),
)
def test_a_caption_always_fits_and_always_carries_label_and_link(
    title: str, body: str, tags: list[str], limit: int, cut: bool
) -> None:
    shown = snapshot(title=title, body=body, hashtags=tuple(tags), ai=AiUse(made=True))

    rendered = caption(shown, LINK, limit=limit, measure=utf16_units, cut=cut)

    assert utf16_units(rendered.text) <= limit
    assert rendered.text.endswith(LINK)
    assert "Süni intellektlə hazırlanıb" in rendered.text
    for span in rendered.spans:
        assert span.length > 0
        assert span.offset + span.length <= utf16_units(rendered.text)


def test_what_fits_is_shown_whole() -> None:
    rendered = caption(snapshot(ai=AiUse(edited=True)), LINK, limit=1024, measure=utf16_units)

    assert rendered.text == (
        "Şəhər muzeyində xalça sərgisi\n\n"
        "Sərgi bu gün açıldı.\n\nGiriş hamı üçün pulsuzdur.\n\n"
        "Süni intellektlə redaktə olunub\nMüəllif: Leyla Q.\n\n"
        "#mədəniyyət #xalça\n\n"
        f"{LINK}"
    )
    assert not rendered.shortened


def test_what_does_not_fit_says_where_to_read_on() -> None:
    long = snapshot(body="Sərgi bu gün açıldı. " * 100)

    rendered = caption(long, LINK, limit=1024, measure=utf16_units)

    assert rendered.shortened
    assert rendered.text.endswith(f"Ardını oxuyun: {LINK}")
    assert "açıldı. …\n\n" in rendered.text


@pytest.mark.parametrize(
    ("attribution", "language", "expected"),
    [
        (Attribution(mode="name", text="Leyla"), "en", "By Leyla"),
        (Attribution(mode="pseudonym", text="Дождь"), "ru", "Автор: Дождь"),
        (Attribution(mode="anonymous"), "de", "Name der Redaktion bekannt"),
        (Attribution(mode="anonymous", text="Leyla"), "en", "Author's name withheld"),
    ],
)
def test_the_author_is_credited_as_they_chose(attribution: Attribution, language: str, expected: str) -> None:
    assert credit(attribution, language) == expected


def test_machine_made_material_is_labelled_in_its_own_language() -> None:
    assert ai_label(AiUse(made=True, edited=True), "tr") == "Yapay zekâ ile üretildi"
    assert ai_label(AiUse(edited=True), "az-Cyrl") == "Süni intellektlə redaktə olunub"
    assert ai_label(AiUse(), "en") is None


def test_each_hashtag_is_shown_once() -> None:
    assert hashtag_line(("a", "b", "a", "")) == "#a #b"
