"""Which languages and countries are registered. Pure."""

from functools import lru_cache

import langcodes
import pycountry


def canonical_language(tag: str) -> str | None:
    """The canonical form of a BCP 47 tag; nothing when no such language is registered."""
    try:
        return langcodes.standardize_tag(tag) if langcodes.tag_is_valid(tag) else None
    except ValueError:
        return None


@lru_cache(maxsize=1)
def countries() -> frozenset[str]:
    """Every ISO 3166-1 alpha-2 code."""
    return frozenset(country.alpha_2 for country in pycountry.countries)
