"""What is decided in one place: a rule that is written a second time is found by the words it needs."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for top in ("services", "shared", "deploy") for path in (ROOT / top).rglob("*.py"))

ONE_PLACE: Mapping[str, tuple[str, frozenset[str]]] = {
    "what a hashtag is, and when two are the same": (
        r"isalnum\(\)|isidentifier\(\)|TATWEEL|[\"']＃[\"']|(?:strip|startswith|prefix)\([\"'][^\"' ]*#[\"']",
        frozenset(
            {
                "shared/text/hashtags.py",
                "services/ingest/people/codes.py",  # codes that people type back
                "services/ingest/media_safety/video.py",  # names of codecs
            }
        ),
    ),
    "how letters lose their case in each language": (
        r"casefold\(|[\"'][^\"'\n]*[İı][^\"'\n]*[\"']:",
        frozenset({"shared/text/folding.py"}),
    ),
    "what a text's normal form is": (
        r"unicodedata\.normalize",
        frozenset({"shared/text/plain_text.py", "shared/text/hashtags.py", "shared/text/folding.py"}),
    ),
    "when a language is another, or a variety of it": (
        r"partition\(\"-\"\)|(?<!\.)split\(\"-\"\)|\.split\(\"-\"\)|startswith\(f\"\{\w+\}-",
        frozenset(
            {
                "shared/text/language_ranges.py",
                "shared/web/language.py",  # what a browser accepts, and which way a script runs
                "services/ingest/uploads/protocol.py",  # names of an upload's parts
            }
        ),
    ),
    "which languages there are": (
        r"langcodes|standardize_tag",
        frozenset({"shared/text/registered.py"}),
    ),
    "the code of a short link, and of a page": (
        r"b32encode",
        frozenset({"shared/text/short_codes.py"}),
    ),
    "where a request comes from": (
        r"request\.client|x-forwarded-host",
        frozenset({"shared/http/origin.py"}),
    ),
    "how an address from outside is taken apart": (
        r"urlsplit\(|urlparse\(",
        frozenset(
            {
                "shared/text/addresses.py",
                "shared/storage/media.py",  # an operator's setting, read at start
                "deploy/supervisor/layout.py",  # the same
                "services/publisher/channels/website/pages.py",  # the campaign's own address, checked at start
            }
        ),
    ),
    "how a page leads to another": (
        r"RedirectResponse\(",
        frozenset({"shared/http/redirects.py"}),
    ),
    "what a person's scopes let them see": (
        r"\.scopes\.(?:countries|languages|sections)",
        frozenset(
            {
                "shared/identity/tokens.py",
                "services/moderation/desk/service.py",  # narrows them by what is asked for
                "services/moderation/desk/pages.py",  # what to offer there
            }
        ),
    ),
    "whether people can see a delivery": (
        r"\{\"posted\", \"removing\"",
        frozenset({"shared/events.py"}),
    ),
    "how often a lost race is run again": (
        r"class Race\b|raise Conflict\(",
        frozenset({"shared/storage/compare_and_set.py"}),
    ),
    "words that people read, in scripts other than Latin": (
        r"[\u0400-\u04ff\u10a0-\u10ff\u0590-\u06ff]{4}",
        frozenset({"services/moderation/screening/text_scan.py"}),  # words of addresses, which it looks for
    ),
}


@pytest.mark.parametrize("rule", ONE_PLACE)
def test_a_rule_is_written_in_one_place(rule: str) -> None:
    words, places = ONE_PLACE[rule]
    elsewhere = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in SOURCES
        if path.relative_to(ROOT).as_posix() not in places
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(words, line.partition("  # ")[0])
    ]

    assert elsewhere == []


@pytest.mark.parametrize("rule", ONE_PLACE)
def test_a_place_that_a_rule_is_written_in_is_there_and_has_it(rule: str) -> None:
    words, places = ONE_PLACE[rule]

    assert [place for place in sorted(places) if re.search(words, (ROOT / place).read_text()) is None] == []
