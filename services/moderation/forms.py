"""What moderators send: bodies of the API, and the same from the pages' forms."""

from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from services.moderation.decisions import fingerprint_of
from services.moderation.policy import Decision, Edits
from shared.events import Country, Sha256
from shared.registered import canonical_language


def _tag(value: str) -> str:
    canonical = canonical_language(value)
    if canonical is None:
        message = f"{value!r} is not a registered language; give a BCP 47 tag such as az, tr or sr-Latn"
        raise ValueError(message)
    return canonical


Tag = Annotated[str, StringConstraints(max_length=35), AfterValidator(_tag)]
Short = Annotated[str, StringConstraints(max_length=64)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
Hashtag = Annotated[str, StringConstraints(pattern=r"^\w{1,100}$")]


class Body(BaseModel):
    """A body: unknown fields are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ClaimRequest(Body):
    """Which case is wanted. Nothing given: the one that has waited longest."""

    languages: tuple[Tag, ...] | None = None
    countries: tuple[Country, ...] | None = None
    submission_id: Short | None = None
    """This case and no other."""


class EditsRequest(Body):
    """What to change before approving; what is absent stays as it is."""

    title: str | None = None
    body: str | None = None
    language: Tag | None = None
    hashtags: tuple[Hashtag, ...] | None = None
    alts: dict[Sha256, str] | None = None
    """Alternative texts by the photo's SHA-256."""


class DecisionRequest(Body):
    """A decision on the case that the token names."""

    claim_token: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    verdict: Literal["approve", "reject", "request_changes", "escalate"]
    reasons: tuple[Short, ...] = Field(default=(), max_length=20)
    note: str | None = None
    edits: EditsRequest | None = None
    channels: tuple[Short, ...] | None = None
    publish_at: AwareDatetime | None = None
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


class RecallRequest(Body):
    """Why everything published of a submission is to be removed."""

    reason: Reason
