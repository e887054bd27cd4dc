"""Looking into a text in any script: folding for comparison, scripts, patterns of personal data. Pure."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Final

from shared.text.folding import as_ascii, folded
from shared.text.language_ranges import primary, subtags
from shared.text.plain_text import normal

EXCERPT: Final = 24
"""Characters shown on either side of what was found."""
UNSPACED: Final = frozenset({"CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"})
"""Scripts that write without spaces between words."""
SCRIPT_OF: Final = {
    "LATIN": "az tr en de fr ro es it nl pl pt sv no nb nn da fi is et lv lt cs sk hu sl hr sq tk uz ga cy id",
    "CYRILLIC": "ru uk bg be mk kk ky tg mn",
    "GEORGIAN": "ka",
    "ARMENIAN": "hy",
    "HEBREW": "he yi",
    "ARABIC": "ar fa ur ps ckb ug sd",
    "GREEK": "el",
    "DEVANAGARI": "hi mr ne sa",
    "BENGALI": "bn as",
    "THAI": "th",
    "CJK": "zh",
    "HANGUL": "ko",
}
"""Scripts by the languages that are written in them, where there is but one."""
SUBTAGS: Final = {"Latn": "LATIN", "Cyrl": "CYRILLIC", "Arab": "ARABIC", "Hebr": "HEBREW", "Grek": "GREEK"}
_SCRIPTS: Final = {
    language: script for script, languages in SCRIPT_OF.items() for language in languages.split()
}


@dataclass(frozen=True, slots=True)
class Found:
    """Something in a text: where it begins and ends (characters), and the words around it."""

    start: int
    end: int
    excerpt: str


def found(text: str, start: int, end: int) -> Found:
    """What stands at `start` until `end`, with a little of what is around it."""
    before, after = max(0, start - EXCERPT), min(len(text), end + EXCERPT)
    excerpt = ("…" if before else "") + text[before:after] + ("…" if after < len(text) else "")
    return Found(start, end, excerpt)


class Folded:
    """A text made ready for comparison in one language.

    Case is folded by the language's rules, compatibility forms are unified, invisible characters left out.
    """

    def __init__(self, text: str, language: str) -> None:
        self.text, self.language = text, language
        pieces: list[str] = []
        self._places: list[int] = []
        for place, character in enumerate(text):
            for piece in folded(character, language):
                pieces.append(piece)
                self._places.append(place)
        self.folded = "".join(pieces)

    def occurrences(self, word: str) -> Iterator[Found]:
        """Where `word`, a word or phrase of the language, stands as a word of its own."""
        needle = Folded(normal(word), self.language).folded
        if not needle.strip():
            return
        before = "" if script(needle[0]) in UNSPACED else r"(?<!\w)"
        after = "" if script(needle[-1]) in UNSPACED else r"(?!\w)"
        pattern = before + r"\s+".join(re.escape(part) for part in needle.split()) + after
        for match in re.finditer(pattern, self.folded):
            yield found(self.text, self._places[match.start()], self._places[match.end() - 1] + 1)


@lru_cache(maxsize=4096)
def script(character: str) -> str:
    """The first word of a letter's Unicode name, which is its script; empty for what is no letter."""
    if not character.isalpha():
        return ""
    return unicodedata.name(character, "").partition(" ")[0]


def words(text: str) -> Iterator[str]:
    """The words of a text; in scripts without spaces between words, each letter for itself."""
    for match in re.finditer(r"\w+", text):
        yield from match.group() if script(match.group()[0]) in UNSPACED else [match.group()]


def expected_script(language: str) -> str | None:
    """The one script of a language tag, if it has one."""
    written = (SUBTAGS[tag] for tag in subtags(language) if tag in SUBTAGS)
    return next(written, _SCRIPTS.get(primary(language)))


def scripts(text: str) -> Counter[str]:
    """How many letters of each script a text has."""
    return Counter(name for name in map(script, text) if name)


def disguised(text: str) -> Iterator[Found]:
    """Words that mix look-alike scripts, as in a Latin word with one Cyrillic letter."""
    for match in re.finditer(r"[^\W\d_]{3,}", text):
        if len(scripts(match.group()).keys() & {"LATIN", "CYRILLIC", "GREEK"}) > 1:
            yield found(text, match.start(), match.end())


class Digits:
    """A text made ready for looking for numbers and addresses, in whatever script they are written."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.plain, self._places = as_ascii(text)

    def found(self, start: int, end: int) -> Found:
        """What stands there, shown as it was written."""
        return found(self.text, self._places[start], self._places[end - 1] + 1)


# Every repetition that something must follow is bounded: without a bound, each character of a long run is a new start
# from which the whole rest of the run is read again.
_WORD: Final = r"[\w'-]{1,40}"
LINK: Final = re.compile(r"(?i)\b(?:https?://|www\.)[^\s<>\"']+")
EMAIL: Final = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
PHONE: Final = re.compile(r"(?<![\w+.,-])(?:\+|00|\(?0)\d?[\d \u00a0().–/-]{6,22}\d(?!\w)")
IBAN: Final = re.compile(r"\b[A-Z]{2}\d{2}(?:[ \u00a0]?[A-Z0-9]){11,30}\b")
CARD: Final = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")
ADDRESS: Final = re.compile(
    r"(?i)(?<!\w)(?:"
    rf"\d{{1,4}}[a-z]?,? (?:{_WORD} ){{1,3}}(?:street|st\.|road|rd\.|avenue|ave\.|lane)"
    rf"|{_WORD} (?:küçəsi|küç\.|prospekti|sokağı|sokak|sok\.|caddesi|cad\.|mahallesi)"
    r"\W{1,3}(?:(?:ev|no)\W{0,2})?\d{1,5}"
    rf"|(?:ул\.|улица|пр\.|проспект|переулок) {_WORD}[^\w\n]{{1,3}}(?:д\.? ?)?\d{{1,5}}"
    r"|[\w-]{1,40}(?:straße|strasse|str\.) ?\d{1,5}"
    r"|\d{1,4},? (?:rue|avenue|boulevard) (?:(?:de|du|des|la) ){0,3}\w{1,40}"
    r"|(?:calle|avenida|via|piazza|strada) \w{1,40}(?: \w{1,40})?,? \d{1,5}"
    r")(?!\w)"
)
NATIONAL: Final = re.compile(r"(?<![\w+.,-])\(?\d(?:[ ().\-/]{0,2}\d){6,14}(?!\w)")
"""What may be a telephone number as it is written within a country."""
NO_PHONE: Final = re.compile(
    r"\d{1,2}[./ -]\d{1,2}[./ -](?:1[89]|20)\d\d|(?:1[89]|20)\d\d[./ -]\d{1,2}[./ -]\d{1,2}"
    r"|(?:1[89]|20)\d\d ?[-/ ] ?(?:1[89]|20)\d\d|\d{1,3}(?:[ .]\d{3})?(?:[ .]000){2,4}"
)
"""Days, spans of years, and round numbers, which are none."""
LOOKED_UP: Final = 10
"""Candidates of one text that are compared with the forms of countries."""
PHONE_DIGITS: Final = range(9, 16)
CARD_DIGITS: Final = range(13, 20)


def phones(text: Digits) -> Iterator[Found]:
    """What looks like a telephone number written for calling: a +, 00 or 0 and nine to fifteen digits."""
    for match in PHONE.finditer(text.plain):
        if sum(c.isdigit() for c in match.group()) in PHONE_DIGITS:
            yield text.found(match.start(), match.end())


def national_phones(text: Digits, home: str, countries: Sequence[str]) -> Iterator[Found]:
    """Numbers as people write them within a country: any way for mobile numbers of `home`, else as the country does."""
    for match in islice(NATIONAL.finditer(text.plain), LOOKED_UP):
        written = match.group()
        if NO_PHONE.fullmatch(written) is None and any(
            _is_number(written, country, home=country == home)
            for country in {home: None} | dict.fromkeys(countries)
        ):
            yield text.found(match.start(), match.end())


def _is_number(written: str, country: str, *, home: bool) -> bool:
    import phonenumbers  # noqa: PLC0415 - three megabytes that a process needs once something looks like a number

    try:
        number = phonenumbers.parse(written, country)
    except phonenumbers.NumberParseException:
        return False
    if not phonenumbers.is_valid_number_for_region(number, country):
        return False
    mobile = {phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE}
    if home and phonenumbers.number_type(number) in mobile:
        return True
    formats = (phonenumbers.PhoneNumberFormat.NATIONAL, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    forms = [_groups(phonenumbers.format_number(number, each)) for each in formats]
    groups = _groups(written)
    return len(groups) > 1 and groups in (forms[0], forms[1][1:])


def _groups(written: str) -> list[str]:
    """The digits of a number as they stand together."""
    return re.findall(r"\d+", written)


def ibans(text: Digits) -> Iterator[Found]:
    """Bank accounts whose check digits are right (ISO 13616)."""
    for match in IBAN.finditer(text.plain):
        plain = re.sub(r"\s", "", match.group())
        digits = "".join(str(int(c, 36)) for c in plain[4:] + plain[:4])
        if int(digits) % 97 == 1:
            yield text.found(match.start(), match.end())


def cards(text: Digits) -> Iterator[Found]:
    """Payment cards whose check digit is right (Luhn)."""
    for match in CARD.finditer(text.plain):
        digits = [int(c) for c in match.group() if c.isdigit()]
        if len(digits) in CARD_DIGITS and _luhn(digits) and len(set(digits)) > 1:
            yield text.found(match.start(), match.end())


def emails(text: Digits) -> Iterator[Found]:
    """Addresses for e-mail."""
    for match in EMAIL.finditer(text.plain):
        yield text.found(match.start(), match.end())


def _luhn(digits: list[int]) -> bool:
    doubled = [sum(divmod(2 * d, 10)) if i % 2 else d for i, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def matches(pattern: re.Pattern[str], text: str) -> Iterator[Found]:
    """Where `pattern` stands in `text`."""
    for match in pattern.finditer(text):
        yield found(text, match.start(), match.end())


def shouting(text: str) -> bool:
    """Whether a text of some length is nearly all capitals."""
    cased = [c for c in text if c.isupper() or c.islower()]
    return len(cased) >= 20 and sum(c.isupper() for c in cased) > 0.7 * len(cased)  # noqa: PLR2004 — as said


OVERRIDES: Final = re.compile("[\u202d\u202e]")
"""Marks that show text in another order than it is read."""
