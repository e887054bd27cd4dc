"""What a decision, a recall or a withdrawal means for a publication. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from services.publisher.deliveries.model import Refused
from services.publisher.deliveries.publication import Outlet, Permission, Publication, TombstoneRecord, settle
from shared.events import ModerationDecided, Snapshot

OLD = Refused("superseded_decision")
"""A newer decision is known: nothing changes."""
KNOWN = Refused("known_decision")
"""This very decision was applied before: nothing changes."""


def flaw_of(decision: ModerationDecided, reviewers: Mapping[str, int]) -> str | None:
    """Why a decision whose signature is good cannot be followed all the same; `None` when it can.

    `reviewers` says how many different people each sensitive class needs.
    """
    snapshot = decision.snapshot
    if decision.verdict != "approve":
        return "a refusal carries no snapshot" if snapshot is not None else None
    if snapshot is None:
        return "an approval carries the approved snapshot"
    if (snapshot.submission_id, snapshot.revision) != (decision.subject_id, decision.revision):
        return "the snapshot belongs to another submission or revision"
    people = {approval.person_id for approval in decision.approvals}
    if decision.author_id in people:
        return "nobody approves their own submission"
    needed = max((reviewers.get(each, 1) for each in decision.classes), default=1)
    if len(people) < needed:
        return f"{needed} different people must approve this, {len(people)} did"
    return None


def decide(
    publication: Publication,
    decision: ModerationDecided,
    outlets: Sequence[Outlet],
    now: datetime,
    trace: str | None = None,
) -> Publication | Refused:
    """The publication after a decision.

    Refused are a decision older than the newest known one, and a second one with the same version, which only
    a replay can be.
    """
    if str(decision.event_id) == publication.decided:
        return KNOWN
    if decision.version < publication.case_version:
        return OLD
    if decision.version == publication.case_version:
        return Refused("replayed_version")
    known = replace(publication, case_version=decision.version, decided=str(decision.event_id))
    if decision.snapshot is not None:
        allowed = Permission(
            decision.version, decision.revision, str(decision.decision_id), str(decision.event_id)
        )
        known = replace(
            known,
            permission=allowed,
            snapshots=_keep(publication, decision),
        )
    elif known.permission is not None and known.permission.revision == decision.revision:
        known = replace(known, permission=None)
    return settle(known, outlets, now, trace)


def _keep(publication: Publication, decision: ModerationDecided) -> Mapping[int, Snapshot]:
    """The snapshots, the new one in place of an earlier one of its revision, unless that has gone out."""
    assert decision.snapshot is not None  # noqa: S101 - the caller has seen it
    out = any(each.revision == decision.revision and each.attempt > 0 for each in publication.deliveries)
    if out:
        return publication.snapshots
    return {**publication.snapshots, decision.revision: decision.snapshot}


def mark_tombstone(
    publication: Publication, tombstone: TombstoneRecord, outlets: Sequence[Outlet], now: datetime
) -> Publication | Refused:
    """The publication after a recall or withdrawal. The first tombstone stays; there is no way back."""
    if publication.tombstone is not None:
        return Refused("already_buried")
    return settle(replace(publication, tombstone=tombstone), outlets, now)
