"""What a single value of the campaign file may be. A refusal says how to fix it."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from shared.text import hashtags
from shared.text.addresses import web_address
from shared.text.language_ranges import nearest
from shared.text.registered import canonical_language, countries


def _tag(value: str) -> str:
    canonical = canonical_language(value)
    if canonical is None:
        message = f"{value!r} is no language; write a BCP 47 tag such as az, tr or sr-Latn"
        raise ValueError(message)
    if canonical != value:
        message = f"{value!r} is not in canonical form; write {canonical!r}"
        raise ValueError(message)
    return value


def _country(value: str) -> str:
    if value in countries():
        return value
    message = f"{value!r} is no country; write its ISO 3166-1 code in two capitals, such as AZ or TR"
    raise ValueError(message)


def _hashtag(value: str) -> str:
    if (fix := hashtags.fix(value)) is not None:
        message = f"{value!r} is {fix}"
        raise ValueError(message)
    return hashtags.without_sign(value)


def _base_url(value: str) -> str:
    try:
        parts = web_address(value)
    except ValueError as error:
        # It may hold a password, which must not be shown.
        shown = "this" if "@" in value else repr(value)
        message = f"{shown} is no base URL: {error}; write https://host/path without a slash at the end"
        raise ValueError(message) from error
    if value.endswith("/") or parts.fragment or parts.geturl() != value:
        message = f"{value!r} is no base URL; write https://host/path without a slash or # at the end"
        raise ValueError(message)
    return value


def _credential(value: str) -> str:
    scheme, _, name = value.partition(":")
    if scheme not in {"env", "file"} or not name:
        message = (
            "a credential must not stand in this file; write env:NAME or file:PATH, where it can be found"
        )
        raise ValueError(message)
    return value


def _text(value: object) -> object:
    return {"en": value} if isinstance(value, str) else value


Language = Annotated[str, AfterValidator(_tag)]
Country = Annotated[str, AfterValidator(_country)]
Hashtag = Annotated[str, AfterValidator(_hashtag)]
"""Without its #."""
BaseUrl = Annotated[str, AfterValidator(_base_url)]
Credential = Annotated[str, AfterValidator(_credential)]
"""Where a credential is found: `env:NAME` or `file:PATH`."""
Text = Annotated[Mapping[Language, str], BeforeValidator(_text), Field(min_length=1)]
"""A sentence by language; a bare sentence in the file is English."""
Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]


def text_in(text: Mapping[str, str], language: str) -> str:
    """`text` in `language`, else in its parent language, in English, in whatever there is."""
    return text[said_in(text, language)]


def said_in(text: Mapping[str, str], language: str) -> str:
    """The language that `text_in` answers in."""
    return nearest(language, text, "en" if "en" in text else next(iter(text)))
