"""A language's feeds, and what tells search engines what there is. The same items give the same bytes. Pure."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from typing import Any, Final
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape as xml

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
_ATOM: Final = "http://www.w3.org/2005/Atom"
_CONTENT: Final = "http://purl.org/rss/1.0/modules/content/"
_NAMESPACE: Final = "http://www.sitemaps.org/schemas/sitemap/0.9"


def feeds(head: Masthead, language: str, items: Sequence[Item]) -> dict[str, bytes]:
    """RSS, Atom and JSON Feed of `items` (newest first, with their whole texts), by path."""
    return {
        f"{language}/feed.xml": _rss(head, language, items),
        f"{language}/atom.xml": _atom(head, language, items),
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


def _rss(head: Masthead, language: str, items: Sequence[Item]) -> bytes:
    here = paths.url(head.public_url, paths.front(language))
    root = ET.Element("rss", {"version": "2.0", "xmlns:atom": _ATOM, "xmlns:content": _CONTENT})
    channel = ET.SubElement(root, "channel")
    _add(channel, "title", text_in(head.name, language))
    _add(channel, "link", here)
    _add(channel, "description", text_in(head.about or head.name, language))
    _add(channel, "atom:link", rel="self", type="application/rss+xml", href=f"{here}feed.xml")
    _add(channel, "language", language)
    _add(channel, "lastBuildDate", format_datetime(_newest(items)))
    for item in items:
        entry = _add(channel, "item")
        _add(entry, "title", item.title)
        _add(entry, "link", paths.url(head.public_url, item.path))
        _add(entry, "description", item.summary)
        _add(entry, "content:encoded", content(item, head.public_url))
        _add(entry, "guid", identity(item), isPermaLink="false")
        for tag in item.hashtags:
            _add(entry, "category", tag)
        if item.cover is not None:
            link = paths.url(head.public_url, media_url(item.cover))
            _add(entry, "enclosure", url=link, length=str(item.cover.bytes), type=item.cover.type)
        _add(entry, "pubDate", format_datetime(item.published_at))
    return _bytes(root)


def _atom(head: Masthead, language: str, items: Sequence[Item]) -> bytes:
    here = paths.url(head.public_url, paths.front(language))
    root = ET.Element("feed", {"xmlns": _ATOM, "xml:lang": language})
    _add(root, "id", f"{here}atom.xml")
    _add(root, "title", text_in(head.name, language))
    _add(root, "updated", _newest(items).isoformat())
    _add(root, "link", rel="self", type="application/atom+xml", href=f"{here}atom.xml")
    _add(root, "link", rel="alternate", type="text/html", href=here)
    _add(root, "subtitle", text_in(head.about or head.name, language))
    for item in items:
        entry = _add(root, "entry")
        _add(entry, "id", identity(item))
        _add(entry, "title", item.title)
        _add(entry, "updated", item.changed_at.isoformat())
        _add(_add(entry, "author"), "name", credit(item.attribution, item.language))
        _add(entry, "content", content(item, head.public_url), type="html")
        _add(entry, "link", href=paths.url(head.public_url, item.path))
        _add(entry, "summary", item.summary)
        for tag in item.hashtags:
            _add(entry, "category", term=tag)
        if item.cover is not None:
            link = paths.url(head.public_url, media_url(item.cover))
            length = str(item.cover.bytes)
            _add(entry, "link", rel="enclosure", href=link, length=length, type=item.cover.type)
        _add(entry, "published", item.published_at.isoformat())
    return _bytes(root)


def _newest(items: Sequence[Item]) -> datetime:
    return max((item.changed_at for item in items), default=_BEGINNING)


def _add(parent: ET.Element, name: str, text: str | None = None, **attributes: str) -> ET.Element:
    """A child of `parent`, without the characters that XML cannot hold."""
    child = ET.SubElement(parent, name, {key: _clean(value) for key, value in attributes.items()})
    child.text = None if text is None else _clean(text)
    return child


def _bytes(root: ET.Element) -> bytes:
    made: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
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
