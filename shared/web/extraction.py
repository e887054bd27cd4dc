"""`python -m shared.web.extraction` brings the catalogues up to date with every text in every template."""

import sys
from pathlib import Path
from typing import Final

from babel.messages import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import write_po

from shared.web.catalogues import path_of, read
from shared.web.language import DEFAULT, LANGUAGES

ROOT: Final = Path(__file__).parents[2]
_METHODS: Final = [("**/web/**.html", "jinja2")]
_OPTIONS: Final = {"**/web/**.html": {"newstyle_gettext": "true"}}


def extract() -> Catalog:
    """Every text, with its files but without line numbers, so that moving a line changes no catalogue."""
    template = Catalog(project="Könüllü", charset="utf-8")
    for folder in (ROOT / "shared", ROOT / "services"):
        found = extract_from_dir(folder, method_map=_METHODS, options_map=_OPTIONS, keywords=DEFAULT_KEYWORDS)
        for filename, _line, message, comments, context in sorted(found, key=lambda item: item[0]):
            place = (folder / filename).relative_to(ROOT).as_posix()
            template.add(message, locations=[(place, 0)], auto_comments=comments, context=context)
    return template


def is_translated(string: str | list[str] | tuple[str, ...]) -> bool:
    """Whether a text has its translation in every plural form."""
    return bool(string) if isinstance(string, str) else bool(string) and all(string)


def update() -> None:
    """Add new texts untranslated, drop dead ones, and let English speak for itself."""
    for language in LANGUAGES:
        catalogue = read(language)
        catalogue.update(extract(), no_fuzzy_matching=True, update_creation_date=False)
        catalogue.obsolete.clear()
        catalogue.fuzzy = False
        catalogue.project, catalogue.version, catalogue.msgid_bugs_address = "Könüllü", "1", ""
        catalogue.last_translator = catalogue.language_team = "Könüllü"
        catalogue.header_comment = (
            f"# Könüllü in {LANGUAGES[language]}. Words as in the glossary; short, kind, concrete."
        )
        if language == DEFAULT:
            for message in catalogue:
                message.string = message.id or message.string
        path_of(language).parent.mkdir(parents=True, exist_ok=True)
        with path_of(language).open("wb") as file:
            write_po(file, catalogue, width=118, sort_output=True, include_lineno=False)
        missing = [
            message.id for message in catalogue if message.id and not is_translated(message.string or "")
        ]
        sys.stdout.write(f"{language}: {len(catalogue)} texts, {len(missing)} untranslated\n")


if __name__ == "__main__":
    update()
