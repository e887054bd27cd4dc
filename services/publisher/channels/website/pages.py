"""The website's pages as HTML. Everything but the reading of templates is pure: the same items give the same bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

import shared.web
from services.publisher.channels.website import paths
from services.publisher.channels.website.items import Item
from services.publisher.channels.website.languages import country_name, day, number
from services.publisher.rendering.text import ai_label, credit, words_in
from shared.campaign.fields import Text, said_in, text_in
from shared.events import Media
from shared.web.catalogues import SPOKEN, own_name, path_of, spoken, translations
from shared.web.language import direction

HERE: Final = Path(__file__).parent
FACE: Final = Path(shared.web.__file__).parent / "static"
"""The look that all pages of the project share."""
FEEDS: Final = (
    ("feed.xml", "application/rss+xml", "RSS"),
    ("atom.xml", "application/atom+xml", "Atom"),
    ("feed.json", "application/feed+json", "JSON Feed"),
)
"""A language's feeds: file, type, name."""


@dataclass(frozen=True, slots=True)
class Masthead:
    """Whose website it is."""

    name: Text
    about: Text | None
    public_url: str
    languages: tuple[str, ...]
    """The campaign's languages, its first one first."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A page that lists items, newest first."""

    path: str
    language: str | None
    """Its language; absent for a page over all languages, which speaks the campaign's first one."""
    items: tuple[Item, ...]
    heading: str | None = None
    """A hashtag, on its page."""
    newer: str | None = None
    older: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    """Hashtags to go on with: text and path."""


class SitePages:
    """Renders pages for one masthead."""

    def __init__(self, masthead: Masthead) -> None:
        self.masthead = masthead
        self._prefix = urlsplit(masthead.public_url).path.rstrip("/")
        self._environments: dict[str, Environment] = {}

    def _environment(self, chrome: str) -> Environment:
        """The templates in the words of one language."""
        known = self._environments.get(chrome)
        if known is not None:
            return known
        environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        environment.install_gettext_translations(translations(chrome), newstyle=True)  # type: ignore[attr-defined] # the extension adds it
        environment.globals |= {
            "href": self.href,
            "absolute": self.absolute,
            "asset": self.asset,
            "direction": direction,
            "chrome": chrome,
            "own_name": own_name,
            "country_name": country_name,
            "day": day,
            "number": number,
            "credit": credit,
            "ai_label": ai_label,
            "media_url": media_url,
            "sources": sources,
            "feeds": FEEDS,
            "paths": paths,
        }
        self._environments[chrome] = environment
        return environment

    @cached_property
    def assets(self) -> Mapping[str, bytes]:
        """Styles and mark by their public path; a file's name changes with its content."""
        files = {
            "site.css": (FACE / "tokens.css").read_bytes() + (HERE / "static/site.css").read_bytes(),
            "mark.svg": (FACE / "mark.svg").read_bytes(),
        }
        return {
            f"assets/{sha256(content).hexdigest()[:10]}/{name}": content for name, content in files.items()
        }

    @cached_property
    def edition(self) -> str:
        """A name for how pages look now; changes with templates, styles and words."""
        parts = [file.read_bytes() for file in sorted((HERE / "templates").iterdir())]
        parts += [path_of(language).read_bytes() for language in SPOKEN]
        parts += [path.encode() for path in self.assets] + [repr(self.masthead).encode()]
        return sha256(b"\0".join(parts)).hexdigest()[:16]

    def asset(self, name: str) -> str:
        """The address of a static file by its plain name."""
        return self.href(next(path for path in self.assets if path.endswith(f"/{name}")))

    def href(self, path: str) -> str:
        """A link within the site."""
        return f"{self._prefix}/{quote(path)}"

    def absolute(self, path: str) -> str:
        """A link for those who read elsewhere."""
        return paths.url(self.masthead.public_url, path)

    def story(self, item: Item, versions: Sequence[Item]) -> bytes:
        """A submission's page. `versions` are all its languages, this one included.

        It shows nothing of other submissions, so that one that is taken away leaves no trace on it.
        """
        return self._render(
            "story.html",
            item.language,
            item=item,
            versions=sorted(versions, key=lambda each: each.language),
            share=share_links(item),
        )

    def listing(self, listing: Listing, nav: Sequence[str]) -> bytes:
        """A front page, an archive page or a hashtag's page. `nav` are the languages that have a front page."""
        return self._render("listing.html", listing.language, listing=listing, nav=nav)

    def hashtags(self, tags: Sequence[tuple[str, str, int]], nav: Sequence[str]) -> bytes:
        """All hashtags: text, path and number of items."""
        return self._render("hashtags.html", None, tags=tags, nav=nav)

    def missing(self, nav: Sequence[str]) -> bytes:
        """What is shown where nothing is."""
        first = spoken(self.masthead.languages[0])
        also = [(tag, *_missing(tag)) for tag in nav if spoken(tag) == tag and tag != first]
        return self._render("missing.html", None, nav=nav, said=_missing(first), also=also)

    def moving(self, target: str, language: str | None = None) -> bytes:
        """A page that leads on to `target`."""
        return self._render("moving.html", language, target=target)

    def _render(self, template: str, language: str | None, **context: Any) -> bytes:
        tag = language or self.masthead.languages[0]
        head, about = self.masthead, self.masthead.about or self.masthead.name
        text = (
            self._environment(spoken(tag))
            .get_template(template)
            .render(
                language=tag,
                name=text_in(head.name, tag),
                about=text_in(about, tag),
                about_tag=said_in(about, tag),
                edition=self.edition,
                **context,
            )
        )
        return text.encode()


def _missing(language: str) -> tuple[str, str]:
    """What is said where nothing is: a heading and a sentence."""
    _ = words_in(language)
    return _("Page not found"), _("It may have been withdrawn by its author or taken down by the editors.")


def media_url(media: Media) -> str:
    """A photo's or video's path."""
    return paths.media(media.sha256, media.type)


def sources(media: Media) -> list[tuple[str, int]]:
    """A photo's narrower renditions, path and width, and itself."""
    offered = paths.narrower(media.width, media.height)
    narrower = [(paths.rendition(media.sha256, width), width) for width in offered]
    return [*narrower, (media_url(media), media.width)]


def share_links(item: Item) -> list[tuple[str, str]]:
    """Links to other people's share pages: plain links, which ask nobody anything until they are followed."""
    _ = words_in(item.language)
    text, link = item.title, item.short_link
    return [
        ("Telegram", f"https://t.me/share/url?{urlencode({'url': link, 'text': text})}"),
        ("WhatsApp", f"https://wa.me/?{urlencode({'text': f'{text} {link}'})}"),
        ("Facebook", f"https://www.facebook.com/sharer/sharer.php?{urlencode({'u': link})}"),
        ("X", f"https://x.com/intent/post?{urlencode({'url': link, 'text': text})}"),
        (_("E-mail"), f"mailto:?{urlencode({'subject': text, 'body': link}, quote_via=quote)}"),
    ]
