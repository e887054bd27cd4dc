"""What is published on the website, as it is kept: one immutable record per delivery. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Self

from pydantic import AwareDatetime

from services.publisher.channels.port import Post
from services.publisher.channels.website import paths
from services.publisher.rendering.text import shortened
from shared.events import AiUse, Attribution, Media, Value
from shared.text.hashtags import by_key

SUMMARY = 220
"""Characters of a card's teaser."""


class Correction(Value):
    """A text that was replaced."""

    revision: int
    at: AwareDatetime


class Item(Value):
    """A submission in one language as the website shows it."""

    delivery_id: str
    code: str
    language: str
    revision: int
    edition: int = 0
    """Of several on one page the highest is shown; 0 where the revision says it."""
    title: str
    body: str
    country: str
    section: str | None
    hashtags: tuple[str, ...]
    media: tuple[Media, ...]
    attribution: Attribution
    ai: AiUse
    short_link: str
    published_at: AwareDatetime
    """When it first appeared; a correction does not make it new."""
    corrections: tuple[Correction, ...] = ()

    @classmethod
    def of(cls, post: Post, earlier: "Item | None") -> Self:
        """The item that `post` makes, in the place of `earlier` if there was one."""
        shown = post.snapshot
        began = max(post.planned_at, shown.publish_at) if shown.publish_at else post.planned_at
        corrections: tuple[Correction, ...] = ()
        if earlier is not None:
            corrections = (*earlier.corrections, Correction(revision=post.revision, at=began))
        return cls(
            delivery_id=post.delivery_id,
            code=paths.code_of(shown.submission_id),
            language=shown.language,
            revision=post.revision,
            edition=post.edition,
            title=shown.title,
            body=shown.body,
            country=shown.country,
            section=shown.section,
            hashtags=tuple(dict.fromkeys(shown.hashtags)),
            media=shown.media,
            attribution=shown.attribution,
            ai=shown.ai,
            short_link=post.short_link,
            published_at=earlier.published_at if earlier is not None else began,
            corrections=corrections,
        )

    @property
    def tags(self) -> dict[str, str]:
        """Its hashtags as it writes them, each once, by their comparison keys."""
        return by_key(self.hashtags, self.language)

    @property
    def path(self) -> str:
        """Its page."""
        return paths.page(self.code, self.language)

    @property
    def record(self) -> str:
        """Where it is kept."""
        return paths.record(self.code, self.language, self.order, self.delivery_id)

    @property
    def order(self) -> int:
        """Of two items on one page the higher is the newer. A decision's version is never below its revision."""
        return self.edition or self.revision

    @property
    def changed_at(self) -> datetime:
        """When its text last changed."""
        return self.corrections[-1].at if self.corrections else self.published_at

    @property
    def cover(self) -> Media | None:
        """The picture that stands for it: its first photo, else its first video."""
        photos = [each for each in self.media if each.type.startswith("image/")]
        return next(iter(photos or self.media), None)

    @property
    def paragraphs(self) -> list[str]:
        """The text, paragraph by paragraph, exactly; line breaks within a paragraph stay in it."""
        blocks: list[list[str]] = [[]]
        for line in self.body.replace("\r\n", "\n").split("\n"):
            if line.strip():
                blocks[-1].append(line)
            elif blocks[-1]:
                blocks.append([])
        return ["\n".join(block) for block in blocks if block]

    @property
    def summary(self) -> str:
        """The beginning of the text, for cards and descriptions."""
        return shortened(" ".join(self.body.split()), SUMMARY, len)

    def card(self) -> "Item":
        """The item with no more of its text than indexes show, for keeping many in memory."""
        return self.model_copy(update={"body": self.summary})


def newest_editions(records: Iterable[str]) -> dict[str, str]:
    """Of all records the one that each page shows: page path → record path."""
    shown: dict[str, tuple[int, str]] = {}
    for path in records:
        found = paths.parse_record(path)
        if found is not None:
            code, language, edition = found
            page = paths.page(code, language)
            shown[page] = max(shown.get(page, (0, "")), (edition, path))
    return {page: path for page, (_, path) in shown.items()}


def by_age(items: Mapping[str, Item]) -> list[Item]:
    """Oldest first; those of one moment in a fixed order."""
    return sorted(items.values(), key=lambda item: (item.published_at, item.code, item.language))
