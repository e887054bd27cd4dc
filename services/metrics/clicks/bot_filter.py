"""Who follows a short link: a person, or a machine that looks on somebody's behalf. Pure.

Only people are counted. What is asked here is looked at and forgotten: neither address nor browser is kept.

Not counted are:

* any method but GET (mail and chat programs try a link with HEAD);
* a browser that loads ahead (`Sec-Purpose`, `Purpose`, `X-Purpose` or `X-Moz` naming prefetch, prerender or preview);
* programs that fetch previews, crawlers, watchers and libraries that fetch pages, by the names they give themselves: the
  list is kept by others (isbot's, in the library is-bot), and below is what it lacks or takes for a machine wrongly;
* a request that says nothing of what it is, as every browser does.

A machine that calls itself a browser is counted: it cannot be told apart without keeping data about people.
"""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Final

from is_bot import Bots

MORE_MACHINES: Final = (r"\+viber\b", r"\bnuzzel\b", r"^dart/")
"""Viber's previews (people in Viber's own browser have `Viber/` without the plus), Nuzzel, and Dart's library."""
PEOPLE: Final = re.compile(r"\bscanpal\b", re.IGNORECASE)
"""Devices whose names contain a machine's word."""
AHEAD: Final = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_AHEAD_WORDS: Final = re.compile("prefetch|prerender|preview")
LONGEST_AGENT: Final = 1_000
"""Characters that are looked at; no browser says more of itself."""


@cache
def _bots() -> Bots:
    bots = Bots()
    bots.extend(MORE_MACHINES)
    return bots


@lru_cache(maxsize=2_000)
def is_machine(agent: str) -> bool:
    """Whether a program calls itself so, or does not say what it is."""
    return not agent or bool(_bots().is_bot(PEOPLE.sub("", agent)))


def is_person(method: str, headers: Mapping[str, str]) -> bool:
    """Whether following the link counts. `headers` by lower-case name."""
    if method != "GET":
        return False
    if any(_AHEAD_WORDS.search(headers.get(name, "").lower()) for name in AHEAD):
        return False
    return not is_machine(headers.get("user-agent", "").strip()[:LONGEST_AGENT])
