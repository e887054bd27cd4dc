"""`python -m shared.web.extraction` brings the catalogues up to date with every text of pages, website and posts."""

import sys
from pathlib import Path
from typing import Final

from babel import Locale
from babel.messages import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import write_po

from shared.campaign import defaults
from shared.web.catalogues import MESSAGES, SPOKEN, path_of, read
from shared.web.language import DEFAULT

ROOT: Final = Path(__file__).parents[2]
PUBLIC_PLACES: Final = ("services/publisher/rendering/", "services/publisher/channels/")
"""Where stands what is put beside submissions in public."""
_METHODS: Final = [
    ("**/web/**.html", "jinja2"),
    ("**/templates/**.html", "jinja2"),
    ("web/catalogues.py", "python"),
    ("publisher/rendering/**.py", "python"),
    ("publisher/channels/**.py", "python"),
]
_OPTIONS: Final = {
    pattern: {"newstyle_gettext": "true"} for pattern, method in _METHODS if method == "jinja2"
}


def extract() -> Catalog:
    """Every text, with its files but without line numbers, so that moving a line changes no catalogue."""
    template = Catalog(project="Könüllü", charset="utf-8")
    for folder in (ROOT / "shared", ROOT / "services"):
        found = extract_from_dir(
            folder,
            method_map=_METHODS,
            options_map=_OPTIONS,
            keywords=DEFAULT_KEYWORDS,
            comment_tags=("Translators:",),
        )
        for filename, _line, message, comments, context in sorted(found, key=lambda item: item[0]):
            place = (folder / filename).relative_to(ROOT).as_posix()
            template.add(message, locations=[(place, 0)], auto_comments=comments, context=context)
    for text in defaults.texts():
        template.add(text, locations=[(defaults.FILE.relative_to(ROOT).as_posix(), 0)])
    return template


def wanted(language: str, every: Catalog) -> Catalog:
    """Of every text those that the catalogue of `language` holds."""
    whole = path_of(language).name == MESSAGES
    chosen = Catalog(project="Könüllü", charset="utf-8")
    for message in every:
        places = [place for place in message.locations if whole or place[0].startswith(PUBLIC_PLACES)]
        if message.id and places:
            chosen.add(message.id, None, places, auto_comments=message.auto_comments, context=message.context)
    return chosen


def is_translated(string: str | list[str] | tuple[str, ...]) -> bool:
    """Whether a text has its translation in every plural form."""
    return bool(string) if isinstance(string, str) else bool(string) and all(string)


def update() -> None:
    """Add new texts untranslated, drop dead ones, and let English speak for itself."""
    every = extract()
    for language in SPOKEN:
        catalogue = read(language)
        catalogue.update(wanted(language, every), no_fuzzy_matching=True, update_creation_date=False)
        catalogue.obsolete.clear()
        catalogue.fuzzy = False
        catalogue.project, catalogue.version, catalogue.msgid_bugs_address = "Könüllü", "1", ""
        catalogue.last_translator = catalogue.language_team = "Könüllü"
        name = Locale.parse(language, sep="-").get_display_name("en")
        catalogue.header_comment = f"# Könüllü in {name}. Words as in the glossary; short, kind, concrete."
        if language == DEFAULT:
            for message in catalogue:
                message.string = message.id or message.string
        with path_of(language).open("wb") as file:
            write_po(file, catalogue, width=118, sort_output=True, include_lineno=False)
        missing = [
            message.id for message in catalogue if message.id and not is_translated(message.string or "")
        ]
        sys.stdout.write(f"{language}: {len(catalogue)} texts, {len(missing)} untranslated\n")


if __name__ == "__main__":
    update()
