"""What moderators send: bodies of the API, and the same from the pages' forms."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints
from starlette.datastructures import FormData

from services.moderation.cases.rules import Content, Decision, Edits, media_names
from services.moderation.decisions.service import fingerprint_of
from shared.events import Country, Sha256
from shared.http.models import StrictBody
from shared.http.problems import Problem
from shared.text import hashtags
from shared.text.registered import canonical_language


def _tag(value: str) -> str:
    canonical = canonical_language(value)
    if canonical is None:
        message = f"{value!r} is not a registered language; give a BCP 47 tag such as az, tr or sr-Latn"
        raise ValueError(message)
    return canonical


def _hashtag(value: str) -> str:
    tag = hashtags.without_sign(value)
    if (fix := hashtags.fix(tag)) is not None:
        message = f"{value!r} is {fix}"
        raise ValueError(message)
    return tag


def _in_utc(value: datetime) -> datetime:
    """Times are kept in UTC, where those at the edge of the calendar may be in no year that there is."""
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        message = "no such time in UTC; give one between the years 1 and 9999"
        raise ValueError(message) from error


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Tag = Annotated[str, StringConstraints(max_length=35), AfterValidator(_tag)]
Short = Annotated[str, StringConstraints(max_length=64)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
Place = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,2}$")]
Hashtag = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_hashtag)]


class ClaimRequest(StrictBody):
    """Which case is wanted. Nothing given: the one that has waited longest."""

    languages: tuple[Tag, ...] | None = None
    countries: tuple[Country, ...] | None = None
    submission_id: Short | None = None
    """This case and no other."""


class EditsRequest(StrictBody):
    """What to change before approving; what is absent stays as it is."""

    title: str | None = None
    body: str | None = None
    language: Tag | None = None
    hashtags: tuple[Hashtag, ...] | None = None
    alts: Annotated[dict[Sha256 | Place, str], Field(max_length=100)] | None = None
    """Alternative texts by the photo's SHA-256, or by its place: `1` is the first. What is there twice has two places."""


class DecisionRequest(StrictBody):
    """A decision on the case that the token names."""

    claim_token: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    verdict: Literal["approve", "reject", "request_changes", "escalate"]
    reasons: tuple[Short, ...] = Field(default=(), max_length=20)
    note: str | None = None
    edits: EditsRequest | None = None
    channels: tuple[Short, ...] | None = None
    publish_at: Moment | None = None
    classes: tuple[Short, ...] = Field(default=(), max_length=20)
    """Sensitive classes that the moderator finds in it."""

    @property
    def decision(self) -> Decision:
        """The decision itself."""
        return Decision(
            self.verdict,
            self.reasons,
            self.note or None,
            None if self.edits is None else Edits(**self.edits.model_dump()),
            self.channels,
            self.publish_at,
            self.classes,
        )

    @property
    def fingerprint(self) -> str:
        """What makes two requests the same."""
        return fingerprint_of(self.model_dump(mode="json"))


class CaseRecallRequest(StrictBody):
    """Why everything published of a submission is to be removed."""

    reason: Reason


class ManyRecallsRequest(StrictBody):
    """Which submissions are to be taken back, or to stay after all, and why."""

    submission_ids: tuple[Short, ...] = Field(min_length=1, max_length=100)
    reason: Reason


class ReopenRequest(StrictBody):
    """Why an approved submission is to be looked at again."""

    reason: Reason


def decision_of(form: FormData, content: Content) -> DecisionRequest:
    """The decision on `content` that a form carries. Raises `pydantic.ValidationError`, or 422 `publish_at`."""
    verdict = str(form.get("verdict", ""))
    body: dict[str, Any] = {
        "claim_token": str(form.get("claim_token", "")),
        "verdict": verdict,
        "reasons": tuple(map(str, form.getlist("reasons"))) if verdict != "approve" else (),
        "note": str(form.get("note", "")).strip() or None,
        "classes": tuple(map(str, form.getlist("classes"))),
    }
    if verdict == "approve":
        body |= {
            "edits": _edits(form, content),
            "channels": tuple(map(str, form.getlist("channels"))) or None,
            "publish_at": _time(str(form.get("publish_at", "")), str(form.get("offset", ""))),
        }
    return DecisionRequest.model_validate(body)


def _edits(form: FormData, content: Content) -> dict[str, Any] | None:
    edits: dict[str, Any] = {}
    for field in ("title", "body"):
        value = _lines(str(form.get(field, getattr(content, field))))
        if value != _lines(getattr(content, field)):
            edits[field] = value
    if "hashtags" in form:
        tags = tuple(map(hashtags.without_sign, hashtags.separated(str(form["hashtags"]))))
        if tags != content.hashtags:
            edits["hashtags"] = tags
    alts = {
        name: alt
        for name, media in zip(media_names(content), content.media, strict=True)
        if (alt := _lines(str(form.get(f"alt-{name}", media.alt)))) != _lines(media.alt)
    }
    if alts:
        edits["alts"] = alts
    return edits or None


def _lines(text: str) -> str:
    """A browser sends line breaks as CRLF; that alone is no edit."""
    return text.replace("\r\n", "\n")


def _time(local: str, offset: str) -> datetime | None:
    """A time as a browser's field gives it, `offset` minutes behind UTC; without one, UTC."""
    if not local:
        return None
    try:
        return datetime.fromisoformat(local).replace(tzinfo=UTC) + timedelta(minutes=int(offset or 0))
    except (ValueError, OverflowError):
        raise Problem(
            422, "publish_at", f"{local[:40]!r} is not a date and time; choose one.", field="publish_at"
        ) from None
