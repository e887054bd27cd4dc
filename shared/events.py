"""Every event that crosses a service, defined once beside its subject and its stream.

An event is a fact in the past tense: frozen, one idea, named `<aggregate>.<fact>.v<major>` on the bus. Consumers ignore
fields they do not know, producers never remove or retype a field within a version; a breaking change is a new subject.
The committed JSON schemas in `tests/contracts/schemas/` show every change as a diff.

This module is pure: it imports neither the bus nor a driver, so that decisions may import it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Generic, Literal, TypeVar
from uuid import UUID, uuid5

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 digest in lower-case hexadecimal."""

Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2, upper case."""

Language = Annotated[str, Field(min_length=2, max_length=35)]
"""A BCP 47 tag in its canonical form."""

Role = Literal["volunteer", "coordinator", "moderator", "editor", "operator", "admin"]
MediaType = Literal["image/jpeg", "image/png", "image/webp", "video/mp4"]
Verdict = Literal["approve", "reject", "request_changes"]
CaseState = Literal[
    "screened",
    "in_review",
    "changes_requested",
    "approved",
    "rejected",
    "withdrawn",
    "recalled",
]
DeliveryState = Literal[
    "planned",
    "sending",
    "posted",
    "rejected",
    "unknown",
    "reconciling",
    "needs_human",
    "cancelled",
    "removing",
    "removed",
    "residue",
]
Tombstone = Literal["recalled", "withdrawn"]
_SEEN: Final[frozenset[DeliveryState]] = frozenset({"posted", "removing", "residue"})
_IN_DOUBT: Final[frozenset[DeliveryState]] = frozenset({"unknown", "reconciling", "needs_human"})
Metric = Literal["views", "reached", "reactions", "shares", "comments", "clicks"]
ReachKind = Literal["cumulative", "period"]


class Value(BaseModel):
    """A frozen value inside an event. Unknown fields are ignored, as in events."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(Value):
    """What every event carries."""

    event_id: UUID
    """Constant over every retry; the `Nats-Msg-Id` on the bus and the key of the consumer's inbox."""
    occurred_at: AwareDatetime
    """When the fact became true (UTC)."""
    subject_id: str
    """The aggregate that the fact is about."""
    version: Annotated[int, Field(ge=1)]
    """Rises with each fact of the same aggregate; a consumer ignores a version below the one it knows."""
    caused_by: UUID | None = None
    """The event that led to this one, if one did."""


def is_visible(state: DeliveryState, url: str | None) -> bool:
    """Whether people can see a delivery, as far as is known.

    What could not be removed whole is still seen. A delivery whose outcome is in doubt counts once it was seen: it has an
    address then.
    """
    return state in _SEEN or (state in _IN_DOUBT and url is not None)


def derived_id(cause: UUID, effect: str) -> UUID:
    """The id of an effect, derived from its cause, so that a redelivered cause cannot make a second effect."""
    return uuid5(cause, effect)


class Scopes(Value):
    """What a staff member may see. An empty tuple means all."""

    countries: tuple[Country, ...] = ()
    languages: tuple[Language, ...] = ()
    sections: tuple[str, ...] = ()


class Media(Value):
    """A photo or video that passed the safety pass and lies at `clean/<sha256>` in the object store."""

    sha256: Sha256
    type: MediaType
    bytes: Annotated[int, Field(gt=0)]
    width: Annotated[int, Field(gt=0)]
    """Pixels, after orientation was applied."""
    height: Annotated[int, Field(gt=0)]
    duration: float | None = None
    """Seconds, for a video."""
    alt: str = ""
    """Alternative text, in the submission's language."""


class Attribution(Value):
    """How the author wishes to be credited."""

    mode: Literal["name", "pseudonym", "anonymous"]
    text: str | None = None
    """The name or pseudonym to show; absent when anonymous."""


class Consent(Value):
    """What the author declared about the people shown and the rights in the material."""

    terms_version: str
    people_shown: Literal["none", "adults_agreed", "minors_guardian_agreed"]
    rights: Literal["own", "licensed", "permission"]


class AiUse(Value):
    """Whether a machine made or edited the material. It is labelled on every channel."""

    made: bool = False
    edited: bool = False


class PersonRegistered(Event):
    """Somebody joined as a volunteer. No names: `subject_id` is the pseudonymous person id."""

    country: Country
    languages: tuple[Language, ...]
    section: str | None = None


class StaffChanged(Event):
    """A staff member was added, changed, disabled, or ended a session. No names."""

    role: Role
    scopes: Scopes
    token_epoch: Annotated[int, Field(ge=0)]
    """Tokens with a lower epoch are refused from now on."""
    active: bool = True
    ended_sessions: tuple[str, ...] = ()
    """Sessions that were logged out and whose tokens have not expired yet."""


class SubmissionReceived(Event):
    """A volunteer's submission, or a new revision of it, was accepted. `subject_id` is the submission's id."""

    revision: Annotated[int, Field(ge=1)]
    author_id: str
    title: str
    body: str
    language: Language
    country: Country
    section: str | None = None
    hashtags: tuple[str, ...] = ()
    """Without the leading `#`."""
    media: tuple[Media, ...] = ()
    attribution: Attribution
    consent: Consent
    ai: AiUse = AiUse()


class SubmissionWithdrawn(Event):
    """The author withdrew the submission. `subject_id` is the submission's id."""

    reason: str | None = None


class CaseChanged(Event):
    """A case moved to another state in moderation. `subject_id` is the submission's id."""

    revision: Annotated[int, Field(ge=1)]
    state: CaseState
    classes: tuple[str, ...] = ()
    """Sensitive classes found or declared."""
    language: Language
    country: Country
    section: str | None = None


class Approval(Value):
    """One person's approval."""

    person_id: str
    at: AwareDatetime


class Snapshot(Value):
    """What was approved, whole, as it is to be published."""

    submission_id: str
    revision: Annotated[int, Field(ge=1)]
    title: str
    body: str
    language: Language
    country: Country
    section: str | None = None
    hashtags: tuple[str, ...] = ()
    media: tuple[Media, ...] = ()
    attribution: Attribution
    ai: AiUse = AiUse()
    channels: tuple[str, ...] | None = None
    """Ids of the campaign file's channels; absent means every channel that takes the language."""
    publish_at: AwareDatetime | None = None
    """Not before this time; absent means at once."""


class Signature(Value):
    """An Ed25519 signature over the canonical JSON (RFC 8785) of the event without its `signature`."""

    kid: str
    value: str
    """Base64url without padding."""


class ModerationDecided(Event):
    """Moderation decided on a revision. `subject_id` is the submission's id, `version` the case's version."""

    revision: Annotated[int, Field(ge=1)]
    decision_id: UUID
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    """Codes of the campaign file."""
    message: str | None = None
    """A note to the volunteer."""
    author_id: str
    snapshot: Snapshot | None = None
    """Present exactly when the verdict is `approve`."""
    approvals: tuple[Approval, ...] = ()
    classes: tuple[str, ...] = ()
    signature: Signature | None = None


class ModerationRecalled(Event):
    """Moderation took a decision back; everything published of the submission is to be removed."""

    reason: str
    by: str


class DeliveryFailure(Value):
    """Why a delivery is where it is, for people: a stable code and a sentence."""

    code: str
    detail: str


class DeliveryChanged(Event):
    """A delivery moved to another state. `subject_id` is the delivery's id."""

    submission_id: str
    channel: str
    """The campaign file's id."""
    kind: str
    language: Language
    revision: Annotated[int, Field(ge=1)]
    state: DeliveryState
    url: str | None = None
    code: str
    """The short link's code: the first 50 bits of SHA-256(delivery id), base32, lower case."""
    target: str
    """Where the short link leads."""
    country: Country
    """Where the submission comes from."""
    section: str | None = None
    hashtags: tuple[str, ...] = ()
    media_types: tuple[MediaType, ...] = ()
    failure: DeliveryFailure | None = None
    tombstone: Tombstone | None = None
    """Why it was, or is being, removed."""
    recall_reason: str | None = None
    """What the author is told of a recall."""


class ReachSampled(Event):
    """A channel was asked for a figure. `subject_id` is the delivery's id."""

    submission_id: str
    channel: str
    kind: ReachKind
    """A cumulative figure stands for all time until `observed_at`; a period's figure for `day` alone. Never added."""
    metric: Metric
    value: Annotated[int, Field(ge=0)]
    observed_at: AwareDatetime
    day: str | None = None
    """For a period: the day in UTC, `YYYY-MM-DD`."""
    source: str
    """Where the figure comes from: `<channel kind>:<call or report>`."""
    audience_country: Country | None = None


class ReachClicked(Event):
    """Somebody followed a short link. The click is its own aggregate; nothing about the person is kept."""

    code: str


class ReachFigure(Value):
    """A figure with its source and time."""

    value: int
    source: str
    as_of: AwareDatetime


class ReachTotalled(Event):
    """The latest totals of a submission. `subject_id` is the submission's id; at most one per 5 s."""

    totals: Mapping[str, ReachFigure]


class SurveyAnswered(Event):
    """A volunteer answered a survey. `subject_id` is the answer's id; nobody is named."""

    survey_id: str
    country: Country
    language: Language
    answers: Mapping[str, str]


E = TypeVar("E", bound=Event)

URGENT: Final = "URGENT"
"""The stream of the facts that end something. Nothing that comes in bulk shares it, so that nothing keeps them waiting."""


@dataclass(frozen=True, slots=True)
class Topic(Generic[E]):
    """An event's place on the bus: what travels, on which subject, kept in which stream."""

    subject: str
    event: type[E]
    stream: str
    signed: bool = False
    """Whether its service signs each message in a header (`shared.identity.signing`), and nobody acts on an unsigned one."""

    def parse(self, body: bytes) -> E:
        """The event in `body`. Raises `pydantic.ValidationError` when it is not one."""
        return self.event.model_validate_json(body)


PERSON_REGISTERED = Topic("people.registered.v1", PersonRegistered, "PEOPLE")
STAFF_CHANGED = Topic("people.staff_changed.v1", StaffChanged, URGENT, signed=True)
SUBMISSION_RECEIVED = Topic("submissions.received.v1", SubmissionReceived, "SUBMISSIONS")
SUBMISSION_WITHDRAWN = Topic("submissions.withdrawn.v1", SubmissionWithdrawn, URGENT, signed=True)
CASE_CHANGED = Topic("moderation.case_changed.v1", CaseChanged, "MODERATION")
MODERATION_DECIDED = Topic("moderation.decided.v1", ModerationDecided, "MODERATION")
MODERATION_RECALLED = Topic("moderation.recalled.v1", ModerationRecalled, URGENT, signed=True)
DELIVERY_CHANGED = Topic("publishing.delivery_changed.v1", DeliveryChanged, "PUBLISHING")
REACH_SAMPLED = Topic("reach.sampled.v1", ReachSampled, "REACH")
REACH_CLICKED = Topic("reach.clicked.v1", ReachClicked, "REACH")
REACH_TOTALLED = Topic("reach.totalled.v1", ReachTotalled, "REACH")
SURVEY_ANSWERED = Topic("surveys.answered.v1", SurveyAnswered, "SURVEYS")

TOPICS: tuple[Topic[Any], ...] = (
    PERSON_REGISTERED,
    STAFF_CHANGED,
    SUBMISSION_RECEIVED,
    SUBMISSION_WITHDRAWN,
    CASE_CHANGED,
    MODERATION_DECIDED,
    MODERATION_RECALLED,
    DELIVERY_CHANGED,
    REACH_SAMPLED,
    REACH_CLICKED,
    REACH_TOTALLED,
    SURVEY_ANSWERED,
)

BY_SUBJECT: Mapping[str, Topic[Any]] = {topic.subject: topic for topic in TOPICS}


def as_utc(moment: datetime) -> str:
    """A time as RFC 3339 in UTC with milliseconds, the one form in which times leave a service."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
