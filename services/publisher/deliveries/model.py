"""One delivery: a submission's revision on one channel in one language, and what is remembered about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from services.publisher.channels.port import Capabilities
from services.publisher.deliveries.retry_policy import DEFAULT_PACE, Pace
from services.publisher.deliveries.triggers import Retirement
from shared.events import DeliveryFailure, DeliveryState

GONE: Final[frozenset[DeliveryState]] = frozenset({"cancelled", "rejected", "removed"})
"""States that leave room for another delivery to the same channel in the same language."""
REMEMBERED_ATTEMPTS: Final = 20


@dataclass(frozen=True, slots=True)
class Lease:
    """Who works on a delivery, and until when nobody else may."""

    holder: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call that could have changed something, and its answer; evidence for people."""

    number: int
    at: datetime
    outcome: str
    code: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class DeliveryFigure:
    """A figure with its source and time, as it was last told."""

    value: int
    source: str
    observed_at: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """The happening does not fit: nothing changes. `reason` is a stable code."""

    reason: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One submission's revision on one channel in one language."""

    id: str
    submission_id: str
    channel: str
    kind: str
    language: str
    revision: int
    approval: int
    """The version of the decision that allows it."""
    planned_at: datetime
    edition: int = 0
    """The decision's version by which channels order what takes the same place; 0 where the revision still does."""
    round: int = 0
    """How often it was posted, removed for another revision, and approved again."""
    trace: str | None = None
    """The W3C `traceparent` of what planned it."""
    state: DeliveryState = "planned"
    version: int = 1
    """Rises with every fact told about it."""
    due_at: datetime | None = None
    """When the machine has to do something next; absent when nothing is left to do."""
    since: datetime | None = None
    """When it came into its state."""
    attempt: int = 0
    """Commits begun."""
    unanswered: int | None = None
    """The attempt whose outcome nobody has told yet."""
    tries: int = 0
    """Failures in a row, for the backoff."""
    trying_since: datetime | None = None
    """When it first was under way, for giving up."""
    fence: int = 0
    """Rises with every lease; the word of an older holder does not count."""
    lease: Lease | None = None
    prepared: Mapping[str, str] = field(default_factory=dict)
    remote_id: str | None = None
    url: str | None = None
    absent_at: datetime | None = None
    """When a look first found nothing."""
    visits: int = 0
    """How often it was looked after since it was posted."""
    retired: Retirement | None = None
    failure: DeliveryFailure | None = None
    figures: Mapping[str, DeliveryFigure] = field(default_factory=dict)
    """The latest figure told of each kind, by `sampling.key_of`."""
    proof: str | None = None
    """What was asked and answered when it was removed."""
    attempts: tuple[Attempt, ...] = ()

    def held(self, now: datetime) -> bool:
        """Whether somebody works on it."""
        return self.lease is not None and now < self.lease.until

    def refusal(self, fence: int, *states: DeliveryState) -> Refused | None:
        """Why who leased it as number `fence` has no say in it, if so; it must be in one of `states`."""
        if self.state not in states:
            return Refused("wrong_state")
        if self.fence != fence or self.lease is None:
            return Refused("lease_lost")
        return None

    def into(self, state: DeliveryState, now: datetime, **changes: object) -> "Delivery":
        """The same in another state, its lease given back and its tries forgotten."""
        fresh: dict[str, object] = {
            "state": state,
            "version": self.version + 1,
            "lease": None,
            "due_at": None,
            "tries": 0,
            "since": now,
            "failure": None,
        }
        return replace(self, **(fresh | changes))  # type: ignore[arg-type]

    def attempted(self, now: datetime, outcome: str, code: str = "", detail: str = "") -> tuple[Attempt, ...]:
        """Its attempts and one more, the oldest forgotten."""
        record = Attempt(self.attempt, now, outcome, code, detail[:500])
        return (*self.attempts, record)[-REMEMBERED_ATTEMPTS:]


@dataclass(frozen=True, slots=True)
class Rules:
    """What decisions depend on besides the delivery: what the channel can do, and the machine's pace."""

    capabilities: Capabilities
    jitter: float = 0.5
    """A random number in [0, 1), drawn for this decision."""
    pace: Pace = DEFAULT_PACE
