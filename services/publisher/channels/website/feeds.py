"""A language's feeds, and what tells search engines what there is. The same items give the same bytes. Pure."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any, Final
from xml.sax.saxutils import escape as xml

from feedgen.feed import FeedGenerator

from services.publisher.channels.website import paths
from services.publisher.channels.website.items import Item
from services.publisher.channels.website.pages import Masthead, media_url
from services.publisher.rendering.text import ai_label, credit
from shared.campaign.fields import text_in

NEWEST: Final = 30
"""Items in a feed."""
SITEMAP_URLS: Final = 50_000
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_BEGINNING: Final = datetime(2020, 1, 1, tzinfo=UTC)
_NAMESPACE: Final = "http://www.sitemaps.org/schemas/sitemap/0.9"


def feeds(head: Masthead, language: str, items: Sequence[Item]) -> dict[str, bytes]:
    """RSS, Atom and JSON Feed of `items` (newest first, with their whole texts), by path."""
    made = _generator(head, language, items)
    return {
        f"{language}/feed.xml": made.rss_str(),
        f"{language}/atom.xml": made.atom_str(),
        f"{language}/feed.json": _json_feed(head, language, items),
    }


def content(item: Item, public_url: str) -> str:
    """The item as HTML that stands by itself in somebody's reader."""
    parts = [f"<p>{escape(label)}</p>"] if (label := ai_label(item.ai, item.language)) else []
    for each in item.media:
        link = escape(paths.url(public_url, media_url(each)))
        if each.type.startswith("image/"):
            parts.append(
                f'<p><img src="{link}" alt="{escape(each.alt)}" width="{each.width}" height="{each.height}"></p>'
            )
        else:
            parts.append(f'<p><a href="{link}">{escape(each.alt or link)}</a></p>')
    parts += ["<p>{}</p>".format(escape(text).replace("\n", "<br>")) for text in item.paragraphs]
    parts.append(f"<p>{escape(credit(item.attribution, item.language))}</p>")
    return "".join(parts)


def identity(item: Item) -> str:
    """An id that stays the same through corrections and moves of the website."""
    return f"urn:konullu:{item.code}:{item.language}"


def _generator(head: Masthead, language: str, items: Sequence[Item]) -> Any:
    here = paths.url(head.public_url, paths.front(language))
    made = FeedGenerator()
    made.id(f"{here}atom.xml")
    made.title(_clean(text_in(head.name, language)))
    made.subtitle(_clean(text_in(head.about or head.name, language)))
    made.language(language)
    made.link(href=f"{here}atom.xml", rel="self", type="application/atom+xml")
    made.link(href=here, rel="alternate", type="text/html")
    newest = max((item.changed_at for item in items), default=_BEGINNING)
    made.updated(newest)
    made.lastBuildDate(newest)
    for item in items:
        entry = made.add_entry(order="append")
        entry.id(identity(item))
        entry.guid(identity(item), permalink=False)
        entry.title(_clean(item.title))
        entry.link(href=paths.url(head.public_url, item.path))
        entry.summary(_clean(item.summary))
        entry.content(_clean(content(item, head.public_url)), type="html")
        entry.author(name=_clean(credit(item.attribution, item.language)))
        entry.published(item.published_at)
        entry.updated(item.changed_at)
        for tag in item.hashtags:
            entry.category(term=_clean(tag))
        if item.cover is not None:
            link = paths.url(head.public_url, media_url(item.cover))
            entry.enclosure(link, str(item.cover.bytes), item.cover.type)
    return made


def _json_feed(head: Masthead, language: str, items: Sequence[Item]) -> bytes:
    here = paths.url(head.public_url, paths.front(language))
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": text_in(head.name, language),
        "home_page_url": here,
        "feed_url": f"{here}feed.json",
        "language": language,
        "items": [_json_item(item, head.public_url) for item in items],
    }
    return json.dumps(feed, ensure_ascii=False, indent=1).encode()


def _json_item(item: Item, public_url: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": identity(item),
        "url": paths.url(public_url, item.path),
        "title": item.title,
        "content_html": content(item, public_url),
        "content_text": item.body,
        "summary": item.summary,
        "language": item.language,
        "date_published": item.published_at.isoformat(),
        "date_modified": item.changed_at.isoformat(),
        "authors": [{"name": credit(item.attribution, item.language)}],
        "tags": list(item.hashtags),
        "attachments": [
            {
                "url": paths.url(public_url, media_url(each)),
                "mime_type": each.type,
                "size_in_bytes": each.bytes,
                "title": each.alt,
            }
            for each in item.media
        ],
    }
    cover = item.cover
    if cover is not None and cover.type.startswith("image/"):
        entry["image"] = paths.url(public_url, media_url(cover))
    return entry


def sitemap(head: Masthead, items: Sequence[Item]) -> bytes:
    """The newest pages with the days of their last changes. Other languages are named in the pages themselves."""
    lines = [
        f"<url><loc>{xml(paths.url(head.public_url, item.path))}</loc>"
        f"<lastmod>{item.changed_at.astimezone(UTC).date().isoformat()}</lastmod></url>"
        for item in items[:SITEMAP_URLS]
    ]
    body = "\n".join(lines)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="{_NAMESPACE}">\n{body}\n</urlset>\n'.encode()
    )


def robots(head: Masthead) -> bytes:
    """Everything may be read but what only leads on, or keeps the site."""
    sitemap_url = paths.url(head.public_url, "sitemap.xml")
    return f"User-agent: *\nDisallow: /go/\nDisallow: /{paths.ITEMS}\nDisallow: /r/\n\nSitemap: {sitemap_url}\n".encode()


def _clean(text: str) -> str:
    """`text` without the characters that XML cannot hold."""
    return _FORBIDDEN.sub("", text)
