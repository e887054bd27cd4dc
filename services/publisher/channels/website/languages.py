"""How dates, languages and countries are written on pages in any language that a submission may have. Pure."""

from datetime import UTC, datetime
from functools import cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_decimal

from shared.text.language_ranges import primary
from shared.web.catalogues import spoken
from shared.web.formats import in_digits_of


@cache
def locale_of(language: str) -> Locale:
    """The rules of `language`, else of its parent, else of the language whose words are borrowed."""
    for tag in (language, primary(language), spoken(language)):
        try:
            return Locale.parse(tag, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en")


def country_name(country: str, language: str) -> str:
    """A country's name in `language`; its code where it has none."""
    return str(locale_of(language).territories.get(country, country))


def day(moment: datetime, language: str) -> str:
    """A date (in UTC) as `language` writes it out."""
    locale = locale_of(language)
    return in_digits_of(locale, format_date(moment.astimezone(UTC).date(), "long", locale=locale))


def number(value: int, language: str) -> str:
    """A number as `language` writes it."""
    locale = locale_of(language)
    return in_digits_of(locale, format_decimal(value, locale=locale, numbering_system="default"))
