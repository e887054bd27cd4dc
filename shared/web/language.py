"""Which language a page speaks, and which way a text runs. Pure."""

from collections.abc import Container, Iterable
from typing import Final, Literal

DEFAULT: Final = "en"
COOKIE: Final = "konullu_lang"

_RTL_SCRIPTS: Final = frozenset(
    {"arab", "aran", "hebr", "thaa", "syrc", "nkoo", "adlm", "rohg", "mand", "samr"}
)
_RTL_LANGUAGES: Final = frozenset(
    {"ar", "arc", "azb", "bal", "bgn", "bqi", "ckb", "dv", "fa", "glk", "he", "iw", "khw", "ks", "lrc", "mzn"}
    | {"nqo", "pnb", "prs", "ps", "sd", "sdh", "skr", "syr", "ug", "ur", "yi"}
)
_SCRIPT_LENGTH: Final = 4


def direction(tag: str) -> Literal["ltr", "rtl"]:
    """The way a text in the language `tag` (BCP 47) runs.

    A script in the tag stands over the language's usual one.
    """
    language, *rest = tag.replace("_", "-").lower().split("-")
    for subtag in rest:
        if len(subtag) == _SCRIPT_LENGTH and subtag.isalpha():
            return "rtl" if subtag in _RTL_SCRIPTS else "ltr"
    return "rtl" if language in _RTL_LANGUAGES else "ltr"


def negotiate(*, offered: Container[str], asked: str | None, kept: str | None, accepted: str | None) -> str:
    """The page's language, of those that are offered.

    The one asked for in the address, the one kept in the cookie, or the best one that the browser accepts.
    """
    for choice in (asked, kept):
        if choice is not None and choice in offered:
            return choice
    return next((tag for tag in _preferred(accepted or "") if tag in offered), DEFAULT)


def _preferred(header: str) -> Iterable[str]:
    """Primary languages of an Accept-Language header, best first; what cannot be read counts for nothing."""
    ranked: list[tuple[float, int, str]] = []
    for position, part in enumerate(header.split(",")):
        tag, _, parameter = part.strip().partition(";")
        try:
            quality = float(parameter.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if tag and quality > 0:
            ranked.append((-quality, position, tag.split("-")[0].lower()))
    return [tag for _, _, tag in sorted(ranked)]
