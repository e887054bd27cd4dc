"""Numbers, times, sizes and names, as each language writes them. Pure: the present arrives as an argument."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Final, Literal

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_decimal

from shared.text.folding import lowered

_STEP: Final = 1024
_UNITS: Final = ("B", "KB", "MB", "GB")
_ANY: Final = 7
_FIRST_WITH_FRACTION: Final = 2
_ZEROS: Final[Mapping[str, int]] = {
    "arab": 0x0660,
    "arabext": 0x06F0,
    "beng": 0x09E6,
    "deva": 0x0966,
    "mymr": 0x1040,
}
"""The code points of the digit zero, by the name of the numbering system (CLDR)."""


@dataclass(frozen=True, slots=True)
class Formats:
    """How `language` writes things."""

    language: str
    alphabet: str = ""
    """Its small letters in the order in which a reader looks for them; without it, in that of Unicode."""

    @property
    def locale(self) -> Locale:
        """The rules of the language."""
        return _locale(self.language)

    def number(self, value: float) -> str:
        """A number with the language's separators and digits."""
        return in_digits_of(
            self.locale, format_decimal(value, locale=self.locale, numbering_system="default")
        )

    def exact(self, moment: datetime) -> str:
        """A time in UTC, to the minute. The browser shows it in the reader's own zone."""
        written = format_datetime(moment.astimezone(UTC), "d MMM y, HH:mm", locale=self.locale)
        return f"{in_digits_of(self.locale, written)} UTC"

    def ago(self, moment: datetime, now: datetime) -> str:
        """How long before (or after) `now` a moment lies."""
        span = format_timedelta(moment - now, add_direction=True, threshold=1.2, locale=self.locale)
        return in_digits_of(self.locale, span)

    def clock_words(self) -> dict[str, list[str]]:
        """Months, and each unit with its past and future, for browsers that do not know the language.

        Chromium says that it knows Azerbaijani, and writes "M11" for November. Languages for which these words
        are used have one form for every number.
        """
        months = [format_date(date(2000, month, 1), "MMM", locale=self.locale) for month in range(1, 13)]
        return {"month": months, "decimal": [self.locale.number_symbols["latn"]["decimal"]]} | {
            unit: [self._seven(unit, -_ANY), self._seven(unit, _ANY)]
            for unit in ("second", "minute", "hour", "day")
        }

    def _seven(self, unit: Literal["second", "minute", "hour", "day"], count: int) -> str:
        span = timedelta(**{f"{unit}s": count})
        words = format_timedelta(
            span, granularity=unit, add_direction=True, threshold=100, locale=self.locale
        )
        return words.replace(str(_ANY), "{0}")

    def size(self, count: int) -> str:
        """Bytes in the unit that keeps the number short; fractions from megabytes on."""
        value, unit = float(count), 0
        while value >= _STEP and unit < len(_UNITS) - 1:
            value, unit = value / _STEP, unit + 1
        digits = "#,##0.0" if unit >= _FIRST_WITH_FRACTION else "#,##0"
        written = format_decimal(value, format=digits, locale=self.locale, numbering_system="default")
        return f"{in_digits_of(self.locale, written)} {_UNITS[unit]}"

    def language_name(self, tag: str) -> str:
        """A language's name in this language; the tag itself when it has none."""
        return _language_name(tag, self.language)

    def named_languages(self, tags: Iterable[str]) -> list[tuple[str, str]]:
        """Tags with their names, in the order of this language's alphabet."""
        return sorted(((tag, self.language_name(tag)) for tag in tags), key=lambda pair: self._order(pair[1]))

    def named_countries(self, codes: Iterable[str]) -> list[tuple[str, str]]:
        """Codes with their names, in the order of this language's alphabet."""
        return sorted(
            ((code, self.country_name(code)) for code in codes), key=lambda pair: self._order(pair[1])
        )

    def _order(self, name: str) -> list[int]:
        letters = f" {self.alphabet}"
        return [
            letters.find(letter) if letter in letters else ord(letter)
            for letter in lowered(name, self.language)
        ]

    def country_name(self, code: str) -> str:
        """A country's name in this language; the code itself when it has none."""
        return str(self.locale.territories.get(code, code))


def in_digits_of(locale: Locale, written: str) -> str:
    """What is written with the digits 0 to 9, in those that the language writes (CLDR's default numbering system)."""
    zero = _ZEROS.get(locale.default_numbering_system)
    return written if zero is None else written.translate({ord("0") + n: zero + n for n in range(10)})


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
