"""The catalogues of human text, read once: one folder a language below `locale/`.

`messages.po` holds every text: its language is offered for all pages. `public.po` holds only what is put beside submissions
in public, on the website and in posts: its language is offered there alone. To add a language is to add its catalogue.
"""

import gettext
import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from shared.text.language_ranges import nearest
from shared.web.language import DEFAULT

LOCALE: Final = Path(__file__).parent / "locale"
MESSAGES: Final = "messages.po"
PUBLIC: Final = "public.po"


def path_of(language: str) -> Path:
    """Where the catalogue of `language` lies."""
    whole = LOCALE / language / MESSAGES
    return whole if whole.exists() else LOCALE / language / PUBLIC


def read(language: str) -> Catalog:
    """The catalogue of `language` as it is written, empty when there is none yet."""
    path = path_of(language)
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


@cache
def translations(language: str) -> gettext.GNUTranslations:
    """What gettext needs to speak `language`, made in memory, so that no compiled catalogue can be stale."""
    compiled = io.BytesIO()
    write_mo(compiled, read(language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


SPOKEN: Final = tuple(sorted(file.parent.name for file in LOCALE.glob("*/*.po")))
"""The languages that have words for what is shown in public."""


def spoken(language: str) -> str:
    """The language whose words stand beside a text in `language`: its own, that which it is a variety of, English."""
    return nearest(language, SPOKEN, DEFAULT)


def own_name(language: str) -> str:
    """A language by its own name, as its readers look for it; the tag itself where it has none."""
    if language in SPOKEN:
        pgettext = translations(language).pgettext
        # Translators: your language's name in itself, with a capital where it has them.
        name = pgettext("name of this language", "English")
        if language == DEFAULT or name != "English":
            return name
    try:
        name = Locale.parse(language, sep="-").get_display_name() or ""
    except (UnknownLocaleError, ValueError):
        name = ""
    # `title` leaves Georgian as it is, which begins no sentence with a capital; `upper` would not.
    return f"{name[:1].title()}{name[1:]}" or language


def alphabet(language: str) -> str:
    """The small letters of a language of the pages in the order in which a reader looks for them."""
    pgettext = translations(language).pgettext
    # Translators: all small letters in the order of your dictionaries.
    return pgettext("alphabet", "abcdefghijklmnopqrstuvwxyz")


LANGUAGES: Final[Mapping[str, str]] = dict(
    sorted(
        ((file.parent.name, own_name(file.parent.name)) for file in LOCALE.glob(f"*/{MESSAGES}")),
        key=lambda pair: pair[1],
    )
)
"""The languages of the pages, each by its own name, in the order in which they are offered."""
