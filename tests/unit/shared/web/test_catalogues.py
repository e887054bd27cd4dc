import re

import pytest

from shared.web.catalogues import read, translations
from shared.web.extraction import extract, is_translated
from shared.web.language import LANGUAGES

PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\w+\}")
Texts = str | tuple[str, ...] | list[str]


def forms(text: Texts) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def placeholders(text: str) -> set[str]:
    return set(PLACEHOLDER.findall(text))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_of_every_page_is_in_the_catalogue_and_nothing_else_is(language: str) -> None:
    wanted = {message.id for message in extract() if message.id}
    known = {message.id for message in read(language) if message.id}
    assert known == wanted


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_in_every_plural_form(language: str) -> None:
    catalogue = read(language)
    lacking = [
        message.id
        for message in catalogue
        if message.id
        and (
            message.fuzzy
            or not is_translated(message.string or "")
            or (message.pluralizable and len(forms(message.string or "")) != catalogue.num_plurals)
        )
    ]
    assert lacking == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_are_the_same_in_every_form(language: str) -> None:
    differing = [
        (message.id, form)
        for message in read(language)
        if message.id
        for form in forms(message.string or "")
        if placeholders(form) not in [placeholders(text) for text in forms(message.id)]
    ]
    assert differing == []


@pytest.mark.parametrize("language", ["az", "tr", "ru"])
def test_no_text_was_left_in_english(language: str) -> None:
    left = [
        message.id
        for message in read(language)
        if message.id
        and forms(message.string or "")[0] == forms(message.id)[0]
        and re.search("[a-z]{3}", PLACEHOLDER.sub("", forms(message.id)[0]))
    ]
    assert left == []


@pytest.mark.parametrize(
    ("language", "counts"),
    [("ru", {1: "1 пункт", 3: "3 пункта", 5: "5 пунктов", 21: "21 пункт"}), ("tr", {1: "1 şey", 5: "5 şey"})],
)
def test_plural_forms_follow_the_language(language: str, counts: dict[int, str]) -> None:
    speak = translations(language)
    one, many = "One thing is missing or needs mending:", "%(num)s things are missing or need mending:"
    for count, expected in counts.items():
        assert expected in speak.ngettext(one, many, count) % {"num": count}
