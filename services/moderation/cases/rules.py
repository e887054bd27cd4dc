"""Who may decide what about a case, and what follows. Pure: no clock, no store, no bus."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Final, Literal, Self

import rfc8785

from services.moderation.screening.rules import Policy, Wording, judge, read
from services.moderation.screening.text_scan import words
from shared.events import Approval, CaseState, Media, Snapshot, SubmissionReceived, Value, as_utc
from shared.retention.model import End, Ending
from shared.text.differences import common_stretches
from shared.text.hashtags import without_repetition
from shared.text.plain_text import is_blank, no_text, normal, over_lines

Verdict = Literal["approve", "reject", "request_changes", "escalate"]
OPEN: Final[frozenset[CaseState]] = frozenset({"screened", "in_review"})
"""States in which a case waits for somebody."""
ENDED: Final[frozenset[CaseState]] = frozenset({"withdrawn", "recalled"})
"""States that nothing leads out of."""
ENDINGS: Final[Mapping[CaseState, Ending]] = {
    "withdrawn": "withdrawn",
    "recalled": "recalled",
    "rejected": "rejected",
    "changes_requested": "unanswered",
}
"""States in which nobody here needs the texts any more, and what ended that."""
AFTER: Final[Mapping[Verdict, CaseState]] = {"reject": "rejected", "request_changes": "changes_requested"}


SMALL_AT_LEAST: Final = 4
SMALL_AT_MOST: Final = 60
"""Words taken out and put in that make a small edit, of a short text and of a long one."""


class DecisionRefused(Exception):
    """The decision does not hold. `code` is stable, `detail` says how to fix it, `field` where."""

    def __init__(self, code: str, detail: str, field: str = "") -> None:
        super().__init__(detail)
        self.code, self.detail, self.field = code, detail, field


@dataclass(frozen=True, slots=True)
class Content:
    """What would be shown to the world."""

    title: str
    body: str
    language: str
    hashtags: tuple[str, ...] = ()
    media: tuple[Media, ...] = ()

    @classmethod
    def of(cls, told: SubmissionReceived | Snapshot) -> Self:
        """The same, as an event tells it."""
        return cls(**{field.name: getattr(told, field.name) for field in fields(cls)})


@dataclass(frozen=True, slots=True)
class Plan:
    """Where and when it would be shown. No channels named: all that take the language; no time: at once."""

    channels: tuple[str, ...] | None = None
    publish_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Edits:
    """What a moderator changes; what is absent stays."""

    title: str | None = None
    body: str | None = None
    language: str | None = None
    hashtags: tuple[str, ...] | None = None
    alts: Mapping[str, str] | None = None
    """Alternative texts by the media's SHA-256, or by its place from 1 on: what is there twice has two places."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a moderator says about a case."""

    verdict: Verdict
    reasons: tuple[str, ...] = ()
    note: str | None = None
    edits: Edits | None = None
    channels: tuple[str, ...] | None = None
    publish_at: datetime | None = None
    classes: tuple[str, ...] = ()
    """Sensitive classes that the moderator finds, beside those that are known."""


@dataclass(frozen=True, slots=True)
class CaseApproved:
    """One person's approval, and of what."""

    person_id: str
    at: datetime
    digest: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a case stands."""

    state: CaseState
    author_id: str
    content: Content
    plan: Plan = Plan()
    classes: tuple[str, ...] = ()
    approvals: tuple[CaseApproved, ...] = ()
    escalated: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it stands after a decision."""

    state: CaseState
    content: Content
    plan: Plan
    classes: tuple[str, ...]
    approvals: tuple[CaseApproved, ...]
    escalated: bool
    required: int
    """How many different people must approve."""

    @property
    def final(self) -> bool:
        """Whether the case has left the queue, with a decision to tell."""
        return self.state not in OPEN

    @property
    def agreed(self) -> tuple[Approval, ...]:
        """The approvals as they are told."""
        return tuple(Approval(person_id=each.person_id, at=each.at) for each in self.approvals)


def end_of(state: CaseState, since: datetime) -> End | None:
    """Why nobody here needs the texts of a case that is in this state since then; nothing while somebody does."""
    return End(ENDINGS[state], since) if state in ENDINGS else None


def digest(content: Content, plan: Plan) -> str:
    """SHA-256, in hexadecimal, of all that an approval approves: every field of both."""
    order = None if plan.channels is None else tuple(sorted(plan.channels))
    whole: dict[str, Any] = {
        field.name: _plain(getattr(part, field.name))
        for part in (content, replace(plan, channels=order))
        for field in fields(part)
    }
    return hashlib.sha256(rfc8785.dumps(whole)).hexdigest()


def _plain(value: object) -> object:
    """A value as plain JSON."""
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Value):
        return value.model_dump(mode="json")
    return as_utc(value) if isinstance(value, datetime) else value


def small(sent: Content, content: Content) -> bool:
    """Whether moderators changed no more of what the author sent than one person may answer for.

    That is the same language, and about one word in ten of the texts and hashtags; an alternative text that the author
    left empty may be written freely.
    """
    if content.language != sent.language:
        return False
    pairs = [(sent.title, content.title), (sent.body, content.body)]
    pairs += [(a.alt, b.alt) for a, b in zip(sent.media, content.media, strict=False) if a.alt.strip()]
    old, new = ([word for pair in pairs for word in words(pair[side])] for side in (0, 1))
    allowed = max(SMALL_AT_LEAST, min(SMALL_AT_MOST, len(old) // 5))
    hashtags = len({*sent.hashtags} ^ {*content.hashtags})
    return hashtags <= allowed and common_stretches(old, new, allowed - hashtags) is not None


def required(policy: Policy, classes: Iterable[str], sent: Content, content: Content) -> int:
    """How many different people must approve the content."""
    return max(policy.reviewers(classes), 1 if small(sent, content) else 2)


def decide(
    case: Standing,
    decision: Decision,
    *,
    sent: Content,
    actor: str,
    editor: bool,
    now: datetime,
    policy: Policy,
    country: str = "",
) -> Outcome:
    """What becomes of a case of a country, whose author `sent` this, when `actor` decides so. Raises `DecisionRefused`."""
    _may(case, decision, actor=actor, editor=editor)
    _fits(decision, policy)
    classes = judge((), policy, (*case.classes, *decision.classes)).classes
    if decision.verdict == "approve":
        return _approve(replace(case, classes=classes), decision, sent, actor, now, policy, country)
    if decision.verdict == "escalate":
        return Outcome(
            "in_review",
            case.content,
            case.plan,
            classes,
            case.approvals,
            escalated=True,
            required=required(policy, classes, sent, case.content),
        )
    state = AFTER[decision.verdict]
    return Outcome(state, case.content, case.plan, classes, (), escalated=False, required=1)


def _approve(
    case: Standing,
    decision: Decision,
    sent: Content,
    actor: str,
    now: datetime,
    policy: Policy,
    country: str,
) -> Outcome:
    content = edited(case.content, decision.edits or Edits(), policy)
    plan = Plan(
        case.plan.channels if decision.channels is None else decision.channels,
        decision.publish_at or case.plan.publish_at,
    )
    alts = tuple(each.alt for each in content.media)
    wording = Wording(content.language, content.title, content.body, alts, country)
    classes = judge(read(wording, policy), policy, case.classes).classes
    hashed = digest(content, plan)
    standing = tuple(each for each in case.approvals if each.digest == hashed)
    if any(each.person_id == actor for each in standing):
        raise DecisionRefused(
            "second_person_needed", "You have approved this already; now somebody else has to."
        )
    approvals = (*standing, CaseApproved(actor, now, hashed))
    needed = required(policy, classes, sent, content)
    state: CaseState = "approved" if len(approvals) >= needed else "in_review"
    return Outcome(state, content, plan, classes, approvals, escalated=False, required=needed)


def _may(case: Standing, decision: Decision, *, actor: str, editor: bool) -> None:
    if case.state not in OPEN:
        raise DecisionRefused(
            "already_decided", f"This is {case.state} already; load it again to see the decision."
        )
    if actor == case.author_id:
        raise DecisionRefused(
            "own_submission", "This is your own submission; somebody else has to decide on it."
        )
    if case.escalated and not editor:
        raise DecisionRefused(
            "editor_needed", "This was passed on to the editors; an editor has to decide on it."
        )
    if case.escalated and decision.verdict == "escalate":
        raise DecisionRefused(
            "already_escalated", "This was passed on already; approve it, reject it or ask for changes."
        )


def _fits(decision: Decision, policy: Policy) -> None:
    for field, one, given, known in (
        ("reasons", "reason", decision.reasons, policy.reasons),
        ("channels", "channel", decision.channels or (), policy.channels),
        ("classes", "class", decision.classes, frozenset(policy.classes)),
    ):
        if unknown := [value for value in given if value not in known]:
            raise DecisionRefused(
                f"unknown_{one}",
                f"{unknown[0]!r} is not in the campaign file; choose from {', '.join(sorted(known))}.",
                field,
            )
    if decision.verdict != "approve":
        if not decision.reasons:
            raise DecisionRefused(
                "reason_missing", "Give at least one reason, so that the author can learn it.", "reasons"
            )
        for field in ("edits", "channels", "publish_at"):
            if getattr(decision, field) is not None:
                raise DecisionRefused(
                    "only_with_approval", f"{field} belongs to an approval; leave it out.", field
                )
    if decision.channels is not None and not decision.channels:
        raise DecisionRefused(
            "channel_missing", "Name at least one channel, or leave channels out to use all.", "channels"
        )
    _written("note", decision.note or "", policy.note)


def edited(content: Content, edits: Edits, policy: Policy) -> Content:
    """The content after a moderator's edits. Raises `DecisionRefused` when they break a limit."""
    alts: dict[int, str] = {}
    for name, alt in (edits.alts or {}).items():
        place, field = _place(name, content), f"edits.alts.{name}"
        if place in alts:
            raise DecisionRefused("ambiguous_media", f"{name} is named twice; keep one.", field)
        alts[place] = _written(field, alt, policy.alt)
    title = content.title if edits.title is None else _written("edits.title", edits.title, policy.title)
    if is_blank(title):
        raise DecisionRefused("title_missing", "A title must remain.", "edits.title")
    if edits.title is not None and over_lines(title):
        raise DecisionRefused(
            "not_text", "The title goes over several lines; write it on one.", "edits.title"
        )
    body = content.body if edits.body is None else _written("edits.body", edits.body, policy.body)
    language = edits.language or content.language
    after = Content(
        title,
        body,
        language,
        content.hashtags if edits.hashtags is None else without_repetition(edits.hashtags, language),
        tuple(
            media.model_copy(update={"alt": alts[place]}) if place in alts else media
            for place, media in enumerate(content.media, 1)
        ),
    )
    if len(after.hashtags) > policy.hashtags and edits.hashtags is not None:
        raise DecisionRefused(
            "too_long", f"At most {policy.hashtags} hashtags are possible.", "edits.hashtags"
        )
    return after


def media_names(content: Content) -> tuple[str, ...]:
    """What an edit calls each photo or video: its SHA-256, or its place where it is there more than once."""
    all_of_them = [media.sha256 for media in content.media]
    return tuple(
        sha256 if all_of_them.count(sha256) == 1 else str(place)
        for place, sha256 in enumerate(all_of_them, 1)
    )


def _place(name: str, content: Content) -> int:
    """The place, from 1, of the photo or video that an edit names by its place or its SHA-256."""
    places = [place for place, media in enumerate(content.media, 1) if name in (media.sha256, str(place))]
    if not places:
        raise DecisionRefused("unknown_media", f"{name} is not part of this submission.", "edits.alts")
    if len(places) > 1:
        known = " or ".join(map(str, places))
        raise DecisionRefused(
            "ambiguous_media", f"{name} is there more than once; name it by its place, {known}.", "edits.alts"
        )
    return places[0]


def _written(field: str, given: str, limit: int) -> str:
    """Text in NFC, under the rules that authors have."""
    if (character := no_text(given)) is not None:
        raise DecisionRefused(
            "not_text", f"{field} holds {character}, which is not text; take it out.", field
        )
    text = normal(given)
    if len(text) > limit:
        raise DecisionRefused(
            "too_long", f"{field} has {len(text)} characters; at most {limit} are possible.", field
        )
    return text
