"""What a single field of a submission or a registration may hold. Pure.

Each rule gives the value in canonical form, or raises `Wrong` with a sentence on how to fix it.
"""

from functools import lru_cache
from typing import Final

from shared.text import hashtags, plain_text
from shared.text.plain_text import is_blank
from shared.text.registered import canonical_language
from shared.text.registered import countries as registered_countries

LONGEST_TAG: Final = 35
LONGEST_NAME: Final = 100
"""Characters of a name, a pseudonym or a hashtag."""
MOST_LANGUAGES: Final = 20
SHOWN: Final = 60
"""Characters of a refused value that are shown back."""


class Wrong(ValueError):
    """A value that cannot be taken; the text says how to fix it."""


@lru_cache(maxsize=1024)
def language_tag(given: str) -> str:
    """The canonical form of a registered BCP 47 tag."""
    canonical = canonical_language(given) if len(given) <= LONGEST_TAG else None
    if canonical is None:
        raise Wrong("no registered language; give a BCP 47 tag such as az, tr, sr-Latn or pt-BR")
    return canonical


def country_code(given: str, countries: frozenset[str]) -> str:
    """The ISO 3166-1 alpha-2 code in capitals."""
    code = given.upper()
    if code not in registered_countries():
        raise Wrong("no country; give its ISO 3166-1 code of two letters, such as AZ, TR or GB")
    if countries and code not in countries:
        raise Wrong(f"the campaign does not run there; give one of {', '.join(sorted(countries))}")
    return code


def section_id(given: str | None, sections: frozenset[str]) -> str:
    """The section, or nothing."""
    if not given:
        return ""
    if given not in sections:
        known = f"give one of {', '.join(sorted(sections))}, or leave it out" if sections else "leave it out"
        raise Wrong(f"the campaign has no such section; {known}")
    return given


def shown(value: object) -> str:
    """A refused value as it may be shown back: quoted, shortened, nothing invisible in it."""
    whole = value if isinstance(value, str) else "nothing" if value is None else str(value)
    short = whole if len(whole) <= SHOWN else f"{whole[:SHOWN]}…"
    return ascii(short) if not short.isprintable() else f"'{short}'"


def text(given: str, longest: int) -> str:
    """Text in NFC, else exactly as given."""
    if (refused := plain_text.no_text(given)) is not None:
        raise Wrong(f"holds {refused}, which is not text; take it out")
    normal = plain_text.normal(given)
    if len(normal) > longest:
        raise Wrong(f"{len(normal)} characters long; shorten it to {longest}")
    return normal


def line(given: str, longest: int) -> str:
    """Text on one line that says something."""
    normal = text(given, longest)
    if plain_text.over_lines(normal):
        raise Wrong("goes over several lines; write it on one")
    if is_blank(normal):
        raise Wrong("empty; write a few words")
    return normal


def body_text(given: str, longest: int, *, optional: bool) -> str:
    """Text over any number of lines; it may say nothing when `optional`."""
    normal = text(given, longest)
    if is_blank(normal) and not optional:
        raise Wrong("empty; write a text, or add a photo or video")
    return normal


def terms(given: str, current: str) -> str:
    """The current version of the terms."""
    if given != current:
        raise Wrong(f"the terms have changed; show the author version {current} and send its agreement")
    return given


def credit(given: str | None, mode: str) -> str:
    """Whom to credit. An anonymous author's name is not kept, even when one was sent."""
    if mode == "anonymous":
        return ""
    if given is None or is_blank(given):
        raise Wrong(f"missing; give the {mode} to show, or choose anonymous")
    return line(given, LONGEST_NAME)


def hashtag(given: str) -> str:
    """A hashtag without its sign, in NFC."""
    tag = hashtags.without_sign(given)
    if (fix := hashtags.fix(tag)) is not None:
        raise Wrong(fix)
    return text(tag, LONGEST_NAME)


def at_most(given: int, most: int) -> str:
    """A count that is not above `most`."""
    if given > most:
        raise Wrong(f"too many; keep {most}")
    return ""


def once(given: tuple[str, ...]) -> str:
    """Ids of which none comes twice."""
    if len(set(given)) < len(given):
        raise Wrong("names an upload twice; keep one")
    return ""


def some(given: int, most: int) -> str:
    """At least one, at most `most`."""
    if given == 0:
        raise Wrong("empty; give at least one")
    return at_most(given, most)
