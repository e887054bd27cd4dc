"""What is sent, item by item, from a seed: 3,000 items in 67 countries and 13 languages, 2,000 photos, 27 videos, and the
reach they find. The same seed and size give the same campaign. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.demo.items import ALTERNATIVE_TEXTS, ITEMS

WHOLE: Final = 3_000
COUNTRIES: Final = (
    *("AZ", "TR", "IL", "UA", "CA", "US", "DE", "PL", "RU", "GE", "AU", "GB", "NL", "NO", "FR", "SE", "PK"),
    *("MD", "IT", "RO", "ES", "AT", "BE", "CH", "CZ", "SK", "HU", "BG", "GR", "PT", "IE", "DK", "FI", "EE"),
    *("LV", "LT", "BY", "KZ", "UZ", "KG", "TJ", "TM", "IR", "IQ", "AE", "SA", "QA", "KW", "EG", "MA", "TN"),
    *("JO", "LB", "CN", "JP", "KR", "IN", "MY", "ID", "SG", "NZ", "BR", "AR", "MX", "ZA", "RS", "CY"),
)
"""Sixty-seven."""
MORE: Final = {
    "it": ("Una mostra di tappeti in biblioteca", "L'ingresso è libero e si può toccare tutto."),
    "pl": ("Chór, w którym każdy może śpiewać", "Spotykamy się we wtorki w domu kultury."),
    "uk": ("Вечір народних пісень у бібліотеці", "Вхід вільний, приходьте з родиною."),
}
"""A title and a text in languages that the demonstration has none in."""
ALTERNATIVES: Final = {
    **ALTERNATIVE_TEXTS,
    "it": "Un motivo colorato, immagine {}",
    "pl": "Kolorowy wzór, obraz {}",
    "uk": "Кольоровий візерунок, малюнок {}",
}
LANGUAGES: Final = tuple(ALTERNATIVES)
TAGS: Final = ("könüllü", "mədəniyyət", "culture", "kültür", "культура", "heritage", "musiqi", "books")


@dataclass(frozen=True, slots=True)
class Item:
    """One submission, and the reach it will find."""

    number: int
    language: str
    country: str
    title: str
    body: str
    hashtags: tuple[str, ...]
    media: str = ""
    """`photo`, `video` or nothing."""
    clicks: int = 0
    views: tuple[int, ...] = ()
    """What the channel says, at rising times: the last is how things stand."""

    @property
    def marker(self) -> str:
        """Stands in the title, and in no other item's."""
        return f"({self.number:04})"

    @property
    def alt(self) -> str:
        """What its picture shows, in its language."""
        return ALTERNATIVES[self.language].format(self.number)


@dataclass(frozen=True, slots=True)
class Plan:
    """A campaign."""

    seed: int
    items: tuple[Item, ...]

    @property
    def countries(self) -> tuple[str, ...]:
        """Those that send something."""
        return tuple(dict.fromkeys(item.country for item in self.items))

    @property
    def photos(self) -> int:
        """How many there are."""
        return sum(item.media == "photo" for item in self.items)

    @property
    def videos(self) -> int:
        """How many there are."""
        return sum(item.media == "video" for item in self.items)

    @property
    def clicks(self) -> int:
        """All that will be made."""
        return sum(item.clicks for item in self.items)

    @property
    def views(self) -> int:
        """How things stand at the end, over all items."""
        return sum(item.views[-1] for item in self.items)


def plan(size: int = WHOLE, seed: int = 2020) -> Plan:
    """A campaign of `size` items, everything else in proportion: for 3,000, 2,000 photos, 27 videos, 120,000 views."""
    chance = Random(seed)
    texts = _texts()
    videos = max(1, round(27 * size / WHOLE))
    bare = [number for number in range(size) if number % 3 == 2]
    filmed = frozenset(bare[:: max(1, len(bare) // videos)][:videos])
    clicks = _shares(chance, size, size * 20_000 // WHOLE)
    views = _shares(chance, size, size * 100_000 // WHOLE)
    items = []
    for number in range(size):
        language = LANGUAGES[number % len(LANGUAGES)]
        title, body = chance.choice(texts[language])
        items.append(
            Item(
                number=number,
                language=language,
                country=COUNTRIES[number % len(COUNTRIES)],
                title=f"{title} ({number:04})",
                body="\n\n".join([body] * chance.randint(1, 6)),
                hashtags=tuple(chance.sample(TAGS, 2)),
                media="video" if number in filmed else "" if number % 3 == 2 else "photo",
                clicks=clicks[number],
                views=tuple(sorted({views[number] // 3, views[number] * 2 // 3, views[number]})),
            )
        )
    return Plan(seed, tuple(items))


def _texts() -> dict[str, Sequence[tuple[str, str]]]:
    texts: dict[str, list[tuple[str, str]]] = {language: [MORE[language]] for language in MORE}
    for item in ITEMS:
        texts.setdefault(item.language, []).append((item.title, item.body))
    return dict(texts)


def _shares(chance: Random, parts: int, whole: int) -> list[int]:
    """A whole number in uneven parts, some of them nothing."""
    cuts = sorted(chance.randint(0, whole) for _ in range(parts - 1))
    return [after - before for before, after in zip([0, *cuts], [*cuts, whole], strict=True)]
