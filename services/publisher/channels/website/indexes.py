"""Which indexes there must be for what is published: fronts, archives, hashtags, feeds, sitemap. Pure.

Archives are counted from the oldest item, so that a new item changes the front alone: the front shows the
newest full page together with what is newer.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.publisher.channels.website import paths
from services.publisher.channels.website.feeds import NEWEST
from services.publisher.channels.website.items import Item, by_age
from services.publisher.channels.website.pages import FEEDS, Listing, Masthead

PAGE: Final = 24
"""Items on an archive page; a front has up to twice as many."""
TAGS_OFFERED: Final = 24


@dataclass(frozen=True, slots=True)
class ListingFile:
    """One HTML page of items."""

    listing: Listing
    nav: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FeedFiles:
    """A language's feeds, from items whose texts are cut; newest first."""

    language: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class HashtagsFile:
    """The page of all hashtags: text, path, number of items."""

    tags: tuple[tuple[str, str, int], ...]
    nav: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MissingFile:
    """What is shown where nothing is."""

    nav: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SitemapFile:
    """All pages, newest first."""

    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class RobotsFile:
    """What search engines may read."""


Index = ListingFile | FeedFiles | HashtagsFile | MissingFile | SitemapFile | RobotsFile
Plan = Mapping[str, Index]
"""Every index by its file, a language's feeds by the first of them."""


def plan(head: Masthead, shown: Mapping[str, Item]) -> Plan:
    """The indexes over the items `shown`, given by page path."""
    items = by_age(shown)
    spoken = {item.language for item in items}
    nav = (*head.languages, *sorted(spoken - set(head.languages)))
    made: dict[str, Index] = {
        "robots.txt": RobotsFile(),
        "404.html": MissingFile(nav),
        "sitemap.xml": SitemapFile(tuple(reversed(items))),
        paths.file_of("tags/"): HashtagsFile(_all_tags(items), nav),
    }
    made |= _listings(None, items, nav)
    for language in nav:
        own = [item for item in items if item.language == language]
        made |= _listings(language, own, nav)
        made[f"{language}/feed.xml"] = FeedFiles(language, tuple(reversed(own[-NEWEST:])))
    return made


def differing(before: Plan, after: Plan) -> set[str]:
    """The files that have to be written again, or taken away."""
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def files(path: str) -> tuple[str, ...]:
    """The files that an index stands for."""
    language, _, name = path.rpartition("/")
    if name == "feed.xml":
        return tuple(f"{language}/{feed}" for feed, *_ in FEEDS)
    return (path,)


def _listings(language: str | None, items: Sequence[Item], nav: tuple[str, ...]) -> dict[str, Index]:
    """Front, archive and hashtag pages of one language, or of all."""
    tags = _tags(items)
    offered = Counter({key: len(tagged) for key, tagged in tags.items()}).most_common(TAGS_OFFERED)
    ways = tuple((_text(tags[key], key), paths.tag(key, language)) for key, _ in offered)
    made = _paged(paths.front(language), language, items, None, ways)
    for key, tagged in tags.items():
        made += _paged(paths.tag(key, language), language, tagged, _text(tagged, key), ())
    return {paths.file_of(each.path): ListingFile(each, nav) for each in made}


def _paged(
    base: str,
    language: str | None,
    items: Sequence[Item],
    heading: str | None,
    ways: tuple[tuple[str, str], ...],
) -> list[Listing]:
    archives = max(0, len(items) // PAGE - 1)
    newest = tuple(reversed(items[archives * PAGE :]))
    older = paths.archive(base, archives) if archives else None
    made = [Listing(base, language, newest, heading, None, older, ways)]
    made += [
        Listing(
            path=paths.archive(base, number),
            language=language,
            items=tuple(reversed(items[(number - 1) * PAGE : number * PAGE])),
            heading=heading,
            newer=base if number == archives else paths.archive(base, number + 1),
            older=paths.archive(base, number - 1) if number > 1 else None,
        )
        for number in range(1, archives + 1)
    ]
    return made


def _tags(items: Sequence[Item]) -> dict[str, list[Item]]:
    tags: dict[str, list[Item]] = {}
    for item in items:
        for key in item.tags:
            tags.setdefault(key, []).append(item)
    return tags


def _text(tagged: Sequence[Item], key: str) -> str:
    """A hashtag as its newest item writes it."""
    return tagged[-1].tags[key]


def _all_tags(items: Sequence[Item]) -> tuple[tuple[str, str, int], ...]:
    tags = _tags(items)
    return tuple((_text(tags[key], key), paths.tag(key), len(tags[key])) for key in sorted(tags))
