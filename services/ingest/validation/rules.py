"""What a submission must be: the campaign's rules and a draft in, a clean draft or its mistakes out. Pure.

Text is kept exactly as it was written but for Unicode normalisation (NFC): line breaks, spaces, letter case
and bidirectional marks stay. Control characters that no writing system uses are refused, never dropped.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Concatenate, ParamSpec, TypeVar

from services.ingest.validation import fields
from services.ingest.validation.fields import Wrong
from shared.campaign.model import Campaign
from shared.events import AiUse, Attribution, Consent
from shared.text import hashtags


@dataclass(frozen=True, slots=True)
class SubmissionRules:
    """What a campaign asks of a submission. Texts are counted in characters after normalisation."""

    countries: frozenset[str]
    """Empty: any country."""
    sections: frozenset[str]
    terms_version: str
    title: int
    body: int
    alt: int
    hashtags: int
    media: int

    @classmethod
    def of(cls, campaign: Campaign) -> "SubmissionRules":
        """The rules that the campaign file sets."""
        limits = campaign.limits
        return cls(
            countries=frozenset(campaign.countries),
            sections=frozenset(section.id for section in campaign.sections),
            terms_version=campaign.terms_version,
            title=limits.title,
            body=limits.body,
            alt=limits.alt,
            hashtags=limits.hashtags,
            media=limits.media,
        )


@dataclass(frozen=True, slots=True)
class Attachment:
    """An upload that belongs to a submission, and its alternative text."""

    upload_id: str
    alt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A submission as its author wrote it; after `examine`, in canonical form.

    What is stored, what is told and what makes two requests the same follow from these fields and their order: a new
    one goes to the end.
    """

    title: str
    body: str
    language: str
    country: str
    section: str | None = None
    hashtags: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    attribution: Attribution
    consent: Consent
    ai: AiUse = AiUse()  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Who wants to join as a volunteer; after `welcome`, in canonical form."""

    name: str
    country: str
    languages: tuple[str, ...]
    section: str | None = None


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing to fix: the field, the value as given (shortened), and how to fix it."""

    field: str
    given: str
    fix: str

    @property
    def sentence(self) -> str:
        """The mistake for people."""
        return f"{self.field}: {self.fix} (given: {self.given})"


@dataclass(frozen=True, slots=True)
class FormRefused:
    """Why a draft cannot be taken; at least one mistake."""

    mistakes: tuple[Mistake, ...]


Given = TypeVar("Given")
Rest = ParamSpec("Rest")


class _Checks:
    """Applies rules one by one and keeps what they complain of."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []

    def __call__(
        self,
        field: str,
        rule: Callable[Concatenate[Given, Rest], str],
        given: Given,
        *rest: Rest.args,
        **named: Rest.kwargs,
    ) -> str:
        try:
            return rule(given, *rest, **named)
        except Wrong as wrong:
            self.mistakes.append(Mistake(field, fields.shown(given), str(wrong)))
            return ""


def examine(draft: Draft, rules: SubmissionRules) -> Draft | FormRefused:
    """The draft in canonical form, or every mistake in it."""
    check = _Checks()
    title = check("title", fields.line, draft.title, rules.title)
    body = check("body", fields.body_text, draft.body, rules.body, optional=bool(draft.attachments))
    language = check("language", fields.language_tag, draft.language)
    country = check("country", fields.country_code, draft.country, rules.countries)
    section = check("section", fields.section_id, draft.section, rules.sections)
    check("consent.terms_version", fields.terms, draft.consent.terms_version, rules.terms_version)
    credit = check("attribution.text", fields.credit, draft.attribution.text, draft.attribution.mode)
    tags = [check(f"hashtags.{n}", fields.hashtag, tag) for n, tag in enumerate(draft.hashtags)]
    alts = [
        check(f"media.{n}.alt", fields.text, each.alt, rules.alt) for n, each in enumerate(draft.attachments)
    ]
    distinct = hashtags.without_repetition(tags, language)
    check("hashtags", fields.at_most, len(distinct), rules.hashtags)
    check("media", fields.at_most, len(draft.attachments), rules.media)
    check("media", fields.once, tuple(each.upload_id for each in draft.attachments))
    if check.mistakes:
        return FormRefused(tuple(check.mistakes))
    return replace(
        draft,
        title=title,
        body=body,
        language=language,
        country=country,
        section=section or None,
        hashtags=distinct,
        attachments=tuple(replace(each, alt=alt) for each, alt in zip(draft.attachments, alts, strict=True)),
        attribution=Attribution(mode=draft.attribution.mode, text=credit or None),
    )


def welcome(newcomer: Newcomer, rules: SubmissionRules) -> Newcomer | FormRefused:
    """The newcomer in canonical form, or every mistake in what they told of themselves."""
    check = _Checks()
    name = check("name", fields.line, newcomer.name, fields.LONGEST_NAME)
    country = check("country", fields.country_code, newcomer.country, rules.countries)
    section = check("section", fields.section_id, newcomer.section, rules.sections)
    languages = [
        check(f"languages.{n}", fields.language_tag, tag) for n, tag in enumerate(newcomer.languages)
    ]
    check("languages", fields.some, len(languages), fields.MOST_LANGUAGES)
    if check.mistakes:
        return FormRefused(tuple(check.mistakes))
    return Newcomer(name, country, tuple(dict.fromkeys(languages)), section or None)
