"""How dates, languages and countries are written on pages in any language that a submission may have. Pure."""

from datetime import UTC, datetime
from functools import cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_date

from services.publisher.rendering.words import words_for
from shared.web.language import LANGUAGES


@cache
def locale_of(language: str) -> Locale:
    """The rules of `language`, else of its parent, else of the language whose words are borrowed."""
    for tag in (language, language.partition("-")[0], words_for(language).tag):
        try:
            return Locale.parse(tag, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en")


@cache
def own_name(language: str) -> str:
    """A language by its own name, as its readers look for it; the tag itself where it has none."""
    if language in LANGUAGES:
        return LANGUAGES[language]
    try:
        name = Locale.parse(language, sep="-").get_display_name()
    except (UnknownLocaleError, ValueError):
        name = None
    if not name:
        return language
    # `title` leaves Georgian as it is, which begins no sentence with a capital; `upper` would not.
    return f"{name[:1].title()}{name[1:]}"


def country_name(country: str, language: str) -> str:
    """A country's name in `language`; its code where it has none."""
    return str(locale_of(language).territories.get(country, country))


def day(moment: datetime, language: str) -> str:
    """A date (in UTC) as `language` writes it out."""
    return format_date(moment.astimezone(UTC).date(), "long", locale=locale_of(language))
