"""What can happen to a delivery: facts that a worker, a decision or a person brings to `transitions.advance`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.publisher.channels.port import (
    Absent,
    NotSent,
    Outcome,
    Posted,
    Rejected,
    Removed,
    Residue,
    Unknown,
)

Retirement = Literal["recalled", "withdrawn", "superseded"]
"""Why a delivery must go, or must not appear at all."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A worker takes it, for the next step."""

    holder: str
    until: datetime


@dataclass(frozen=True, slots=True)
class PrepareFailed:
    """What comes before the commit did not succeed. Nothing is visible."""

    fence: int
    outcome: Rejected | NotSent


@dataclass(frozen=True, slots=True)
class PrepareStepped:
    """One step of what comes before the commit is done, and there is more to do."""

    fence: int
    so_far: Mapping[str, str]
    again_in: float
    """Seconds."""


@dataclass(frozen=True, slots=True)
class SendStarted:
    """The commit is about to leave; written before its first byte."""

    fence: int
    until: datetime
    prepared: Mapping[str, str]
    approval: int | None
    """The version of the decision that is in force now; absent when none is."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The commit's outcome. Counts even after its lease, as long as nobody has found it out otherwise."""

    attempt: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class LeaseLost:
    """The holder is gone: its lease ran out, or it is itself and knows that it began anew."""

    holder: str | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """The answer of a look for a commit of unknown outcome."""

    fence: int
    found: Posted | Absent | Unknown


@dataclass(frozen=True, slots=True)
class CannotLook:
    """The channel has no lookup."""

    fence: int


@dataclass(frozen=True, slots=True)
class Checked:
    """The answer of reading back what is posted."""

    found: Posted | Absent | Unknown


@dataclass(frozen=True, slots=True)
class RemovalAnswered:
    """The answer to taking it away."""

    fence: int
    outcome: Removed | Residue | NotSent | Unknown


@dataclass(frozen=True, slots=True)
class Retired:
    """It must go: the submission was recalled or withdrawn, or a newer revision takes its place."""

    reason: Retirement


@dataclass(frozen=True, slots=True)
class Approved:
    """A newer decision allows the same revision."""

    approval: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Resolved:
    """A person looked and decided."""

    outcome: Literal["posted", "absent", "cancelled"]
    by: str
    url: str | None = None
    remote_id: str | None = None
    """What the address means to the channel's adapter."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """The next revision took its place on the channel."""

    proof: str


@dataclass(frozen=True, slots=True)
class Awaited:
    """A successor is about to take its place: it stays visible until then."""


@dataclass(frozen=True, slots=True)
class Released:
    """Nothing takes its place after all: what is on the channel has to be removed."""


Happening = (
    Claimed
    | PrepareFailed
    | PrepareStepped
    | SendStarted
    | Answered
    | LeaseLost
    | Looked
    | CannotLook
    | Checked
    | RemovalAnswered
    | Retired
    | Approved
    | Resolved
    | Replaced
    | Awaited
    | Released
)
