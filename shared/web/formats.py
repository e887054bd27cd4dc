"""Numbers, times, sizes and names, as each language writes them. Pure: the present arrives as an argument."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.dates import format_datetime, format_timedelta
from babel.numbers import format_decimal

_STEP: Final = 1024
_UNITS: Final = ("B", "KB", "MB", "GB")
_FIRST_WITH_FRACTION: Final = 2


@dataclass(frozen=True, slots=True)
class Formats:
    """How `language` writes things."""

    language: str

    @property
    def locale(self) -> Locale:
        """The rules of the language."""
        return _locale(self.language)

    def number(self, value: float) -> str:
        """A number with the language's separators."""
        return format_decimal(value, locale=self.locale)

    def exact(self, moment: datetime) -> str:
        """A time in UTC, to the minute. The browser shows it in the reader's own zone."""
        return f"{format_datetime(moment.astimezone(UTC), 'd MMM y, HH:mm', locale=self.locale)} UTC"

    def ago(self, moment: datetime, now: datetime) -> str:
        """How long before (or after) `now` a moment lies."""
        return format_timedelta(moment - now, add_direction=True, threshold=1.2, locale=self.locale)

    def size(self, count: int) -> str:
        """Bytes in the unit that keeps the number short; fractions from megabytes on."""
        value, unit = float(count), 0
        while value >= _STEP and unit < len(_UNITS) - 1:
            value, unit = value / _STEP, unit + 1
        digits = "#,##0.0" if unit >= _FIRST_WITH_FRACTION else "#,##0"
        return f"{format_decimal(value, format=digits, locale=self.locale)} {_UNITS[unit]}"

    def language_name(self, tag: str) -> str:
        """A language's name in this language; the tag itself when it has none."""
        return _language_name(tag, self.language)

    def country_name(self, code: str) -> str:
        """A country's name in this language; the code itself when it has none."""
        return str(self.locale.territories.get(code, code))


@cache
def _locale(language: str) -> Locale:
    return Locale.parse(language)


@cache
def _language_name(tag: str, language: str) -> str:
    locale = _locale(language)
    key = tag.replace("-", "_")
    if key in locale.languages:
        return str(locale.languages[key])
    try:
        name = Locale.parse(key).get_display_name(locale)
    except (UnknownLocaleError, ValueError):
        name = None
    return name or str(locale.languages.get(key.split("_")[0].lower(), tag))
