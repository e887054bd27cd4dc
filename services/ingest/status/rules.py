"""What has become of a submission, folded from the other services' events in whatever order they come. Pure.

Each fact carries its aggregate's version; a fact that is not newer than the known one changes nothing. So any
order and any repetition of the same events ends in the same record.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypedDict, TypeVar

from pydantic import AwareDatetime

from shared.events import (
    CaseChanged,
    CaseState,
    DeliveryChanged,
    DeliveryState,
    Event,
    ModerationDecided,
    ModerationRecalled,
    ReachFigure,
    ReachTotalled,
    Tombstone,
    Value,
    Verdict,
    is_visible,
)
from shared.retention.model import End

State = Literal[
    "received",
    "screened",
    "in_review",
    "approved",
    "changes_requested",
    "rejected",
    "scheduled",
    "published",
    "withdrawn",
    "recalled",
]

OF_VERDICT: Mapping[Verdict, State] = {
    "approve": "approved",
    "reject": "rejected",
    "request_changes": "changes_requested",
}
GONE_STATES = frozenset({"rejected", "cancelled", "removed"})
"""A delivery that shows nothing and never will."""
LEFT_TO_PEOPLE = frozenset({"needs_human", "residue"})
"""A delivery with which nothing happens by itself any more."""
UNDER_WAY = frozenset({"planned", "sending", "unknown", "reconciling", "needs_human"})


class Fact(Value):
    """What orders the facts of one aggregate. The event's id decides between two of one version."""

    version: int
    event_id: str


class CaseFact(Fact):
    """Where moderation's case stands."""

    revision: int
    state: CaseState


class DecisionFact(Fact):
    """Moderation's last decision."""

    revision: int
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    message: str | None = None
    at: AwareDatetime
    title: str | None = None
    body: str | None = None
    """The text as published, after edits; present when approved."""


class RecallFact(Fact):
    """Moderation took its approval back."""

    reason: str
    at: AwareDatetime


class DeliveryFact(Fact):
    """One delivery's last known state."""

    delivery_id: str
    channel: str
    kind: str
    language: str
    revision: int
    state: DeliveryState
    url: str | None = None
    at: AwareDatetime
    tombstone: Tombstone | None = None
    recall_reason: str | None = None


class ReachFact(Fact):
    """The last totals."""

    totals: Mapping[str, ReachFigure]


class Progress(Value):
    """All that is known of one submission from elsewhere."""

    case: CaseFact | None = None
    decision: DecisionFact | None = None
    """The newest of all."""
    earlier: tuple[DecisionFact, ...] = ()
    """The newest on each other revision, by revision."""
    recall: RecallFact | None = None
    deliveries: tuple[DeliveryFact, ...] = ()
    """Sorted by delivery id."""
    reach: ReachFact | None = None


Told = CaseChanged | ModerationDecided | ModerationRecalled | DeliveryChanged | ReachTotalled


def absorb(progress: Progress, event: Told) -> Progress:
    """The record with what `event` tells."""
    match event:
        case CaseChanged():
            fact = CaseFact(**_order(event), revision=event.revision, state=event.state)
            return progress.model_copy(update={"case": _newer(progress.case, fact)})
        case ModerationDecided():
            return progress.model_copy(update=_with_decision(progress, _decision(event)))
        case ModerationRecalled():
            recall = RecallFact(**_order(event), reason=event.reason, at=event.occurred_at)
            return progress.model_copy(update={"recall": _newer(progress.recall, recall)})
        case DeliveryChanged():
            return progress.model_copy(update={"deliveries": _with_delivery(progress.deliveries, event)})
        case ReachTotalled():
            reach = ReachFact(**_order(event), totals=event.totals)
            return progress.model_copy(update={"reach": _newer(progress.reach, reach)})


def submission_of(event: Told) -> str:
    """The submission that `event` is about."""
    return event.submission_id if isinstance(event, DeliveryChanged) else event.subject_id


def state_of(revision: int, progress: Progress, *, withdrawn: bool) -> State:
    """The one word for where revision `revision` stands.

    A withdrawal and a recall are final. What moderation said of an earlier revision says nothing of this one.
    """
    if withdrawn or _case_is(progress, "withdrawn"):
        return "withdrawn"
    if _is_recalled(progress):
        return "recalled"
    moderated = _moderated(revision, progress)
    return _delivered(revision, progress) if moderated == "approved" else moderated


def end_of(progress: Progress, told_at: datetime) -> End | None:
    """Whether, and since when, nobody needs the texts any more, as far as the others have told until `told_at`.

    A rejected revision is the last one that moderation knows. What waits, and what is published, is needed.
    """
    graves = [each for each in progress.deliveries if each.tombstone is not None]
    if _case_is(progress, "withdrawn") or any(each.tombstone == "withdrawn" for each in graves):
        return End("withdrawn", told_at)
    if progress.recall is not None:
        return End("recalled", progress.recall.at)
    if graves or _case_is(progress, "recalled"):
        return End("recalled", min((each.at for each in graves), default=told_at))
    known = [each.revision for each in (progress.case, progress.decision) if each is not None]
    moderated = _moderated(max(known, default=0), progress)
    decided_at = progress.decision.at if progress.decision is not None else told_at
    if moderated == "rejected":
        return None if _is_out(progress) else End("rejected", decided_at)
    if moderated == "changes_requested":
        return None if _is_out(progress) else End("unanswered", decided_at)
    return None


def lets_go(progress: Progress) -> bool:
    """Whether every channel has let go of it, or a person alone can make it: its files are not needed for that."""
    return all(each.state in GONE_STATES | LEFT_TO_PEOPLE for each in progress.deliveries)


def blanked(progress: Progress) -> Progress:
    """The record without what anybody wrote. States, codes, addresses and figures stay."""
    decision, recall = progress.decision, progress.recall
    return progress.model_copy(
        update={
            "decision": decision and _without_words(decision),
            "earlier": tuple(_without_words(each) for each in progress.earlier),
            "recall": recall and recall.model_copy(update={"reason": ""}),
            "deliveries": tuple(
                each.model_copy(update={"recall_reason": None}) for each in progress.deliveries
            ),
        }
    )


def _without_words(decision: DecisionFact) -> DecisionFact:
    return decision.model_copy(update={"message": None, "title": None, "body": None})


def _is_out(progress: Progress) -> bool:
    return any(each.state not in GONE_STATES for each in progress.deliveries)


def _moderated(revision: int, progress: Progress) -> State:
    case, decision = progress.case, progress.decision
    if case is not None and case.revision != revision:
        case = None
    if decision is not None and decision.revision != revision:
        decision = None
    if decision is not None and (case is None or case.version <= decision.version):
        return OF_VERDICT[decision.verdict]
    return case.state if case is not None else "received"


def _delivered(revision: int, progress: Progress) -> State:
    current = [each for each in progress.deliveries if each.revision == revision]
    if any(is_visible(each.state, each.url) for each in current):
        return "published"
    return "scheduled" if any(each.state in UNDER_WAY for each in current) else "approved"


def recall_reason(progress: Progress) -> str | None:
    """Why it was recalled, in the words of whoever did it: moderation, or an editor, who is heard through deliveries."""
    if progress.recall is not None and progress.recall.reason:
        return progress.recall.reason
    return next((each.recall_reason for each in progress.deliveries if each.recall_reason), None)


def _is_recalled(progress: Progress) -> bool:
    by_publisher = any(each.tombstone == "recalled" for each in progress.deliveries)
    return progress.recall is not None or _case_is(progress, "recalled") or by_publisher


def _case_is(progress: Progress, state: CaseState) -> bool:
    return progress.case is not None and progress.case.state == state


def _decision(event: ModerationDecided) -> DecisionFact:
    return DecisionFact(
        **_order(event),
        revision=event.revision,
        verdict=event.verdict,
        reasons=event.reasons,
        message=event.message,
        at=event.occurred_at,
        title=event.snapshot.title if event.snapshot else None,
        body=event.snapshot.body if event.snapshot else None,
    )


def _with_decision(progress: Progress, told: DecisionFact) -> Mapping[str, object]:
    """The newest decision on each revision; of those the newest of all stands by itself."""
    by_revision: dict[int, DecisionFact] = {}
    for each in (*progress.earlier, progress.decision, told):
        if each is not None:
            by_revision[each.revision] = _newer(by_revision.get(each.revision), each)
    newest = max(by_revision.values(), key=lambda fact: (fact.version, fact.event_id))
    del by_revision[newest.revision]
    return {"decision": newest, "earlier": tuple(by_revision[each] for each in sorted(by_revision))}


def _with_delivery(known: tuple[DeliveryFact, ...], event: DeliveryChanged) -> tuple[DeliveryFact, ...]:
    fact = DeliveryFact(
        **_order(event),
        delivery_id=event.subject_id,
        channel=event.channel,
        kind=event.kind,
        language=event.language,
        revision=event.revision,
        state=event.state,
        url=event.url,
        at=event.occurred_at,
        tombstone=event.tombstone,
        recall_reason=event.recall_reason,
    )
    by_id = {each.delivery_id: each for each in known}
    by_id[fact.delivery_id] = _newer(by_id.get(fact.delivery_id), fact)
    return tuple(by_id[key] for key in sorted(by_id))


F = TypeVar("F", bound=Fact)


def _newer(known: F | None, told: F) -> F:
    if known is None:
        return told
    return max(known, told, key=lambda fact: (fact.version, fact.event_id))


class _Order(TypedDict):
    version: int
    event_id: str


def _order(event: Event) -> _Order:
    return {"version": event.version, "event_id": str(event.event_id)}
