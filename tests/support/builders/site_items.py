"""A campaign, items and HTML readers for the website's tests."""

from dataclasses import dataclass, field
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from services.publisher.channels.port import Post
from services.publisher.channels.website.items import Item
from services.publisher.channels.website.pages import Masthead
from services.publisher.channels.website.site import masthead_of
from shared.campaign.model import Campaign
from tests.support.builders.posts import PLANNED, SITE, post

CAMPAIGN = b"""
name: {en: Voices of heritage, az: Irsin sesleri}
about: {en: Stories that volunteers send in.}
languages: [az, en]
countries: [AZ, TR]
terms_version: "1"
channels:
  - {id: site, kind: website}
"""


def campaign() -> Campaign:
    return Campaign.parse(CAMPAIGN, Path("campaign.yaml"))


def masthead() -> Masthead:
    return masthead_of(campaign(), SITE)


def delivery(number: int = 1, **changes: Any) -> Post:
    """The delivery of a submission of its own to the website, each an hour after the one before."""
    made = post(f"d{number:025d}", channel="site", submission_id=f"submission-{number}", **changes)
    return Post(
        **{name: getattr(made, name) for name in made.__slots__}
        | {"planned_at": PLANNED + timedelta(hours=number)}
    )


def item(number: int = 1, **changes: Any) -> Item:
    return Item.of(delivery(number, **changes), None)


def shown(*items: Item) -> dict[str, Item]:
    return {each.path: each for each in items}


VOID = {"meta", "link", "img", "br"}


@dataclass
class Page(HTMLParser):
    """What a page's HTML says: its elements with attributes, and the text of each element of a kind."""

    source: str
    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if self._open and data.strip():
            self.texts.append((self._open[-1], data))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]

    def meta(self, name: str) -> str | None:
        found = (m["content"] for m in self.all("meta") if name in {m.get("name"), m.get("property")})
        return next(found, None)
