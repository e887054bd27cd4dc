"""The catalogues of human text, read at start-up."""

import gettext
import io
from pathlib import Path
from typing import Final

from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LOCALE: Final = Path(__file__).parent / "locale"


def path_of(language: str) -> Path:
    """Where the catalogue of `language` lies."""
    return LOCALE / language / "messages.po"


def read(language: str) -> Catalog:
    """The catalogue of `language` as it is written, empty when there is none yet."""
    path = path_of(language)
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def translations(language: str) -> gettext.GNUTranslations:
    """What gettext needs to speak `language`, made in memory, so that no compiled catalogue can be stale."""
    compiled = io.BytesIO()
    write_mo(compiled, read(language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
