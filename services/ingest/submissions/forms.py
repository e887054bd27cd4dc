"""The portal's forms: what a browser sends becomes a draft, what is wrong becomes the name of a field. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, cast

from services.ingest.submissions.store import Submission
from services.ingest.validation.form_fields import Fields, all_of, field_of, one
from services.ingest.validation.rules import Attachment, Draft, FormRefused, SubmissionRules, examine
from shared.events import AiUse, Attribution, Consent
from shared.text import hashtags as hashtags_of

Mode = Literal["name", "pseudonym", "anonymous"]
People = Literal["none", "adults_agreed", "minors_guardian_agreed"]
Rights = Literal["own", "licensed", "permission"]

_MODES: Final = ("name", "pseudonym", "anonymous")
_PEOPLE: Final = ("none", "adults_agreed", "minors_guardian_agreed")
_RIGHTS: Final = ("own", "licensed", "permission")
_PROBLEMS: Final[Mapping[str, str]] = {
    "upload_unknown": "upload",
    "upload_incomplete": "upload",
    "upload_screening": "screening",
    "idempotency_key_reused": "key",
    "idempotency_key_in_progress": "screening",
    "changes_not_requested": "changed",
}


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file that was uploaded for the form."""

    upload_id: str
    name: str
    alt: str
    url: str = ""
    """Where it can be seen, for one that an earlier revision has."""
    state: str = "done"


@dataclass(frozen=True, slots=True)
class SendForm:
    """The send form as it is filled in. Choices that were not made are empty."""

    title: str = ""
    body: str = ""
    language: str = ""
    country: str = ""
    section: str = ""
    hashtags: str = ""
    attribution: str = ""
    credit: str = ""
    people_shown: str = ""
    rights: str = ""
    ai_made: bool = False
    ai_edited: bool = False
    terms: bool = False
    terms_version: str = ""
    key: str = ""
    files: tuple[FileEntry, ...] = field(default=())

    def draft(self) -> Draft:
        """The same for `intake`. Only a form without `missing` says what its author chose."""
        mode = cast("Mode", self.attribution if self.attribution in _MODES else "anonymous")
        shown = cast("People", self.people_shown if self.people_shown in _PEOPLE else "none")
        rights = cast("Rights", self.rights if self.rights in _RIGHTS else "own")
        return Draft(
            title=self.title,
            body=self.body,
            language=self.language,
            country=self.country,
            section=self.section or None,
            hashtags=hashtags_of.separated(self.hashtags),
            attachments=tuple(Attachment(file.upload_id, file.alt) for file in self.files),
            attribution=Attribution(mode=mode, text=self.credit if mode == "pseudonym" else None),
            consent=Consent(terms_version=self.terms_version, people_shown=shown, rights=rights),
            ai=AiUse(made=self.ai_made, edited=self.ai_edited),
        )


def read_send(fields: Fields) -> SendForm:
    """The form as sent. A browser writes every line break as CR LF; an author wrote a line break."""
    files = zip(
        all_of(fields, "upload_id"), all_of(fields, "upload_name"), all_of(fields, "alt"), strict=False
    )
    return SendForm(
        **{
            name: one(fields, name)
            for name in (
                "title",
                "body",
                "language",
                "country",
                "section",
                "hashtags",
                "attribution",
                "credit",
            )
        },
        people_shown=one(fields, "people_shown"),
        rights=one(fields, "rights"),
        terms_version=one(fields, "terms_version"),
        key=one(fields, "key"),
        ai_made=one(fields, "ai_made") == "yes",
        ai_edited=one(fields, "ai_edited") == "yes",
        terms=one(fields, "terms") == "yes",
        files=tuple(FileEntry(upload_id, name, alt) for upload_id, name, alt in files if upload_id),
    )


def filled_in(submission: Submission, key: str, terms_version: str, media_url: str) -> SendForm:
    """The form for the next revision of a submission, as it was last sent; terms are to be agreed to anew."""
    manuscript = submission.latest.manuscript
    draft = manuscript.draft
    return SendForm(
        title=draft.title,
        body=draft.body,
        language=draft.language,
        country=draft.country,
        section=draft.section or "",
        hashtags=" ".join(draft.hashtags),
        attribution=draft.attribution.mode,
        credit=draft.attribution.text or "" if draft.attribution.mode == "pseudonym" else "",
        people_shown=draft.consent.people_shown,
        rights=draft.consent.rights,
        ai_made=draft.ai.made,
        ai_edited=draft.ai.edited,
        terms_version=terms_version,
        key=key,
        files=tuple(
            FileEntry(
                upload_id=attachment.upload_id,
                name=f"{number}",
                alt=attachment.alt,
                url=f"{media_url}{media.sha256}" if media.type.startswith("image/") else "",
            )
            for number, (attachment, media) in enumerate(
                zip(draft.attachments, manuscript.media, strict=False), start=1
            )
        ),
    )


def mistakes_of(form: SendForm, rules: SubmissionRules) -> list[str]:
    """The fields that must be mended, in the order of the page, each once."""
    missing = [
        name
        for name, lacks in (
            ("alt", any(not file.alt.strip() for file in form.files)),
            ("attribution", form.attribution not in _MODES),
            ("consent", form.people_shown not in _PEOPLE or form.rights not in _RIGHTS or not form.terms),
        )
        if lacks
    ]
    draft = form.draft()
    if draft.attribution.mode == "name":
        # The reception fills in the name given at registration; here it only must not count as missing.
        draft = replace(draft, attribution=Attribution(mode="name", text="-"))
    judged = examine(draft, rules)
    refused = (
        [field_of(mistake.field) for mistake in judged.mistakes] if isinstance(judged, FormRefused) else []
    )
    return list(dict.fromkeys([*refused, *missing]))


def field_of_problem(code: str) -> str | None:
    """The field of the page that can mend a refusal; nothing for what no field mends."""
    if code.startswith("media_"):
        return "unsafe"
    return _PROBLEMS.get(code)
