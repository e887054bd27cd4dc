"""What a submission and a registration may hold."""

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.validation.rules import (
    Attachment,
    Draft,
    FormRefused,
    Newcomer,
    SubmissionRules,
    examine,
    welcome,
)
from shared.events import Attribution, Consent

RULES = SubmissionRules(
    countries=frozenset({"AZ", "TR", "DE"}),
    sections=frozenset({"heritage"}),
    terms_version="2026-1",
    title=40,
    body=200,
    alt=30,
    hashtags=3,
    media=2,
)
DRAFT = Draft(
    title="Köhnə şəhər",
    body="Birinci sətir\r\n\tikinci sətir\n",
    language="az",
    country="AZ",
    attribution=Attribution(mode="pseudonym", text="Bir könüllü"),
    consent=Consent(terms_version="2026-1", people_shown="none", rights="own"),
)


def mistakes(draft: Draft) -> dict[str, str]:
    examined = examine(draft, RULES)
    assert isinstance(examined, FormRefused), examined
    return {mistake.field: mistake.fix for mistake in examined.mistakes}


def taken(draft: Draft) -> Draft:
    examined = examine(draft, RULES)
    assert isinstance(examined, Draft), examined
    return examined


def test_a_good_draft_is_taken_as_it_is() -> None:
    assert taken(DRAFT) == DRAFT


@pytest.mark.parametrize(
    ("given_tag", "canonical"),
    [
        ("az", "az"),
        ("AZ", "az"),
        ("sr-latn", "sr-Latn"),
        ("iw", "he"),
        ("pt-br", "pt-BR"),
        ("az-Cyrl", "az-Cyrl"),
    ],
)
def test_any_registered_language_is_taken_in_its_canonical_form(given_tag: str, canonical: str) -> None:
    assert canonical == taken(replace(DRAFT, language=given_tag)).language


@pytest.mark.parametrize("tag", ["xx", "english", "", "a", "az " * 20, "\ud800", "a" * 5000])
def test_an_unknown_language_is_refused(tag: str) -> None:
    assert list(mistakes(replace(DRAFT, language=tag))) == ["language"]


@pytest.mark.parametrize("code", ["XX", "UK", "", "AZE", "1", "FR"])
def test_an_unknown_country_and_one_outside_the_campaign_are_refused(code: str) -> None:
    assert list(mistakes(replace(DRAFT, country=code))) == ["country"]


def test_a_country_in_small_letters_is_taken() -> None:
    assert taken(replace(DRAFT, country="tr")).country == "TR"


def test_a_campaign_without_countries_takes_them_all() -> None:
    examined = examine(replace(DRAFT, country="FR"), replace(RULES, countries=frozenset()))

    assert isinstance(examined, Draft)


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\x7f", "\ud83d", "\uffff", "\x0b"])
@pytest.mark.parametrize("field", ["title", "body"])
def test_what_is_no_text_is_refused_and_named(field: str, character: str) -> None:
    found = mistakes(replace(DRAFT, **{field: f"a{character}b"}))  # type: ignore[arg-type]

    assert list(found) == [field]
    assert f"U+{ord(character):04X}" in found[field]


@pytest.mark.parametrize("mark", ["\u200e", "\u200f", "\u2067", "\u2069", "\u061c", "\u200d", "\u00ad"])
def test_invisible_marks_that_writing_needs_are_kept(mark: str) -> None:
    body = f"سلام{mark} abc"

    assert body == taken(replace(DRAFT, body=body)).body


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60))
def test_text_changes_by_normalisation_alone(text: str) -> None:
    examined = examine(replace(DRAFT, body=f"a\n{text}\r\n"), RULES)

    if isinstance(examined, Draft):
        assert unicodedata.normalize("NFC", f"a\n{text}\r\n") == examined.body
    else:
        assert {"body"} == {mistake.field for mistake in examined.mistakes}


@given(
    st.text(max_size=60),
    st.text(max_size=60),
    st.text(max_size=12),
    st.text(max_size=4),
    st.lists(st.text(max_size=8)),
)
def test_whatever_is_taken_is_taken_again_unchanged(
    title: str, body: str, language: str, country: str, hashtags: list[str]
) -> None:
    draft = replace(
        DRAFT,
        title=title,
        body=body,
        language=language or "az",
        country=country or "AZ",
        hashtags=tuple(hashtags),
    )

    examined = examine(draft, RULES)

    if isinstance(examined, Draft):
        assert examined == examine(examined, RULES)
    else:
        assert examined.mistakes
        assert all(mistake.fix and mistake.given.isprintable() for mistake in examined.mistakes)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"title": "  \u200f "}, "title"),
        ({"title": "two\nlines"}, "title"),
        ({"title": "a" * 41}, "title"),
        ({"body": " \n "}, "body"),
        ({"body": "a" * 201}, "body"),
        ({"section": "sport"}, "section"),
        ({"hashtags": ("a b",)}, "hashtags.0"),
        ({"hashtags": ("ok", "123")}, "hashtags.1"),
        ({"hashtags": ("a", "b", "c", "d")}, "hashtags"),
        ({"attachments": (Attachment("1", "a" * 31),)}, "media.0.alt"),
        ({"attachments": (Attachment("1"), Attachment("1"))}, "media"),
        ({"attachments": (Attachment("1"), Attachment("2"), Attachment("3"))}, "media"),
        (
            {"consent": Consent(terms_version="2025", people_shown="none", rights="own")},
            "consent.terms_version",
        ),
        ({"attribution": Attribution(mode="pseudonym")}, "attribution.text"),
        ({"attribution": Attribution(mode="name", text=" ")}, "attribution.text"),
    ],
)
def test_each_mistake_names_its_field(changed: dict[str, object], field: str) -> None:
    assert [field] == list(mistakes(replace(DRAFT, **changed)))  # type: ignore[arg-type]


def test_all_mistakes_are_told_at_once() -> None:
    wrong = replace(DRAFT, title="", language="xx", country="XX")

    assert list(mistakes(wrong)) == ["title", "language", "country"]


def test_a_photo_may_come_without_a_text() -> None:
    draft = taken(replace(DRAFT, body="", attachments=(Attachment("1", "Bir ev"),)))

    assert draft.body == ""


def test_length_counts_after_normalisation() -> None:
    decomposed = unicodedata.normalize("NFD", "ş" * 40)

    assert taken(replace(DRAFT, title=decomposed)).title == "ş" * 40


def test_an_anonymous_author_is_not_named_even_if_a_name_came_along() -> None:
    draft = taken(replace(DRAFT, attribution=Attribution(mode="anonymous", text="Aygün")))

    assert Attribution(mode="anonymous") == draft.attribution


def test_hashtags_lose_their_sign_and_repetitions_but_keep_their_letters() -> None:
    draft = taken(replace(DRAFT, hashtags=("#İçərişəhər", "içərişəhər", "QIZ", "qız")))

    assert draft.hashtags == ("İçərişəhər", "QIZ")


def test_a_newcomer_is_welcomed_in_canonical_form() -> None:
    assert Newcomer("Aygün", "DE", ("az", "de"), "heritage") == welcome(
        Newcomer("Aygün", "de", ("AZ", "de", "az"), "heritage"), RULES
    )


@pytest.mark.parametrize(
    ("newcomer", "field"),
    [
        (Newcomer("", "AZ", ("az",)), "name"),
        (Newcomer("A", "FR", ("az",)), "country"),
        (Newcomer("A", "AZ", ()), "languages"),
        (Newcomer("A", "AZ", ("az", "zz")), "languages.1"),
        (Newcomer("A", "AZ", ("az",), "sport"), "section"),
    ],
)
def test_a_newcomers_mistake_names_its_field(newcomer: Newcomer, field: str) -> None:
    refused = welcome(newcomer, RULES)

    assert isinstance(refused, FormRefused)
    assert [field] == [mistake.field for mistake in refused.mistakes]
