"""The delivery machine, pure: one delivery, what happened to it, and what it is afterwards.

    planned → sending → posted | rejected | unknown | planned (provably not sent)
    planned → cancelled | rejected (refused in preparation) | needs_human (never got through)
    unknown → reconciling → posted | planned | cancelled | removing | needs_human
    needs_human → posted | planned | cancelled | removed
    posted → unknown (a read-back found nothing) | removing → removed | residue | needs_human
    residue → removed (a person took it away)
    cancelled → planned (approved again before anything was sent)

What a channel did not answer is never sent again blindly: it goes through `reconciling`, and, where nobody
can look and a repetition would show, to a person. `advance` gives back the new delivery or a refusal; it never
raises and keeps no clock and no random numbers of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.publisher.channels.port import (
    Absent,
    Capabilities,
    NotSent,
    Posted,
    Rejected,
    Removed,
    Residue,
    Unknown,
)
from services.publisher.happenings import (
    Answered,
    Approved,
    Awaited,
    CannotLook,
    Checked,
    Claimed,
    Happening,
    LeaseLost,
    Looked,
    PrepareFailed,
    Released,
    RemovalAnswered,
    Replaced,
    Resolved,
    Retired,
    Retirement,
    SendStarted,
)
from services.publisher.schedule import DEFAULT_PACE, Pace
from shared.events import DeliveryFailure, DeliveryState

ENDED: frozenset[DeliveryState] = frozenset(
    {"posted", "rejected", "needs_human", "cancelled", "removed", "residue"}
)
"""States in which the machine does nothing by itself, except look after what is posted."""
NEVER_SHOWN: frozenset[DeliveryState] = frozenset({"planned", "cancelled", "rejected"})
GONE: frozenset[DeliveryState] = frozenset({"cancelled", "rejected", "removed"})
"""States that leave room for another delivery to the same channel in the same language."""
REMEMBERED_ATTEMPTS = 20


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
class Figure:
    """A figure with its source and time, as it was last told."""

    value: int
    source: str
    observed_at: datetime


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
    figures: Mapping[str, Figure] = field(default_factory=dict)
    """The latest figure told of each kind, by `sampling.key_of`."""
    proof: str | None = None
    """What was asked and answered when it was removed."""
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The happening does not fit: nothing changes. `reason` is a stable code."""

    reason: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What decisions depend on besides the delivery: what the channel can do, and the machine's pace."""

    capabilities: Capabilities
    jitter: float = 0.5
    """A random number in [0, 1), drawn for this decision."""
    pace: Pace = DEFAULT_PACE


def advance(delivery: Delivery, happening: Happening, now: datetime, rules: Rules) -> Delivery | Refused:  # noqa: C901, PLR0911, PLR0912 - one line per happening, the machine's table of contents
    """The delivery after `happening`, or why it does not apply."""
    match happening:
        case Claimed():
            return _claimed(delivery, happening, now)
        case PrepareFailed():
            return _prepare_failed(delivery, happening, now, rules)
        case SendStarted():
            return _send_started(delivery, happening, now)
        case Answered():
            return _answered(delivery, happening, now, rules)
        case LeaseLost():
            return _lease_lost(delivery, happening, now)
        case Looked():
            return _looked(delivery, happening, now, rules)
        case CannotLook():
            return _cannot_look(delivery, happening, now, rules)
        case Checked():
            return _checked(delivery, happening.found, now, rules)
        case RemovalAnswered():
            return _removal_answered(delivery, happening, now, rules)
        case Retired():
            return _retired(delivery, happening.reason, now)
        case Approved():
            return _approved(delivery, happening, now)
        case Resolved():
            return _resolved(delivery, happening, now, rules)
        case Replaced():
            return _replaced(delivery, happening)
        case Awaited():
            return _awaited(delivery)
        case Released():
            return _released(delivery, now)


def leased(delivery: Delivery, now: datetime) -> bool:
    """Whether somebody holds it."""
    return delivery.lease is not None and now < delivery.lease.until


def _to(delivery: Delivery, state: DeliveryState, now: datetime, **changes: object) -> Delivery:
    """`delivery` in another state, its lease given back and its tries forgotten."""
    fresh: dict[str, object] = {
        "state": state,
        "version": delivery.version + 1,
        "lease": None,
        "due_at": None,
        "tries": 0,
        "since": now,
        "failure": None,
    }
    return replace(delivery, **(fresh | changes))  # type: ignore[arg-type]


def _tried(
    delivery: Delivery, now: datetime, outcome: str, code: str = "", detail: str = ""
) -> tuple[Attempt, ...]:
    record = Attempt(delivery.attempt, now, outcome, code, detail[:500])
    return (*delivery.attempts, record)[-REMEMBERED_ATTEMPTS:]


def _held(delivery: Delivery, fence: int, *states: DeliveryState) -> Refused | None:
    if delivery.state not in states:
        return Refused("wrong_state")
    if delivery.fence != fence or delivery.lease is None:
        return Refused("lease_lost")
    return None


def _claimed(delivery: Delivery, claim: Claimed, now: datetime) -> Delivery | Refused:
    if delivery.due_at is None or delivery.due_at > now:
        return Refused("not_due")
    if leased(delivery, now):
        return Refused("held")
    lease: dict[str, object] = {
        "fence": delivery.fence + 1,
        "lease": Lease(claim.holder, claim.until),
        "due_at": claim.until,
    }
    match delivery.state:
        case "planned" | "reconciling" | "removing":
            return replace(delivery, **lease)  # type: ignore[arg-type]
        case "unknown":
            return _to(delivery, "reconciling", now, failure=delivery.failure, **lease)
        case "posted" if delivery.retired is not None:
            return _to(delivery, "removing", now, **lease)
        case _:
            return Refused("wrong_state")


def _prepare_failed(
    delivery: Delivery, failed: PrepareFailed, now: datetime, rules: Rules
) -> Delivery | Refused:
    if (held := _held(delivery, failed.fence, "planned")) is not None:
        return held
    return _not_sent(delivery, failed.outcome, now, rules)


def _not_sent(delivery: Delivery, outcome: Rejected | NotSent, now: datetime, rules: Rules) -> Delivery:
    """Nothing happened on the channel: give up, or plan it again."""
    failure = DeliveryFailure(code=outcome.code, detail=outcome.detail)
    attempts = _tried(
        delivery, now, "rejected" if isinstance(outcome, Rejected) else "not_sent", *_words(outcome)
    )
    if isinstance(outcome, Rejected) and outcome.scope == "post":
        return _to(delivery, "rejected", now, failure=failure, attempts=attempts, unanswered=None)
    if delivery.retired is not None:
        return _to(delivery, "cancelled", now, attempts=attempts, unanswered=None)
    since = delivery.trying_since or now
    if now - since >= rules.pace.give_up_sending:
        return _to(delivery, "needs_human", now, failure=failure, attempts=attempts, unanswered=None)
    asked = outcome.retry_after if isinstance(outcome, NotSent) else rules.pace.channel_trouble
    pause = max(rules.pace.backoff(delivery.tries + 1, rules.jitter), asked or 0.0)
    waiting: dict[str, object] = {
        "trying_since": since,
        "failure": failure,
        "attempts": attempts,
        "tries": delivery.tries + 1,
        "due_at": now + timedelta(seconds=pause),
        "unanswered": None,
    }
    if delivery.state == "planned":
        return replace(delivery, lease=None, **waiting)  # type: ignore[arg-type]
    return _to(delivery, "planned", now, **waiting)


def _words(outcome: Rejected | NotSent | Unknown) -> tuple[str, str]:
    return outcome.code, outcome.detail


def _send_started(delivery: Delivery, started: SendStarted, now: datetime) -> Delivery | Refused:
    if (held := _held(delivery, started.fence, "planned")) is not None:
        return held
    if not leased(delivery, now):
        return Refused("lease_lost")
    if delivery.retired is not None:
        return Refused("retired")
    if started.approval is None or started.approval != delivery.approval:
        return Refused("not_approved")
    assert delivery.lease is not None  # noqa: S101 - `leased` said so
    return replace(
        delivery,
        state="sending",
        version=delivery.version + 1,
        attempt=delivery.attempt + 1,
        trying_since=delivery.trying_since or now,
        unanswered=delivery.attempt + 1,
        prepared=dict(started.prepared),
        lease=Lease(delivery.lease.holder, started.until),
        due_at=started.until,
        since=now,
        failure=None,
    )


def _answered(delivery: Delivery, answer: Answered, now: datetime, rules: Rules) -> Delivery | Refused:
    if delivery.unanswered != answer.attempt:
        return Refused("already_answered")
    match answer.outcome:
        case Posted(remote_id, url):
            return _posted(delivery, now, rules, remote_id, url, _tried(delivery, now, "posted"))
        case Unknown(code, detail) as unknown:
            failure = DeliveryFailure(code=code, detail=detail)
            attempts = _tried(delivery, now, "unknown", *_words(unknown))
            if delivery.state != "sending":  # it is being looked for already
                return replace(delivery, unanswered=None, failure=failure, attempts=attempts)
            return _to(
                delivery, "unknown", now, due_at=now, failure=failure, attempts=attempts, unanswered=None
            )
        case Rejected() | NotSent() as refusal:
            return _not_sent(delivery, refusal, now, rules)


def _posted(
    delivery: Delivery,
    now: datetime,
    rules: Rules,
    remote_id: str,
    url: str | None,
    attempts: tuple[Attempt, ...],
) -> Delivery:
    due = now if delivery.retired is not None else rules.pace.next_visit(0, now, rules.capabilities)
    return _to(
        delivery,
        "posted",
        now,
        remote_id=remote_id,
        url=url or delivery.url,
        attempts=attempts,
        due_at=due,
        visits=0,
        absent_at=None,
        unanswered=None,
    )


def _lease_lost(delivery: Delivery, lost: LeaseLost, now: datetime) -> Delivery | Refused:
    if delivery.lease is None:
        return Refused("not_held")
    if leased(delivery, now) and lost.holder != delivery.lease.holder:
        return Refused("held")
    if delivery.state != "sending":
        return replace(delivery, lease=None, due_at=now)
    failure = DeliveryFailure(code="interrupted", detail="The call was begun and its answer never recorded.")
    attempts = _tried(delivery, now, "unknown", failure.code, failure.detail)
    return _to(delivery, "unknown", now, due_at=now, failure=failure, attempts=attempts)


def _looked(delivery: Delivery, looked: Looked, now: datetime, rules: Rules) -> Delivery | Refused:
    if (held := _held(delivery, looked.fence, "reconciling")) is not None:
        return held
    match looked.found:
        case Posted(remote_id, url):
            return _posted(delivery, now, rules, remote_id, url, _tried(delivery, now, "found"))
        case Absent():
            return _found_nothing(delivery, now, rules)
        case Unknown(code, detail) as unknown:
            failure = DeliveryFailure(code=code, detail=detail)
            if now - (delivery.since or now) >= rules.pace.give_up_looking:
                attempts = _tried(delivery, now, "unknown", *_words(unknown))
                return _to(delivery, "needs_human", now, failure=failure, attempts=attempts)
            pause = timedelta(seconds=rules.pace.backoff(delivery.tries + 1, rules.jitter))
            return replace(
                delivery, lease=None, due_at=now + pause, tries=delivery.tries + 1, failure=failure
            )


def _found_nothing(delivery: Delivery, now: datetime, rules: Rules) -> Delivery:
    """Nothing there: believed only the second time, after what is late has had time to appear."""
    spacing = timedelta(seconds=rules.capabilities.absent_after)
    if delivery.absent_at is None:
        return replace(delivery, lease=None, due_at=now + spacing, absent_at=now, tries=0)
    if now < delivery.absent_at + spacing:
        return replace(delivery, lease=None, due_at=delivery.absent_at + spacing)
    return _again(delivery, now, _tried(delivery, now, "absent"), rules)


def _again(delivery: Delivery, now: datetime, attempts: tuple[Attempt, ...], rules: Rules) -> Delivery:
    """It is not there: plan it anew, or leave it when it must not appear any more."""
    gone: dict[str, object] = {"attempts": attempts, "absent_at": None, "remote_id": None, "unanswered": None}
    if delivery.retired is not None:
        return _to(delivery, "cancelled", now, url=None, **gone)
    if now - (delivery.trying_since or now) >= rules.pace.give_up_sending:
        return _to(delivery, "needs_human", now, failure=delivery.failure, **gone)
    pause = timedelta(seconds=rules.pace.backoff(delivery.attempt, rules.jitter))
    return _to(delivery, "planned", now, url=None, due_at=now + pause, **gone)


def _cannot_look(delivery: Delivery, cannot: CannotLook, now: datetime, rules: Rules) -> Delivery | Refused:
    if (held := _held(delivery, cannot.fence, "reconciling")) is not None:
        return held
    if not rules.capabilities.idempotent:
        return _to(delivery, "needs_human", now, failure=delivery.failure, unanswered=delivery.unanswered)
    if delivery.retired is None:
        return _again(delivery, now, delivery.attempts, rules)
    return _to(
        delivery, "removing", now, due_at=now, remote_id=delivery.remote_id or delivery.id, unanswered=None
    )


def _checked(
    delivery: Delivery, found: Posted | Absent | Unknown, now: datetime, rules: Rules
) -> Delivery | Refused:
    if delivery.state != "posted" or delivery.retired is not None:
        return Refused("wrong_state")
    if isinstance(found, Absent):
        failure = DeliveryFailure(
            code="not_visible", detail="The channel said it was posted, but shows nothing."
        )
        attempts = _tried(delivery, now, "not_visible", failure.code, failure.detail)
        return _to(delivery, "unknown", now, due_at=now, failure=failure, attempts=attempts)
    if isinstance(found, Unknown):
        pause = timedelta(seconds=rules.pace.backoff(delivery.tries + 1, rules.jitter))
        return replace(delivery, tries=delivery.tries + 1, due_at=now + pause)
    visits = delivery.visits + 1
    return replace(
        delivery,
        visits=visits,
        tries=0,
        url=found.url or delivery.url,
        due_at=rules.pace.next_visit(visits, now, rules.capabilities),
    )


def _removal_answered(
    delivery: Delivery, answer: RemovalAnswered, now: datetime, rules: Rules
) -> Delivery | Refused:
    if (held := _held(delivery, answer.fence, "removing")) is not None:
        return held
    match answer.outcome:
        case Removed(proof):
            return _to(delivery, "removed", now, proof=proof, attempts=_tried(delivery, now, "removed"))
        case Residue(detail):
            failure = DeliveryFailure(code="residue", detail=detail)
            attempts = _tried(delivery, now, "residue", failure.code, detail)
            return _to(delivery, "residue", now, failure=failure, attempts=attempts)
        case NotSent() | Unknown() as trouble:
            failure = DeliveryFailure(code=trouble.code, detail=trouble.detail)
            attempts = _tried(delivery, now, "removal_failed", trouble.code, trouble.detail)
            if now - (delivery.since or now) >= rules.pace.give_up_removing:
                return _to(delivery, "needs_human", now, failure=failure, attempts=attempts)
            asked = trouble.retry_after if isinstance(trouble, NotSent) else None
            pause = max(rules.pace.backoff(delivery.tries + 1, rules.jitter), asked or 0.0)
            return replace(
                delivery,
                lease=None,
                due_at=now + timedelta(seconds=pause),
                tries=delivery.tries + 1,
                failure=failure,
                attempts=attempts,
            )


def _retired(delivery: Delivery, reason: Retirement, now: datetime) -> Delivery | Refused:
    if delivery.state in GONE:
        return Refused("wrong_state")
    final = delivery.retired in {"recalled", "withdrawn"}
    if delivery.state != "posted" and (final or delivery.retired == reason):
        return Refused("already_retired")
    marked = delivery if final else replace(delivery, retired=reason)
    match delivery.state:
        case "planned":
            return _to(marked, "cancelled", now)
        case "posted":
            return _to(marked, "removing", now, due_at=now)
        case "removing" if delivery.lease is None:  # it may have waited for its successor
            return replace(marked, due_at=now)
        case _:  # what is under way ends first
            return marked


def _approved(delivery: Delivery, approved: Approved, now: datetime) -> Delivery | Refused:
    if approved.approval <= delivery.approval or delivery.retired in {"recalled", "withdrawn"}:
        return Refused("superseded")
    match delivery.state:
        case "planned":
            return replace(delivery, approval=approved.approval, due_at=approved.due_at, lease=None)
        case "cancelled" if delivery.attempt == 0:
            return _to(
                delivery, "planned", now, approval=approved.approval, retired=None, due_at=approved.due_at
            )
        case _:
            return Refused("wrong_state")


def _resolved(delivery: Delivery, resolved: Resolved, now: datetime, rules: Rules) -> Delivery | Refused:
    attempts = _tried(delivery, now, f"person_{resolved.outcome}", resolved.by, resolved.url or "")
    removal = delivery.retired is not None and delivery.remote_id is not None
    match (delivery.state, resolved.outcome):
        case ("needs_human", "posted"):
            remote_id = delivery.remote_id or resolved.url or delivery.id
            return _posted(delivery, now, rules, remote_id, resolved.url, attempts)
        case ("needs_human" | "residue", "absent") if removal or delivery.state == "residue":
            proof = f"{resolved.by} looked and found nothing"
            return _to(delivery, "removed", now, proof=proof, attempts=attempts)
        case ("needs_human", "absent"):
            return _again(replace(delivery, trying_since=None), now, attempts, rules)
        case ("needs_human", "cancelled"):
            return _to(delivery, "cancelled", now, attempts=attempts, unanswered=None)
        case _:
            return Refused("wrong_state")


def _replaced(delivery: Delivery, replaced: Replaced) -> Delivery | Refused:
    if delivery.state != "removing":
        return Refused("not_removing")
    return replace(
        delivery,
        state="removed",
        version=delivery.version + 1,
        lease=None,
        due_at=None,
        proof=replaced.proof,
        failure=None,
    )


def _awaited(delivery: Delivery) -> Delivery | Refused:
    if delivery.state != "removing" or delivery.lease is not None:
        return Refused("not_removing")
    return replace(delivery, due_at=None)


def _released(delivery: Delivery, now: datetime) -> Delivery | Refused:
    if delivery.state != "removing" or delivery.due_at is not None:
        return Refused("not_waiting")
    return replace(delivery, due_at=now)
